/** The list of VMs: table, rows, and what is shown when it is empty. */
import type { Nic, Vm } from "../../lib/inventory/inventory.ts";
import { formatBytes, formatCount, formatDuration, formatMib } from "../../lib/units.ts";
import { compareNames, typeOf } from "../../lib/inventory/names.ts";
import type { Busy } from "../../lib/operations/store.ts";
import {
  reasonAgainst,
  VM_ACTION_NAMES,
  VM_ACTIONS,
  type VmActionName,
} from "../../lib/inventory/vm_actions.ts";
import { paths, type SortKey, type VmQuery } from "../paths.ts";
import { State, Time, type Tone } from "./common.tsx";

/** A VM in the list, with what is being done to it. */
export interface VmRowProps {
  readonly vm: Vm;
  readonly busy: Busy | null;
  /** Whether whoever looks may change anything. */
  readonly mayChange: boolean;
}

/** The list of VMs. */
export interface VmListProps {
  /** Whether whoever looks may change anything. */
  readonly mayChange: boolean;
  /** Those that match, in order; null when they were never read. */
  readonly vms: readonly VmRowProps[] | null;
  /** How many there are without the filter. */
  readonly total: number;
  readonly query: VmQuery;
  readonly states: readonly string[];
  readonly types: readonly string[];
  /** Why they could not be read, or null. */
  readonly problem: { readonly message: string; readonly remedy: string } | null;
  /** When they were last known to be true, while there is no connection; null while there is one. */
  readonly stale: Stale | null;
}

/** Data that is not kept true now: both in milliseconds since 1970 (UTC). */
export interface Stale {
  readonly since: number;
  readonly now: number;
}

/** How each state of a VM is shown; an unknown state is shown as TrueNAS names it. */
const STATES: Readonly<Record<string, { readonly tone: Tone; readonly word: string }>> = {
  RUNNING: { tone: "good", word: "Running" },
  STOPPED: { tone: "quiet", word: "Stopped" },
  SUSPENDED: { tone: "warn", word: "Suspended" },
  ERROR: { tone: "bad", word: "Error" },
};

/** A VM's state as a word. */
export function stateWord(state: string): string {
  return STATES[state]?.word ?? state;
}

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
  { label: "Networks", sort: "networks" },
  { label: "Display", sort: "display", numeric: true },
  { label: "Autostart", sort: "autostart" },
  { label: "Actions", sort: null },
];

/** What changed in a row, for screen readers. */
export function announcementsOf(before: VmRowProps | null, { vm, busy }: VmRowProps): readonly string[] {
  if (before === null) return [`${vm.name} was added to the list`];
  const now = busy === null ? stateWord(vm.state) : busy.doing;
  const was = before.busy === null ? stateWord(before.vm.state) : before.busy.doing;
  return now === was ? [] : [`${vm.name}: ${now}`];
}

/** The table, or why it is empty. Live updates replace it by its id. */
export function VmList(props: VmListProps) {
  return (
    <section id="vm-list" aria-labelledby="vm-list-caption">
      {props.vms === null || props.vms.length === 0
        ? <EmptyList {...props} />
        : <VmTable {...props} vms={props.vms} />}
    </section>
  );
}

/** The age of the list while the NAS is not connected. Live updates replace it by its id. */
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

function VmTable(
  { vms, total, query, stale, mayChange }: VmListProps & { readonly vms: readonly VmRowProps[] },
) {
  const shown = vms.length === total
    ? formatCount(total, "VM")
    : `${vms.length} of ${formatCount(total, "VM")}`;
  return (
    <form method="get" action={paths.act()} class="bulk">
      {mayChange ? <BulkActions /> : null}
      <table class={isByName(query) ? "rows vms" : "rows vms flat"}>
        <caption id="vm-list-caption">
          {shown}
          <VmListAge stale={stale} />
        </caption>
        <thead>
          <tr>
            <th scope="col">
              <input
                type="checkbox"
                id="select-all"
                class="scripted"
                aria-label="Select all VMs in the list"
              />
            </th>
            {COLUMNS.map((column) => <ColumnHead {...column} query={query} />)}
          </tr>
        </thead>
        {isByName(query)
          ? groupsOf(vms).map(({ type, rows }) => (
            <tbody>
              <VmGroup type={type} vms={rows.map(({ vm }) => vm)} />
              {rows.map((row) => <VmRowOnce {...row} />)}
            </tbody>
          ))
          : <tbody>{vms.map((row) => <VmRowOnce {...row} />)}</tbody>}
      </table>
    </form>
  );
}

