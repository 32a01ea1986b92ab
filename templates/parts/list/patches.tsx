/** What the list's stream and its filter send: the changed parts of the page, each with its target. */
import { VM_ACTIONS, type VmActionName } from "../../../lib/inventory/vm_actions.ts";
import { isActive, type OperationView } from "../../../lib/operations/types.ts";
import { paths, type VmQuery } from "../../paths.ts";
import { CapacityStrip, type CapacityView } from "../capacity.tsx";
import { HostLoad, type HostLoadView } from "../host_load.tsx";
import { PageStream } from "../frame/connection.tsx";
import { Icon } from "../icons.tsx";
import { Toast } from "../frame/toasts.tsx";
import { VmList, type VmListProps } from "./vm_list.tsx";
import { type ListRowProps, VmRowOnce } from "./vm_row.tsx";
import { type Selectable, SelectMatching } from "./bulk_bar.tsx";
import { ColumnMenu } from "./columns.tsx";
import { Chips, ListCount, type ListFilterProps, VmListAge } from "./filter.tsx";
import { OpStrip } from "./op_strip.tsx";
import { groupId, VmGroup, type VmGroupProps } from "./vm_group.tsx";
import { Said } from "../said.tsx";

/** One VM that changed. */
export function VmPatch(row: ListRowProps) {
  return (
    <hx-partial hx-target={`#vm-${row.vm.id}`} hx-swap="outerMorph">
      <VmRowOnce {...row} />
    </hx-partial>
  );
}

/** The heading of a group in which a VM changed. */
export function GroupPatch(group: VmGroupProps) {
  return (
    <hx-partial hx-target={`#${groupId(group.group)}`} hx-swap="outerMorph">
      <VmGroup {...group} />
    </hx-partial>
  );
}

/** The whole list, when VMs were added or removed. */
export function VmListPatch({ list }: { list: VmListProps }) {
  return (
    <hx-partial hx-target="#vm-list" hx-swap="outerMorph">
      <VmList {...list} />
    </hx-partial>
  );
}

/** The chips with their counts, how many VMs match, the choice of all of them, and their export. */
export function ChipsPatch({ filter, selectable }: ChipsPatchProps) {
  return (
    <>
      <hx-partial hx-target="#vm-chips" hx-swap="outerMorph">
        <Chips query={filter.query} counts={filter.counts} />
      </hx-partial>
      <hx-partial hx-target="#vm-count" hx-swap="outerMorph">
        <ListCount matching={filter.matching} total={filter.total} />
      </hx-partial>
      <hx-partial hx-target="#bulk-matching" hx-swap="outerMorph">
        <SelectMatching {...selectable} />
      </hx-partial>
      <hx-partial hx-target="#list-export" hx-swap="outerMorph">
        <ExportLink query={filter.query} count={filter.matching} />
      </hx-partial>
    </>
  );
}

/** Props of what a list tells above and below its rows. */
export interface ChipsPatchProps {
  readonly filter: ListFilterProps;
  readonly selectable: Selectable;
}

/** The age of the list. */
export function AgePatch({ stale }: Pick<VmListProps, "stale">) {
  return (
    <hx-partial hx-target="#vm-list-age" hx-swap="outerMorph">
      <VmListAge stale={stale} />
    </hx-partial>
  );
}

/** What the NAS has. */
export function CapacityPatch({ capacity }: { capacity: CapacityView }) {
  return (
    <hx-partial hx-target="#capacity" hx-swap="outerMorph">
      <CapacityStrip capacity={capacity} />
    </hx-partial>
  );
}

/** How busy the NAS is. */
export function HostLoadPatch({ load }: { load: HostLoadView | null }) {
  return (
    <hx-partial hx-target="#host-load" hx-swap="outerMorph">
      <HostLoad load={load} />
    </hx-partial>
  );
}

/** The running operation above the list. */
export function StripPatch({ view }: { view: OperationView }) {
  return (
    <hx-partial hx-target="#op-strip" hx-swap="outerMorph">
      <OpStrip view={view} />
    </hx-partial>
  );
}

