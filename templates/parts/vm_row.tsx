/** One VM's row in the list, and the parts of it that the VM's page shows too. */
import type { Nic, Vm } from "../../lib/inventory/inventory.ts";
import { formatBytes, formatCount, formatMib } from "../../lib/units.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import type { Busy } from "../../lib/operations/store.ts";
import { reasonAgainst, VM_ACTIONS, type VmActionName } from "../../lib/inventory/vm_actions.ts";
import { paths } from "../paths.ts";
import { State, Time, type Tone } from "./common.tsx";
import { Shape } from "./icons.tsx";

/** Props of a row. */
export interface VmRowProps {
  readonly vm: Vm;
  /** The operation that is working on the VM. */
  readonly busy: Busy | null;
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
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

/** What changed in a row, for screen readers. */
export function announcementsOf(before: VmRowProps | null, { vm, busy }: VmRowProps): readonly string[] {
  if (before === null) return [`${vm.name} was added to the list`];
  const now = busy === null ? stateWord(vm.state) : busy.doing;
  const was = before.busy === null ? stateWord(before.vm.state) : before.busy.doing;
  return now === was ? [] : [`${vm.name}: ${now}`];
}

/** Actions offered in the row; none of them can lose a guest's data. */
const QUICK: readonly VmActionName[] = ["start", "stop", "resume"];

/** Rendered rows. A VM that changes becomes a new object, so its old rows are garbage-collected. */
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

/** `1 socket × 4 cores × 1 thread` */
export function topologyOf({ sockets, cores, threads }: Vm): string {
  return [formatCount(sockets, "socket"), formatCount(cores, "core"), formatCount(threads, "thread")].join(
    " × ",
  );
}

function VmRow({ vm, busy, mayChange }: VmRowProps) {
  const type = typeOf(vm.name);
  const known = vm.disks.every(({ sizeBytes }) => sizeBytes !== null);
  const total = vm.disks.reduce((sum, { sizeBytes }) => sum + (sizeBytes ?? 0), 0);
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
      <td class="num" data-label="vCPUs" title={topologyOf(vm)}>{vm.vcpus}</td>
      <td class="num" data-label="Memory">{formatMib(vm.memoryMib)}</td>
      <td class="num" data-label="Disks" title={vm.disks.map(({ zvol, path }) => zvol ?? path).join("\n")}>
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
      <td class="num" data-label="Display">
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
              class="btn"
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

/** What an operation is doing to the VM, with a link to it. */
export function BusyState({ busy }: { busy: Busy }) {
  return (
    <a class="state busy" href={paths.operation(busy.operation)} data-busy={busy.operation}>
      <Shape name="busy" />
      {busy.doing}
      {busy.steps > 1 ? ` ${busy.finished}/${busy.steps}` : ""}
    </a>
  );
}
