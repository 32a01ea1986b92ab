/** One VM's row in the list, and the parts of it that the VM's page shows too. */
import type { Nic, Vm } from "../../../lib/inventory/inventory.ts";
import { typeOf } from "../../../lib/inventory/names.ts";
import { isMarked } from "../../../lib/inventory/marks.ts";
import type { Readiness } from "../../../lib/first_boot/types.ts";
import { ReadyBadge, readyKey, readyWord } from "../ready.tsx";
import type { Busy } from "../../../lib/operations/record/store.ts";
import { VM_ACTIONS, type VmActionName } from "../../../lib/inventory/vm_actions.ts";
import { formatCount } from "../../../lib/units.ts";
import { paths } from "../../paths.ts";
import { State, Time, type Tone } from "../common.tsx";
import { Icon, PlanIcon, Shape } from "../icons.tsx";
import { stepLabel } from "../operation/states.tsx";
import { type ColumnKey, COLUMNS } from "./columns.tsx";
import { DiskCell, MemoryCell, NetworkCell } from "./vm_cells.tsx";
import { ACTION_ICONS, VmMenuItems } from "./vm_menu.tsx";
import { sizeNow, waitingSize } from "../vm/size.ts";

/** Props of a VM and what is being done to it. */
export interface VmRowProps {
  readonly vm: Vm;
  /** The operation that is working on the VM. */
  readonly busy: Busy | null;
  /** Whether it answers; null when nobody waited for it, or it is off. */
  readonly ready: Readiness | null;
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
}

/** How the rows of a list look. */
export interface RowLook {
  readonly columns: readonly ColumnKey[];
  /** The memory that fills a bar: that of the largest VM on the NAS, in MiB. */
  readonly scaleMib: number;
  /** Whether the menu is part of the row; a long list has a link to it instead. */
  readonly hasMenu: boolean;
  /** Whether this release can reset a VM. */
  readonly canReset: boolean;
}

