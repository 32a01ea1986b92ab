/** What the NAS has, as two pictures with their numbers: its memory, and the pool for the VMs' disks. */
import { formatBytes } from "../../lib/units.ts";
import { Icon } from "./icons.tsx";

/** What the NAS has, as far as it can be read; sizes in bytes. */
export interface CapacityView {
  readonly memory: MemoryCapacity | null;
  readonly pool: PoolCapacity | null;
}

/** The memory of the NAS. */
export interface MemoryCapacity {
  /** All of it; null where the account may not read it. */
  readonly totalBytes: number | null;
  /** What VMs may still be started with. */
  readonly freeBytes: number;
  /** The cache of files, which shrinks when VMs need its memory; null where it is not known. */
  readonly cacheBytes: number | null;
  /** What running VMs were given, by group; the largest groups have a name of their own. */
  readonly running: readonly { readonly name: string; readonly bytes: number }[];
}

/** The pool of the configured dataset. */
export interface PoolCapacity {
  readonly name: string;
  /** The configured dataset, and what is free there. */
  readonly dataset: string;
  readonly freeBytes: number;
  /** What is taken from the pool; null where the account may not read it. */
  readonly takenBytes: number | null;
  /** What the disks of VMs hold, of what is taken; null where no disk's use is known. */
  readonly disksBytes: number | null;
}

/** What a plan would take, in bytes. */
export interface PlannedCapacity {
  readonly memoryBytes: number;
  readonly diskBytes: number;
}

/** What the strip is given. */
export interface CapacityStripProps {
  readonly capacity: CapacityView | null;
  /** Drawn into the pictures as planned; default nothing. */
  readonly plan?: PlannedCapacity | undefined;
}

/** The strip; its shape while the capacity is unknown. Live updates replace it by its id. */
export function CapacityStrip({ capacity, plan }: CapacityStripProps) {
  if (capacity === null) return <UnknownCapacity />;
  const { memory, pool } = capacity;
  if (memory === null && pool === null) return <div id="capacity" hidden></div>;
  return (
    <div id="capacity" class="capacity" role="group" aria-label="Capacity">
      {memory === null ? null : <MemoryGauge {...memory} plannedBytes={plan?.memoryBytes} />}
      {pool === null ? null : <PoolGauge {...pool} plannedBytes={plan?.diskBytes} />}
    </div>
  );
}

/** Where no script could put the figures in its place, it stays empty. */
function UnknownCapacity() {
  return (
    <div id="capacity" class="capacity capacity-none" aria-hidden="true">
      {["Memory", "Pool"].map((name) => (
        <div class="gauge">
          <header>
            <span class="soft">{name}</span>
            <span class="free">
              <span class="bone"></span>
            </span>
          </header>
          <span class="bone wide"></span>
        </div>
      ))}
    </div>
  );
}

/** What a plan would take of one thing, in bytes. */
interface Planned {
  readonly plannedBytes: number | undefined;
}

/** One part of a meter. */
interface Part {
  readonly name: string;
  /** Written into the part where it fits; by default nothing. */
  readonly label?: string;
  readonly bytes: number;
  /** Its colour; the pattern when there is none. */
  readonly class?: string;
  /** Default the pattern of what is planned. */
  readonly pattern?: string;
  /** Whether what is planned may take its place. */
  readonly yields?: boolean;
}

const PLAN_PATTERN = "url(#hatch-plan)";
const CACHE_PATTERN = "url(#dots)";

function planPart(bytes: number | undefined): readonly Part[] {
  return bytes === undefined ? [] : [{ name: "This plan", bytes }];
}

/** `16 GiB of 29 GiB free`, or what is free. */
function Free({ freeBytes, plannedBytes, suffix = "" }: Planned & { freeBytes: number; suffix?: string }) {
  return (
    <>
      {plannedBytes === undefined ? null : (
        <>
          <span class={plannedBytes > freeBytes ? "bad tone" : "planned tone"}>
            <b>{formatBytes(plannedBytes)}</b>
          </span>{" "}
          of{" "}
        </>
      )}
      <b>{formatBytes(freeBytes)}</b> free <span class="of">{suffix}</span>
    </>
  );
}

