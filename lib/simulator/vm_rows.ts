/** VM and device rows of vm.query, and the events about their changes. */
import { hasRole } from "./accounts.ts";
import type { Call, Nas } from "./nas.ts";
import { devicesOf, type StoredDevice, type StoredVm } from "./store.ts";

const MASK = "********";

/** Whether a call can see display passwords. */
function seesPasswords({ account }: Call): boolean {
  return account !== null && (hasRole(account, "VM_WRITE") || hasRole(account, "VM_DEVICE_WRITE"));
}

/** A device row, redacted for this call. */
export function deviceRow(device: StoredDevice, call: Call | null): Record<string, unknown> {
  const { id, vm, order, attributes } = device;
  const hide = call !== null && attributes.dtype === "DISPLAY" && !seesPasswords(call);
  return { id, attributes: hide ? { ...attributes, password: MASK } : { ...attributes }, vm, order };
}

/** The status of a VM. */
export function statusOf(nas: Nas, vm: StoredVm): Record<string, unknown> {
  const stopped = vm.everStarted ? "SHUTOFF" : nas.profile.unusedDomainState;
  const domainStates = { RUNNING: "RUNNING", SUSPENDED: "PAUSED", STOPPED: stopped };
  return { state: vm.state, pid: null, domain_state: domainStates[vm.state] };
}

/** A row of vm.query; `call` null means unredacted, as in events. */
export function vmRow(nas: Nas, vm: StoredVm, call: Call | null): Record<string, unknown> {
  const devices = devicesOf(nas.store, vm.id);
  return {
    ...vm.config,
    id: vm.id,
    devices: devices.map((device) => deviceRow(device, call)),
    display_available: devices.some(({ attributes }) => attributes.dtype === "DISPLAY"),
    status: statusOf(nas, vm),
  };
}

/** Notifies subscribers that a call created or changed a VM. */
export function emitCrud(nas: Nas, msg: "added" | "changed", vm: StoredVm): void {
  nas.emit({ msg, collection: "vm.query", id: vm.id, fields: vmRow(nas, vm, null) });
}

/** Notifies subscribers that a VM was removed. */
export function emitRemoved(nas: Nas, id: number): void {
  nas.emit({ msg: "removed", collection: "vm.query", id });
}

/** An event of libvirt, with the domain's state at that moment. */
interface RawEvent {
  readonly msg: "added" | "changed";
  readonly event: string;
  readonly state: string;
}

/** libvirt's events up to 25.10, immediately and after the answer. */
const RAW_EVENTS = {
  defined: { now: [], soon: [added()] },
  started: {
    now: [changed("RUNNING", "UPDATING CONFIGURATION"), added()],
    soon: [changed("BLOCKED", "RUNNING")],
  },
  stopped: { now: [changed("SHUTOFF", "SHUTOFF")], soon: [] },
  poweredOff: { now: [changed("SHUTDOWN", "SHUTOFF"), changed("SHUTOFF", "SHUTOFF")], soon: [] },
  suspended: { now: [], soon: [changed("SUSPENDED", "SUSPENDED")] },
  resumed: { now: [], soon: [changed("RUNNING", "RUNNING")] },
} as const satisfies Record<string, { now: readonly RawEvent[]; soon: readonly RawEvent[] }>;

function added(): RawEvent {
  return { msg: "added", event: "NOSTATE", state: "SHUTOFF" };
}

function changed(event: string, state: string): RawEvent {
  return { msg: "changed", event, state };
}

/** Number of events in 26 and later, always with a full row. */
const ROW_EVENTS = { defined: 0, started: 2, stopped: 1, poweredOff: 1, suspended: 2, resumed: 2 } as const;

/** A change of a domain. */
export type Lifecycle = keyof typeof RAW_EVENTS;

/** Sends libvirt's events. */
export function emitLifecycle(nas: Nas, vm: StoredVm, what: Lifecycle): void {
  if (nas.profile.lifecycle === "rows") {
    const { id } = vm;
    for (let n = 0; n < ROW_EVENTS[what]; n++) {
      nas.emitSoon(() => ({ msg: "changed", collection: "vm.query", id, fields: vmRow(nas, vm, null) }));
    }
    return;
  }
  const { now, soon } = RAW_EVENTS[what];
  for (const raw of now) nas.emit(rawEvent(nas, vm, raw));
  for (const raw of soon) nas.emitSoon(() => rawEvent(nas, vm, raw));
}

/** Up to 25.10: no devices, and libvirt's state instead of the NAS's own. */
function rawEvent(nas: Nas, vm: StoredVm, { msg, event, state }: RawEvent) {
  const { devices: _devices, ...fields } = vmRow(nas, vm, null);
  const status = { ...statusOf(nas, vm), state };
  return { msg, collection: "vm.query", id: vm.id, fields: { ...fields, status }, extra: { state: event } };
}
