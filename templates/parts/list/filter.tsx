/** Finds VMs: a search field, and chips that say how many VMs each would show. Everything stays in the URL. */
import { formatNumber } from "../../../lib/units.ts";
import { NEEDS_LOOK, paths, type VmQuery } from "../../paths.ts";
import { SHAPES, Time } from "../common.tsx";
import { Icon, Shape, type ShapeName } from "../icons.tsx";
import { stateTone, stateWord } from "./vm_row.tsx";
import { ColumnMenu } from "./columns.tsx";

/** How many VMs each chip would show, with the other filters as they are. */
export interface ChipCounts {
  readonly all: number;
  readonly needsLook: number;
  readonly running: number;
  readonly stopped: number;
  readonly here: number;
  readonly elsewhere: number;
}

/** When outdated data was read, and the present time, both in milliseconds since 1970 (UTC). */
export interface Stale {
  readonly since: number;
  readonly now: number;
}

/** Props of the filter. */
export interface ListFilterProps {
  readonly query: VmQuery;
  readonly counts: ChipCounts;
  /** The number of VMs that match, and without the filter. */
  readonly matching: number;
  readonly total: number;
}

/** The filter. */
export function ListFilter({ query, counts, matching, total }: ListFilterProps) {
  const kept = Object.entries(query).filter(([name, value]) => name !== "q" && value !== "");
  return (
    <div class="filter">
      <form class="find" id="list-filter" method="get" action={paths.home()} role="search">
        <Icon name="search" />
        <input
          class="input"
          id="filter-q"
          type="search"
          name="q"
          value={query.q}
          placeholder="Name, IP, MAC or disk"
          aria-label="Filter VMs by name, address, MAC or disk"
          autocomplete="off"
          spellcheck={false}
        />
        <kbd class="scripted" aria-hidden="true">/</kbd>
        {kept.map(([name, value]) => <input type="hidden" name={name} value={value} />)}
        <button type="submit" class="visually-hidden">Filter</button>
      </form>
      <Chips query={query} counts={counts} />
      <div class="end">
        <ListCount matching={matching} total={total} />
        <ColumnMenu query={query} />
      </div>
    </div>
  );
}

/** The chips. Live updates replace them by their id. */
export function Chips({ query, counts }: Pick<ListFilterProps, "query" | "counts">) {
  const { state, ours, type } = query;
  const isOther = state !== "" && ![NEEDS_LOOK, "RUNNING", "STOPPED"].includes(state);
  return (
    <nav class="chips" id="vm-chips" aria-label="Filters">
      <Chip
        label="All"
        count={counts.all}
        href={paths.home({ ...query, state: "", ours: "" })}
        isCurrent={state === "" && ours === ""}
      />
      <StateChip query={query} state={NEEDS_LOOK} label="Needs a look" count={counts.needsLook} />
      <StateChip query={query} state="RUNNING" count={counts.running} />
      <StateChip query={query} state="STOPPED" count={counts.stopped} />
      {isOther
        ? <Applied label={stateWord(state)} what="state" href={paths.home({ ...query, state: "" })} />
        : null}
      <span class="chip-gap" aria-hidden="true"></span>
      <Chip
        label="Created here"
        count={counts.here}
        href={paths.home({ ...query, ours: ours === "yes" ? "" : "yes" })}
        isCurrent={ours === "yes"}
      />
      <Chip
        label="Created elsewhere"
        count={counts.elsewhere}
        href={paths.home({ ...query, ours: ours === "no" ? "" : "no" })}
        isCurrent={ours === "no"}
      />
      {type === "" ? null : <Applied label={type} what="type" href={paths.home({ ...query, type: "" })} />}
    </nav>
  );
}

interface StateChipProps {
  readonly query: VmQuery;
  readonly state: string;
  readonly label?: string;
  readonly count: number;
}

function StateChip({ query, state, label = stateWord(state), count }: StateChipProps) {
  const isCurrent = query.state === state;
  const tone = state !== NEEDS_LOOK ? stateTone(state) : count === 0 ? "quiet" : "warn";
  return (
    <Chip
      label={label}
      count={count}
      href={paths.home({ ...query, state: isCurrent ? "" : state })}
      isCurrent={isCurrent}
      tone={tone}
      shape={tone === "good" ? "live" : SHAPES[tone]}
    />
  );
}

interface ChipProps {
  readonly label: string;
  readonly count: number;
  readonly href: string;
  readonly isCurrent: boolean;
  readonly tone?: string;
  readonly shape?: ShapeName;
}

function Chip({ label, count, href, isCurrent, tone, shape }: ChipProps) {
  return (
    <a
      class={tone === undefined ? "chip" : `chip ${tone}`}
      href={href}
      aria-current={isCurrent ? "true" : undefined}
    >
      {shape === undefined ? null : <Shape name={shape} />}
      {label} <b>{formatNumber(count)}</b>
    </a>
  );
}

/** A filter that has no chip of its own: it can be taken away. */
function Applied({ label, what, href }: { label: string; what: string; href: string }) {
  return (
    <a class="chip" href={href} aria-current="true" aria-label={`Remove the ${what} filter ${label}`}>
      <span dir="auto">{label}</span>
      <Icon name="close" />
    </a>
  );
}

/** How many VMs match. Live updates replace it by its id. */
export function ListCount({ matching, total }: Pick<ListFilterProps, "matching" | "total">) {
  return (
    <span class="count" id="vm-count">
      {/* The first chip says it too, unless something is filtered. */}
      <span class={matching === total ? "visually-hidden" : undefined}>{shownOf(matching, total)}</span>
    </span>
  );
}

/** `8 VMs`, or `3 of 8 VMs`. */
export function shownOf(matching: number, total: number): string {
  const all = `${formatNumber(total)} ${total === 1 ? "VM" : "VMs"}`;
  return matching === total ? all : `${formatNumber(matching)} of ${all}`;
}

/** The age of the list while the NAS is not connected. Live updates replace it by its id. */
export function VmListAge({ stale }: { readonly stale: Stale | null }) {
  return (
    <span id="vm-list-age" class="warn tone" data-stale={stale === null ? undefined : "true"}>
      {stale === null ? "" : (
        <>
          as of <Time at={stale.since} />
        </>
      )}
    </span>
  );
}
