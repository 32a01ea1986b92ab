/** The list of VMs: its table, its rows, and what stands there when there is none. */
import type { Vm } from "../../lib/inventory.ts";
import { formatBytes, formatCount, formatDuration, formatMib } from "../../lib/units.ts";
import { paths } from "../paths.ts";
import type { SortKey, VmListProps, VmQuery } from "../props.ts";
import { State, Time, type Tone } from "./common.tsx";

/** How each state of a VM looks; a word that is not known is passed on as it is. */
const STATES: Readonly<Record<string, { readonly tone: Tone; readonly word: string }>> = {
  RUNNING: { tone: "good", word: "Running" },
  STOPPED: { tone: "quiet", word: "Stopped" },
  SUSPENDED: { tone: "warn", word: "Suspended" },
  ERROR: { tone: "bad", word: "Error" },
};

/** A VM's state as shape and word. */
export function VmState({ state }: { state: string }) {
  const { tone, word } = STATES[state] ?? { tone: "warn", word: state };
  return <State tone={tone} word={word} />;
}

const COLUMNS: readonly {
  readonly label: string;
  readonly sort: SortKey | null;
  readonly numeric?: boolean;
}[] = [
  { label: "Name", sort: "name" },
  { label: "State", sort: "state" },
  { label: "vCPUs", sort: "vcpus", numeric: true },
  { label: "Memory", sort: "memory", numeric: true },
  { label: "Disks", sort: "disks", numeric: true },
  { label: "Networks", sort: null },
  { label: "Display", sort: null, numeric: true },
  { label: "Autostart", sort: null },
];

/** The table, or why there is none. Its id stays, so that it can be replaced as a whole. */
export function VmList(props: VmListProps) {
  return (
    <section id="vm-list" aria-labelledby="vm-list-caption">
      {props.vms === null || props.vms.length === 0
        ? <EmptyList {...props} />
        : <VmTable {...props} vms={props.vms} />}
    </section>
  );
}

/** How old what is shown is, while there is no connection; empty otherwise. Its id stays, so that it can be replaced. */
export function VmListAge({ stale }: Pick<VmListProps, "stale">) {
  return (
    <span id="vm-list-age" class="tone-warn" data-stale={stale === null ? undefined : "true"}>
      {stale === null ? "" : (
        <>
          , as of <Time at={stale.since} />, {formatDuration(stale.now - stale.since)} ago
        </>
      )}
    </span>
  );
}

function VmTable({ vms, total, query, stale }: VmListProps & { readonly vms: readonly Vm[] }) {
  const shown = vms.length === total
    ? formatCount(total, "VM")
    : `${vms.length} of ${formatCount(total, "VM")}`;
  return (
    <table class="rows vms">
      <caption id="vm-list-caption">
        {shown}
        <VmListAge stale={stale} />
      </caption>
      <thead>
        <tr>{COLUMNS.map((column) => <ColumnHead {...column} query={query} />)}</tr>
      </thead>
      <tbody>{vms.map((vm) => <VmRow vm={vm} />)}</tbody>
    </table>
  );
}

interface ColumnHeadProps {
  readonly label: string;
  readonly sort: SortKey | null;
  readonly numeric?: boolean;
  readonly query: VmQuery;
}

function ColumnHead({ label, sort, numeric, query }: ColumnHeadProps) {
  if (sort === null) return <th scope="col" class={numeric ? "number" : undefined}>{label}</th>;
  const ascending = query.sort === sort || (sort === "name" && query.sort === "");
  const descending = query.sort === `-${sort}`;
  const direction = ascending ? "ascending" : descending ? "descending" : undefined;
  return (
    <th scope="col" class={numeric ? "number" : undefined} aria-sort={direction}>
      <a href={paths.home({ ...query, sort: ascending ? `-${sort}` : sort })}>
        {label}
        {direction === undefined
          ? null
          : <span class="direction" aria-hidden="true">{ascending ? " ↑" : " ↓"}</span>}
      </a>
    </th>
  );
}

/** One VM. */
export function VmRow({ vm }: { vm: Vm }) {
  const known = vm.disks.every(({ sizeBytes }) => sizeBytes !== null);
  const total = vm.disks.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  const topology = `${formatCount(vm.sockets, "socket")} × ${formatCount(vm.cores, "core")} × ${
    formatCount(vm.threads, "thread")
  }`;
  return (
    <tr id={`vm-${vm.id}`} data-vm={vm.name} data-state={vm.state}>
      <th scope="row">
        <a href={paths.vm(vm.id)} dir="auto">{vm.name}</a>
        {vm.cdroms.length === 0
          ? null
          : <span class="tag" title={vm.cdroms.map(({ path }) => path).join("\n")}>ISO</span>}
      </th>
      <td data-label="State">
        <VmState state={vm.state} />
      </td>
      <td class="number" data-label="vCPUs" title={topology}>{vm.vcpus}</td>
      <td class="number" data-label="Memory">{formatMib(vm.memoryMib)}</td>
      <td class="number" data-label="Disks" title={vm.disks.map(({ zvol, path }) => zvol ?? path).join("\n")}>
        {vm.disks.length === 0
          ? <span class="none">none</span>
          : known
          ? `${vm.disks.length} · ${formatBytes(total)}`
          : vm.disks.length}
      </td>
      <td data-label="Networks">
        {vm.nics.length === 0 ? <span class="none">none</span> : (
          <ul class="plain">
            {vm.nics.map(({ attach, mac }) => (
              <li>
                {attach ?? "default"} <code>{mac ?? "new MAC at each start"}</code>
              </li>
            ))}
          </ul>
        )}
      </td>
      <td class="number" data-label="Display">
        {vm.displays.length === 0
          ? <span class="none">none</span>
          : vm.displays.map(({ port }) => port ?? "auto").join(", ")}
      </td>
      <td data-label="Autostart">{vm.autostart ? "Yes" : "No"}</td>
    </tr>
  );
}

function EmptyList({ vms, total, problem }: VmListProps) {
  if (vms === null) {
    return (
      <div class="empty">
        <h2 id="vm-list-caption">The VMs are not known yet</h2>
        <p>{problem?.message ?? "The NAS has not been read."}</p>
        {problem === null ? null : <p>{problem.remedy}</p>}
        <p>
          <a class="button" href={paths.home()}>Look again</a>
        </p>
      </div>
    );
  }
  if (total > 0) {
    return (
      <div class="empty">
        <h2 id="vm-list-caption">No VM matches</h2>
        <p>
          There {total === 1 ? "is" : "are"} {formatCount(total, "VM")} on the NAS.{" "}
          <a href={paths.home()}>Show all</a>
        </p>
      </div>
    );
  }
  return (
    <div class="empty">
      <h2 id="vm-list-caption">No VMs yet</h2>
      <p>Create a group of them from the configuration: the plan is shown before anything is made.</p>
      <p>
        <a class="button primary" href={paths.create()}>Create VMs</a>
      </p>
    </div>
  );
}