function BulkActions() {
  return (
    <p class="actions" role="group" aria-label="Actions for selected VMs">
      <span class="help" id="selected-count">Selected VMs</span>
      {VM_ACTION_NAMES.map((name) => (
        <button
          type="submit"
          name="action"
          value={name}
          class={VM_ACTIONS[name].abrupt ? "danger" : undefined}
        >
          {VM_ACTIONS[name].verb}…
        </button>
      ))}
      <button type="submit" name="selection" value="yes" class="danger" formaction={paths.destroy()}>
        Destroy…
      </button>
    </p>
  );
}

/** Only a list sorted by name is grouped. */
export function isByName({ sort }: VmQuery): boolean {
  return sort === "" || sort === "name";
}

/** VMs of one type stand together, types in order of name; those without a number come last. */
function groupsOf(rows: readonly VmRowProps[]): { readonly type: string; readonly rows: VmRowProps[] }[] {
  const groups = new Map<string, VmRowProps[]>();
  for (const row of rows) {
    const type = typeOf(row.vm.name) ?? "";
    const group = groups.get(type);
    if (group === undefined) groups.set(type, [row]);
    else group.push(row);
  }
  return [...groups].sort(([a], [b]) => a === "" ? 1 : b === "" ? -1 : compareNames(a, b)).map(
    ([type, rows]) => ({ type, rows }),
  );
}

/** The id of a group's line. */
export function groupId(type: string): string {
  return `group-${type === "" ? "-" : type.replaceAll(/[^A-Za-z0-9_]/g, "-")}`;
}

/** One line on a group: how many, how many run, and what they have together. */
export function VmGroup({ type, vms }: { type: string; vms: readonly Vm[] }) {
  const running = vms.filter(({ state }) => state === "RUNNING").length;
  const vcpus = vms.reduce((sum, vm) => sum + vm.vcpus, 0);
  const memory = vms.reduce((sum, vm) => sum + vm.memoryMib, 0);
  return (
    <tr class="group" id={groupId(type)} data-group={type}>
      <th scope="rowgroup" colspan={COLUMNS.length + 1}>
        {type === "" ? "Other VMs" : type}
        <span class="where">
          {formatCount(vms.length, "VM")}, {running} running, {formatCount(vcpus, "vCPU")},{" "}
          {formatMib(memory)}
        </span>
      </th>
    </tr>
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
        {direction === undefined ? null : <span aria-hidden="true">{ascending ? " ↑" : " ↓"}</span>}
      </a>
    </th>
  );
}

/** Actions offered in the row: none of them can lose a guest's data. */
const QUICK: readonly VmActionName[] = ["start", "stop", "resume"];

/** Rendered rows; a VM that changes becomes a new object, so its old rows are collected. */
const rendered = new WeakMap<Vm, Map<string, ReturnType<typeof VmRow>>>();

/** One VM's row, rendered once for all open pages. */
export function VmRowOnce(row: VmRowProps) {
  const { vm, busy, mayChange } = row;
  const rows = rendered.get(vm) ?? new Map<string, ReturnType<typeof VmRow>>();
  rendered.set(vm, rows);
  const key = JSON.stringify([mayChange, busy]);
  const known = rows.get(key);
  if (known !== undefined) return known;
  // During an operation every step adds a row here, and the older ones are never needed again.
  if (rows.size >= MAX_RENDERED) rows.clear();
  const made = VmRow(row);
  rows.set(key, made);
  return made;
}

/** At most this many versions of one VM's row are kept. */
const MAX_RENDERED = 4;