function MemoryGauge(
  { totalBytes, freeBytes, cacheBytes, running, plannedBytes }: MemoryCapacity & Planned,
) {
  const vms = running.reduce((sum, { bytes }) => sum + bytes, 0);
  // Guests may be given more than there is, and what they do not use is free.
  const whole = Math.max(totalBytes ?? 0, vms + freeBytes);
  const taken = whole - vms - freeBytes;
  // What the cache can give back counts as free, so that it is taken from there first.
  const cache = Math.min(cacheBytes ?? 0, taken + freeBytes);
  const own = taken - Math.max(0, cache - freeBytes);
  const ownName = cacheBytes === null ? "TrueNAS and its cache" : "TrueNAS";
  const parts: Part[] = [
    { name: ownName, label: "TrueNAS", bytes: own, class: "m-rest" },
    ...running.map(({ name, bytes }, n): Part => ({
      name: `${name}, running`,
      label: name,
      bytes,
      class: n % 2 === 0 ? "m-vm" : "m-vm-2",
    })),
    ...planPart(plannedBytes),
    {
      name: "File cache, shrinks when needed",
      bytes: Math.max(0, Math.min(cache, whole - own - vms - (plannedBytes ?? 0))),
      pattern: CACHE_PATTERN,
      yields: true,
    },
  ];
  const words = `Memory: ${
    plannedBytes === undefined ? "" : `the plan takes ${formatBytes(plannedBytes)}; `
  }${formatBytes(vms)} of running VMs, ${totalBytes === null ? "" : `${formatBytes(own)} of ${ownName}, `}${
    cacheBytes === null ? "" : `${formatBytes(cache)} of file cache that shrinks when needed, `
  }${formatBytes(freeBytes)} free for VMs`;
  return (
    <section
      class="gauge"
      aria-labelledby="gauge-memory"
      data-whole={whole}
      data-free={freeBytes}
      id="memory-gauge"
    >
      <header>
        <h2 id="gauge-memory">
          <Icon name="chip" />
          Memory
        </h2>
        {totalBytes === null ? null : <span class="faint of">{formatBytes(totalBytes)}</span>}
        <span class="free" id="memory-free">
          <Free freeBytes={freeBytes} plannedBytes={plannedBytes} suffix="for VMs" />
        </span>
      </header>
      <Meter parts={parts} whole={whole} words={words} planned={plannedBytes === undefined} />
      <ul class="legend">
        <Legend name="Running VMs" bytes={vms} class="m-vm" />
        {own > 0 ? <Legend name={ownName} bytes={own} class="m-rest" /> : null}
        {cacheBytes === null
          ? null
          : <Legend name="File cache, can shrink" bytes={cache} pattern={CACHE_PATTERN} />}
        {plannedBytes === undefined ? null : <Legend name="This plan" bytes={plannedBytes} />}
        <li class="planned" id="memory-planned" hidden>
          <svg class="swatch" aria-hidden="true">
            <rect width="100%" height="100%" fill="url(#hatch-plan)" />
          </svg>
          Selection <b></b>
        </li>
      </ul>
    </section>
  );
}

function PoolGauge(
  { name, dataset, freeBytes, takenBytes, disksBytes, plannedBytes }: PoolCapacity & Planned,
) {
  const disks = Math.min(disksBytes ?? 0, takenBytes ?? 0);
  const files = (takenBytes ?? 0) - disks;
  const whole = (takenBytes ?? 0) + freeBytes;
  const parts: Part[] = [
    { name: "Everything else", label: "files", bytes: files, class: "m-rest" },
    { name: "Disks of VMs", bytes: disks, class: "m-vm" },
    ...planPart(plannedBytes),
  ];
  const words = takenBytes === null
    ? `${formatBytes(freeBytes)} free in ${dataset}`
    : `Pool ${name}: ${formatBytes(disks)} in disks of VMs, ${formatBytes(files)} of everything else, ${
      formatBytes(freeBytes)
    } free in ${dataset}`;
  return (
    <section class="gauge" aria-labelledby="gauge-pool">
      <header>
        <h2 id="gauge-pool">
          <Icon name="disk" />
          Pool {name}
        </h2>
        {takenBytes === null ? null : <span class="faint of">{formatBytes(whole)}</span>}
        <span class="free" title={`Free in ${dataset}`}>
          <Free freeBytes={freeBytes} plannedBytes={plannedBytes} />
        </span>
      </header>
      {takenBytes === null ? null : (
        <>
          <Meter parts={parts} whole={whole} words={words} />
          <ul class="legend">
            <Legend name="Disks of VMs" bytes={disks} class="m-vm" />
            <Legend name="Everything else" bytes={files} class="m-rest" />
            {plannedBytes === undefined ? null : <Legend name="This plan" bytes={plannedBytes} />}
          </ul>
        </>
      )}
    </section>
  );
}

/** A label fits into its part if each of its letters has this share of the whole. */
const LETTER_SHARE = 0.0125;

interface MeterProps {
  readonly parts: readonly Part[];
  readonly whole: number;
  readonly words: string;
  /** Whether a script may draw what a selection would take (static/list.js). */
  readonly planned?: boolean;
}

function Meter({ parts, whole, words, planned }: MeterProps) {
  const shares = parts.map((part) => ({ ...part, share: whole > 0 ? part.bytes / whole : 0 }));
  const placed = shares.map((part, n) => ({
    ...part,
    at: shares.slice(0, n).reduce((sum, { share }) => sum + share, 0),
  }));
  const end = shares.reduce((sum, { share, yields }) => yields ? sum : sum + share, 0);
  return (
    <svg class="meter" role="img" aria-label={words}>
      {placed.filter(({ share }) => share > 0).map((part) => (
        <>
          <rect
            x={percent(part.at)}
            width={percent(Math.min(part.share, 1 - part.at))}
            height="100%"
            class={part.class}
            fill={part.class === undefined ? part.pattern ?? PLAN_PATTERN : undefined}
          >
            <title>{part.name}: {formatBytes(part.bytes)}</title>
          </rect>
          {part.label === undefined || part.share < LETTER_SHARE * part.label.length ? null : (
            <text
              x={percent(part.at + part.share / 2)}
              y="53%"
              text-anchor="middle"
              dominant-baseline="central"
              class={part.class === "m-vm" ? undefined : "on-soft"}
            >
              {part.label}
            </text>
          )}
        </>
      ))}
      {planned
        ? (
          <rect
            id="memory-plan"
            x={percent(end)}
            width="0"
            height="100%"
            fill="url(#hatch-plan)"
            data-at={end}
          />
        )
        : null}
    </svg>
  );
}

function Legend(
  { name, bytes, class: kind, pattern }: Pick<Part, "name" | "bytes" | "class" | "pattern">,
) {
  return (
    <li class={kind === undefined && pattern === undefined ? "planned" : undefined}>
      <svg class="swatch" aria-hidden="true">
        <rect
          width="100%"
          height="100%"
          class={kind}
          fill={kind === undefined ? pattern ?? PLAN_PATTERN : undefined}
        />
      </svg>
      {name} <b>{bytes === 0 ? "none" : formatBytes(bytes)}</b>
    </li>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}
