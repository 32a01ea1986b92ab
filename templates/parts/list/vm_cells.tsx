/** What a VM has, as pictures with their numbers: memory, disks, networks. */
import type { Disk, Nic, Vm } from "../../../lib/inventory/inventory.ts";
import { formatBytes, formatMib } from "../../../lib/units.ts";
import { Icon } from "../icons.tsx";
import { sizeNow, waitingSize } from "../vm/size.ts";

/** The memory that a VM is given; all bars of a list share one scale. */
export function MemoryCell({ vm, scaleMib }: { vm: Vm; scaleMib: number }) {
  const { state, runsWith } = vm;
  const { memoryMib } = sizeNow(vm);
  const waits = runsWith === null
    ? "from its next start"
    : memoryMib === vm.memoryMib
    ? null
    : `then ${formatMib(vm.memoryMib)}`;
  return (
    <div title={`A full bar is ${formatMib(scaleMib)}, the most memory that a VM has`}>
      <svg class={state === "STOPPED" ? "bar off" : "bar"} aria-hidden="true">
        <rect width={percent(memoryMib, scaleMib)} height="100%" rx="3" />
      </svg>
      {formatMib(memoryMib)}
      {waits === null
        ? null
        : <small class="faint" title={waitingSize(vm) ?? undefined} data-waits>{waits}</small>}
    </div>
  );
}

/** A row shows so many disks; the rest are counted. */
const MAX_DISKS = 3;

/** From this share on, a disk is nearly full. */
const NEARLY_FULL = 0.8;

/** A line of its usual height. As an entity in JSX it would be trimmed like any other space. */
const BLANK = "\u00a0";

/** Props of a cell that grows while its VM is being made. */
interface CellProps {
  readonly vm: Vm;
  /** How many lines it will have at least; they are kept free, so that the rows below stay where they are. */
  readonly coming: number;
}

function lines(count: number): readonly number[] {
  return Array.from({ length: Math.max(count, 0) }, (_, line) => line);
}

/** How full the disks of a VM are; sizes alone where the NAS does not tell. */
export function DiskCell({ vm: { disks }, coming }: CellProps) {
  if (disks.length + coming === 0) return <span class="faint">none</span>;
  const more = disks.length - MAX_DISKS;
  return (
    <>
      {disks.slice(0, MAX_DISKS).map((disk) => <DiskLine disk={disk} />)}
      {lines(Math.min(coming, MAX_DISKS) - disks.length).map(() => <div class="disk">{BLANK}</div>)}
      {more > 0 ? <div class="disk faint">and {more} more</div> : null}
    </>
  );
}

function DiskLine({ disk }: { disk: Disk }) {
  const { zvol, path, sizeBytes, usedBytes = null, sparse } = disk;
  const kind = sparse === null ? "" : sparse ? ", thin" : ", thick";
  const title = `${zvol ?? path}${kind}`;
  if (sizeBytes === null) return <div class="disk faint" title={title}>size unknown</div>;
  if (usedBytes === null) return <div class="disk" title={title}>{formatBytes(sizeBytes)}</div>;
  return (
    <div class="disk" title={title}>
      <DiskBar disk={disk} />
      <span>
        <b>{usedOf(usedBytes, sizeBytes)}</b> of {formatBytes(sizeBytes)}
      </span>
    </div>
  );
}

/** How full a disk is; nothing where the NAS does not tell. */
export function DiskBar({ disk: { sizeBytes, usedBytes = null } }: { disk: Disk }) {
  if (sizeBytes === null || usedBytes === null) return null;
  return (
    <svg class={usedBytes >= NEARLY_FULL * sizeBytes ? "bar warn" : "bar"} aria-hidden="true">
      <rect width={percent(usedBytes, sizeBytes)} height="100%" rx="3" />
    </svg>
  );
}

/** `3.4 of 20 GiB`, or the size alone where the NAS does not tell what is used. */
export function diskUse({ sizeBytes, usedBytes = null }: Disk): string {
  if (sizeBytes === null) return "size unknown";
  const size = formatBytes(sizeBytes);
  return usedBytes === null ? size : `${usedOf(usedBytes, sizeBytes)} of ${size}`;
}

/** What is used, without its unit if the size has the same: `3.4` of 20 GiB. */
function usedOf(usedBytes: number, sizeBytes: number): string {
  const [used = "", unit] = formatBytes(usedBytes).split(" ");
  return formatBytes(sizeBytes).endsWith(` ${unit}`) ? used : `${used} ${unit}`;
}

/** The addresses of a VM and where it is attached; `seen` is where it was seen to answer. */
export function NetworkCell({ vm: { nics }, coming, seen }: CellProps & { readonly seen: string | null }) {
  const [first] = nics;
  if (first === undefined && coming === 0) return <span class="faint">none</span>;
  return (
    <>
      {first === undefined ? <span>{BLANK}</span> : <Address nic={first} seen={seen} />}
      {nics.map((nic, n) => <Mac nic={nic} hasBridge={n > 0 || nic.ip !== null || seen !== null} />)}
      {lines(coming - nics.length).map(() => <span class="mac">{BLANK}</span>)}
    </>
  );
}

function Address({ nic: { ip, attach }, seen }: { nic: Nic; seen: string | null }) {
  if (ip === null && seen !== null) return <span>{seen}</span>;
  if (ip === null) return <span>{attach ?? "default"}</span>;
  return <span title={`Seen at ${new Date(ip.readAt).toISOString().slice(11, 19)} UTC`}>{ip.address}</span>;
}

/** The first line names the bridge of a NIC whose guest has no known address. */
function Mac({ nic: { attach, mac }, hasBridge }: { nic: Nic; hasBridge: boolean }) {
  return (
    <span class="mac">
      {hasBridge ? `${attach ?? "default"} ` : null}
      {mac === null ? "new MAC at each start" : (
        <>
          <code>{mac}</code>{" "}
          <button type="button" class="copy" aria-label={`Copy ${mac}`}>
            <Icon name="copy" />
          </button>
        </>
      )}
    </span>
  );
}

/** A share as a width; what is there at all stays visible. */
function percent(part: number, whole: number): string {
  if (part <= 0 || whole <= 0) return "0%";
  return `${Math.min(100, Math.max(1, Math.round(part / whole * 100)))}%`;
}