/** Props of what a changed filter changes. */
export interface FilteredProps {
  readonly list: VmListProps;
  readonly filter: ListFilterProps;
  readonly query: VmQuery;
  readonly stream: string;
}

/** What a changed filter changes on the page, while its field keeps the focus. */
export function FilteredPatch({ list, filter, query, stream }: FilteredProps) {
  return (
    <>
      <VmListPatch list={list} />
      <ChipsPatch filter={filter} selectable={list} />
      <hx-partial hx-target="#list-columns" hx-swap="outerMorph">
        <ColumnMenu query={query} />
      </hx-partial>
      <hx-partial hx-target="#page-stream" hx-swap="outerMorph">
        <PageStream stream={stream} />
      </hx-partial>
    </>
  );
}

/** Exports what the list shows, unless that is nothing. Live updates replace it by its id. */
export function ExportLink({ query, count }: { query: VmQuery; count: number }) {
  const { cols: _cols, rows: _rows, ...shown } = query;
  return (
    <a class="btn plain" id="list-export" href={paths.export(shown)} hidden={count === 0}>
      <Icon name="export" />
      Export
    </a>
  );
}

/** Names of an action's ways, for a toast: while it runs, and once it is done. */
const SAID = {
  start: ["is starting", "was started"],
  stop: ["is shutting down", "was shut down"],
  restart: ["is restarting", "was restarted"],
  suspend: ["is being suspended", "was suspended"],
  resume: ["is resuming", "was resumed"],
  reset: ["is being reset", "was reset"],
  poweroff: ["is being powered off", "was powered off"],
  detach: ["loses its install image", "has no install image any more"],
} as const satisfies Record<VmActionName, readonly [string, string]>;

/** Actions that take another one back. */
const UNDO: Partial<Record<VmActionName, VmActionName>> = { suspend: "resume", resume: "suspend" };

/** An action on one VM, as a toast tells of it. */
export interface ActionToast {
  readonly view: OperationView;
  readonly action: VmActionName;
  readonly vm: { readonly id: number; readonly name: string };
}

/** The id of the toast of an operation. */
function toastId({ id }: OperationView): string {
  return `toast-${id}`;
}

/** A new toast for an action that was begun from the list. */
export function ToastPatch(toast: ActionToast) {
  return (
    <hx-partial hx-target="#toasts" hx-swap="beforeend">
      <OperationToast {...toast} />
    </hx-partial>
  );
}

/** The toast of an action that has ended, on the pages that show it. */
export function ToastEndPatch(toast: ActionToast) {
  return (
    <hx-partial hx-target={`#${toastId(toast.view)}`} hx-swap="outerHTML">
      <OperationToast {...toast} />
    </hx-partial>
  );
}

/** A toast that something was refused. */
export function RefusalPatch({ message }: { message: string }) {
  return (
    <hx-partial hx-target="#toasts" hx-swap="beforeend">
      <Toast tone="bad">
        <p>
          <Said text={message} />
        </p>
      </Toast>
    </hx-partial>
  );
}

function OperationToast({ view, action, vm }: ActionToast) {
  const [doing, done] = SAID[action];
  const [first] = view.vms;
  const link = <a href={paths.operation(view.id)}>View</a>;
  if (isActive(view)) {
    return (
      <Toast tone="busy" id={toastId(view)}>
        <p>
          <span dir="auto">{vm.name}</span> {doing} · {link}
        </p>
      </Toast>
    );
  }
  if (view.status !== "done") {
    return (
      <Toast tone="bad" id={toastId(view)}>
        <p>
          <strong dir="auto">{vm.name} could not be {VM_ACTIONS[action].done}.</strong>{" "}
          <Said text={first?.message ?? view.message ?? ""} /> {link}
        </p>
      </Toast>
    );
  }
  const undo = UNDO[action];
  return (
    <Toast tone="good" id={toastId(view)}>
      <p>
        <span dir="auto">{vm.name}</span> {done} · {link}
      </p>
      {undo === undefined ? null : (
        <form method="post" action={paths.vmAction(vm.id, undo)}>
          <button type="submit" class="btn sm">Undo</button>
        </form>
      )}
    </Toast>
  );
}