/** Props of a row. */
export interface ListRowProps extends VmRowProps {
  readonly look: RowLook;
  /** The operation that left the VM unfinished, or null. */
  readonly unfinished: string | null;
  /** In how many points it differs from its type. */
  readonly differs: number;
  /** Whether that is only that it is one more than its type has. */
  readonly isExtra: boolean;
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

/** The tone of a VM's state. */
export function stateTone(state: string): Tone {
  return STATES[state]?.tone ?? "warn";
}

/** A VM's state as shape and word. */
export function VmState({ state }: { state: string }) {
  const tone = stateTone(state);
  const word = stateWord(state);
  return tone === "good" ? <State tone={tone} word={word} shape="live" /> : <State tone={tone} word={word} />;
}

/** What changed in a row, for screen readers. */
export function announcementsOf(before: VmRowProps | null, row: VmRowProps): readonly string[] {
  const { name } = row.vm;
  if (before === null) return [`${name} was added to the list`];
  const now = wordOf(row);
  return now === wordOf(before) ? [] : [`${name}: ${now}`];
}

function wordOf({ vm, busy, ready }: VmRowProps): string {
  return busy?.doing ?? readyWord(ready) ?? stateWord(vm.state);
}

/** Rendered rows. A VM that changes becomes a new object, so its old rows are garbage-collected. */
const rendered = new WeakMap<Vm, Map<string, ReturnType<typeof VmRow>>>();

/** One VM's row, rendered once for all open pages. */
export function VmRowOnce(row: ListRowProps) {
  const { vm, busy, ready, mayChange, unfinished, look, differs, isExtra } = row;
  const rows = rendered.get(vm) ?? new Map<string, ReturnType<typeof VmRow>>();
  rendered.set(vm, rows);
  const key = busy === null && unfinished === null
    ? `${mayChange}${differs}${isExtra}${readyKey(ready)}${keyOf(look)}`
    : JSON.stringify([mayChange, differs, isExtra, readyKey(ready), keyOf(look), unfinished, busy]);
  const known = rows.get(key);
  if (known !== undefined) return known;
  // During an operation every step adds a row here, and the older ones are never needed again.
  if (rows.size >= MAX_RENDERED) rows.clear();
  const made = VmRow(row);
  // Searching joins the row's hundred pieces into one text, once for all pages that will show it.
  String(made).indexOf("\0");
  rows.set(key, made);
  return made;
}

/** At most this many versions of one VM's row are kept. */
const MAX_RENDERED = 4;

const lookKeys = new WeakMap<RowLook, string>();

function keyOf(look: RowLook): string {
  const known = lookKeys.get(look) ?? JSON.stringify(look);
  lookKeys.set(look, known);
  return known;
}

/** `1 socket × 4 cores × 1 thread` */
export function topologyOf({ sockets, cores, threads }: Vm): string {
  return [formatCount(sockets, "socket"), formatCount(cores, "core"), formatCount(threads, "thread")].join(
    " × ",
  );
}

function VmRow(row: ListRowProps) {
  const { vm, look, differs } = row;
  return (
    <tr id={`vm-${vm.id}`} data-vm={vm.name} data-state={vm.state}>
      <td class="c-select">
        <input
          type="checkbox"
          id={`select-${vm.id}`}
          name="id"
          value={vm.id}
          data-mib={vm.memoryMib}
          aria-label={`Select ${vm.name}`}
        />
      </td>
      <th scope="row">
        <a href={paths.vm(vm.id)} dir="auto">{vm.name}</a>
        {vm.cdroms.length === 0
          ? null
          : (
            <span class="tag" title={vm.cdroms.map(({ path }) => path).join("\n")}>
              <Icon name="image" />
              {differs === 0 ? "ISO" : <span class="word">ISO</span>}
            </span>
          )}
        <Mark {...row} />
      </th>
      {look.columns.map((column) => <Cell column={column} {...row} />)}
      <td class="c-more">
        <div class="row">
          <QuickAction {...row} />
          <More {...row} />
        </div>
      </td>
    </tr>
  );
}

/** What needs a look: that it was left unfinished, or else that it differs from its type, which the type's plan settles. */
function Mark({ vm, unfinished, differs, isExtra, mayChange }: ListRowProps) {
  if (unfinished !== null) {
    return (
      <a class="badge warn" href={paths.operation(unfinished)}>
        <Shape name="warn" />
        Unfinished
      </a>
    );
  }
  if (differs === 0) return null;
  const href = mayChange ? paths.typePlan(typeOf(vm.name) ?? "", vm.name) : paths.vm(vm.id);
  if (isExtra) {
    return (
      <a class="tag" href={href} data-differs={differs} title="Its type has fewer VMs in the configuration">
        Extra
      </a>
    );
  }
  return (
    <a class="badge warn" href={href} data-differs={differs}>
      <PlanIcon name="change" />
      <span>
        {differs}
        <span class="word">{differs === 1 ? " difference" : " differences"}</span>
      </span>
    </a>
  );
}

function Cell({ column, vm, busy, ready, look }: ListRowProps & { readonly column: ColumnKey }) {
  const kind = COLUMNS[column].class;
  switch (column) {
    case "state":
      return (
        <td class={kind}>
          {busy === null ? <VmState state={vm.state} /> : <BusyState busy={busy} />}
          {busy === null ? <ReadyBadge ready={ready} /> : null}
          {busy === null ? null : <Making busy={busy} />}
        </td>
      );
    case "vcpus":
      return <td class={kind} title={waitingSize(vm) ?? topologyOf(vm)}>{sizeNow(vm).vcpus}</td>;
    case "memory":
      return (
        <td class={kind}>
          <MemoryCell vm={vm} scaleMib={look.scaleMib} />
        </td>
      );
    case "disks":
      return (
        <td class={kind}>
          <DiskCell vm={vm} coming={busy?.devices.disks ?? 0} />
        </td>
      );
    case "networks":
      return (
        <td class={kind}>
          <NetworkCell vm={vm} coming={busy?.devices.nics ?? 0} seen={ready?.address ?? null} />
        </td>
      );
    case "display":
      return (
        <td class={kind}>
          {vm.displays.length === 0
            ? <span class="faint">none</span>
            : vm.displays.map(({ port }) => port ?? "auto").join(", ")}
        </td>
      );
    case "autostart":
      return <td class={kind}>{vm.autostart ? "Yes" : "No"}</td>;
    case "by":
      return <td class={kind}>{isMarked(vm.description) ? "This program" : "Elsewhere"}</td>;
  }
}

/** How far an operation of several steps is with the VM. */
function Making({ busy: { steps, finished, step } }: { busy: Busy }) {
  if (steps <= 1) return null;
  return (
    <div class="making">
      <svg class="bar busy" aria-hidden="true">
        <rect width={`${Math.round(finished / steps * 100)}%`} height="100%" rx="3" />
      </svg>
      <span>{step === null ? `${finished} of ${steps}` : stepLabel(step)}</span>
    </div>
  );
}

/** The one action that is asked for most: the console of a running VM, or the start of a stopped one. */
function QuickAction({ vm, busy, mayChange }: ListRowProps) {
  if (vm.state === "RUNNING") {
    const label = `Console of ${vm.name}`;
    if (vm.displays.length === 0) return null;
    return (
      <a class="btn only-icon c-quick" href={paths.vmConsole(vm.id)} aria-label={label} title="Console">
        <Icon name="console" />
      </a>
    );
  }
  const name = QUICK[vm.state];
  if (name === undefined || busy !== null || !mayChange) return null;
  const { verb } = VM_ACTIONS[name];
  return (
    <button
      class="btn only-icon c-quick"
      type="submit"
      id={`${name}-${vm.id}`}
      formmethod="post"
      formaction={paths.vmAction(vm.id, name)}
      name="state"
      value={vm.state}
      aria-label={`${verb} ${vm.name}`}
      title={verb}
    >
      <Icon name={ACTION_ICONS[name]} />
    </button>
  );
}

const QUICK: Readonly<Record<string, VmActionName>> = { STOPPED: "start", SUSPENDED: "resume" };

function More({ vm, busy, mayChange, look }: ListRowProps) {
  const label = `More for ${vm.name}`;
  if (!look.hasMenu) {
    return (
      <span>
        <a class="btn only-icon" id={`more-${vm.id}`} href={paths.vmMenu(vm.id)} aria-label={label}>
          <Icon name="more" />
        </a>
      </span>
    );
  }
  const facts = { busy: busy?.doing ?? null, canReset: look.canReset };
  return (
    <details class="menu" name="menu" id={`more-${vm.id}`}>
      <summary class="btn only-icon" aria-label={label}>
        <Icon name="more" />
      </summary>
      <div class="panel">
        <VmMenuItems vm={vm} facts={facts} mayChange={mayChange} />
      </div>
    </details>
  );
}

/** A NIC's MAC with a copy button, and its guest's IP address with the time it was last seen. */
export function NicAddresses({ nic: { mac, ip } }: { nic: Nic }) {
  if (mac === null) return <span class="help">new MAC at each start</span>;
  return (
    <>
      <code>{mac}</code>
      <button type="button" class="copy" data-text={mac} aria-label={`Copy ${mac}`}>
        <Icon name="copy" />
      </button>
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
      {busy.steps > 1 ? <span class="of">{` ${busy.finished}/${busy.steps}`}</span> : null}
    </a>
  );
}