function VmRow({ vm, busy, mayChange }: VmRowProps) {
  const type = typeOf(vm.name);
  const known = vm.disks.every(({ sizeBytes }) => sizeBytes !== null);
  const total = vm.disks.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
  const topology = `${formatCount(vm.sockets, "socket")} × ${formatCount(vm.cores, "core")} × ${
    formatCount(vm.threads, "thread")
  }`;
  return (
    <tr id={`vm-${vm.id}`} data-vm={vm.name} data-state={vm.state}>
      <td class="select">
        <input
          type="checkbox"
          id={`select-${vm.id}`}
          name="id"
          value={vm.id}
          aria-label={`Select ${vm.name}`}
        />
      </td>
      <th scope="row">
        <a href={paths.vm(vm.id)} dir="auto">{vm.name}</a>
        {type === null ? null : <span class="where type">{type}</span>}
        {vm.cdroms.length === 0
          ? null
          : <span class="tag" title={vm.cdroms.map(({ path }) => path).join("\n")}>ISO attached</span>}
      </th>
      <td data-label="State">
        {busy === null ? <VmState state={vm.state} /> : <BusyState busy={busy} />}
      </td>
      <td class="number" data-label="vCPUs" title={topology}>{vm.vcpus}</td>
      <td class="number" data-label="Memory">{formatMib(vm.memoryMib)}</td>
      <td class="number" data-label="Disks" title={vm.disks.map(({ zvol, path }) => zvol ?? path).join("\n")}>
        {vm.disks.length === 0
          ? <span class="none">none</span>
          : known
          ? `${vm.disks.length} · ${formatBytes(total)}`
          : vm.disks.length}
        <Allocation disks={vm.disks} />
      </td>
      <td data-label="Networks">
        {vm.nics.length === 0 ? <span class="none">none</span> : (
          <ul class="plain">
            {vm.nics.map((nic) => (
              <li>
                {nic.attach ?? "default"} <NicAddresses nic={nic} />
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
      <td data-label="Actions" class="row-actions">
        {QUICK.filter((name) =>
          mayChange && reasonAgainst(name, vm, { busy: busy?.doing ?? null, canReset: true }) === null
        ).map(
          (name) => (
            <button
              type="submit"
              id={`${name}-${vm.id}`}
              formmethod="post"
              formaction={paths.vmAction(vm.id, name)}
              name="state"
              value={vm.state}
              aria-label={`${VM_ACTIONS[name].verb} ${vm.name}`}
            >
              {VM_ACTIONS[name].verb}
            </button>
          ),
        )}
      </td>
    </tr>
  );
}

/** Whether the zvols are sparse or thick. */
function Allocation({ disks }: Pick<Vm, "disks">) {
  const kinds = new Set(disks.map(({ sparse }) => sparse).filter((sparse) => sparse !== null));
  if (kinds.size === 0) return null;
  return (
    <span class="help">{kinds.size > 1 ? " sparse and thick" : kinds.has(true) ? " sparse" : " thick"}</span>
  );
}

/** A NIC's MAC with a copy button, and its guest's IP address with the time it was last seen. */
export function NicAddresses({ nic: { mac, ip } }: { nic: Nic }) {
  if (mac === null) return <span class="help">new MAC at each start</span>;
  return (
    <>
      <code>{mac}</code>
      <button type="button" class="copy icon" data-text={mac} aria-label={`Copy ${mac}`}></button>
      {ip === null ? null : (
        <>
          {" "}
          <code>{ip.address}</code>{" "}
          <span class="help">
            seen at <Time at={ip.readAt} />
          </span>
        </>
      )}
    </>
  );
}

/** What is being done to a VM, linked to the operation. */
export function BusyState({ busy }: { busy: Busy }) {
  return (
    <a class="state tone-busy" href={paths.operation(busy.operation)} data-busy={busy.operation}>
      <span class="shape" aria-hidden="true"></span>
      {busy.doing}
      {busy.steps > 1 ? ` ${busy.over}/${busy.steps}` : ""}
    </a>
  );
}

function EmptyList({ vms, total, problem, mayChange }: VmListProps) {
  if (vms === null) {
    return (
      <div class="empty">
        <h2 id="vm-list-caption">{problem === null ? "Waiting for the NAS" : "The VMs could not be read"}</h2>
        <p>{problem?.message ?? "VMs appear here as soon as the NAS answers."}</p>
        {problem === null ? null : <p>{problem.remedy}</p>}
        <p>
          <a class="button" href={paths.home()}>Reload</a>
        </p>
      </div>
    );
  }
  if (total > 0) {
    return (
      <div class="empty">
        <h2 id="vm-list-caption">No VMs match</h2>
        <p>
          The NAS has {formatCount(total, "VM")}. <a href={paths.home()}>Show all</a>
        </p>
      </div>
    );
  }
  return (
    <div class="empty">
      <h2 id="vm-list-caption">No VMs yet</h2>
      {mayChange
        ? (
          <>
            <p>
              Create a group of VMs from the configuration. You review the plan before anything is created.
            </p>
            <p>
              <a class="button primary" href={paths.create()}>Create VMs</a>
            </p>
          </>
        )
        : null}
    </div>
  );
}
