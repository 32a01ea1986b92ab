/** VM and device rows as vm.query gives them, and the events that tell of their changes. */
import { hasRole } from "./accounts.ts";
import type { Call, Nas } from "./nas.ts";
import { devicesOf, type StoredDevice, type StoredVm } from "./store.ts";

const MASK = "********";

/** Whether a call may see display passwords. */
function seesPasswords(call: Call): boolean {
  const { account } = call;
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
  if (vm.state !== "STOPPED") {
    return { state: vm.state, pid: null, domain_state: vm.state === "RUNNING" ? "RUNNING" : "PAUSED" };
  }
  return {
    state: "STOPPED",
    pid: null,
    domain_state: vm.everStarted ? "SHUTOFF" : nas.profile.unusedDomainState,
  };
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

/** Tells that a VM was made or changed by a call. */
export function emitCrud(nas: Nas, msg: "added" | "changed", vm: StoredVm): void {
  nas.emit({ msg, collection: "vm.query", id: vm.id, fields: vmRow(nas, vm, null) });
}

/** Tells that a VM is gone. */
export function emitRemoved(nas: Nas, id: number): void {
  nas.emit({ msg: "removed", collection: "vm.query", id });
}

/** Raw words of libvirt: the event's, and the domain's state at that moment. */
interface RawEvent {
  readonly msg: "added" | "changed";
  readonly event: string;
  readonly state: string;
}

/** What libvirt tells up to 25.10, by what happened: at once, and after the answer. */
const RAW_EVENTS = {
  defined: { now: [], soon: [{ msg: "added", event: "NOSTATE", state: "SHUTOFF" }] },
  started: {
    now: [{ msg: "changed", event: "RUNNING", state: "UPDATING CONFIGURATION" }, {
      msg: "added",
      event: "NOSTATE",
      state: "SHUTOFF",
    }],
    soon: [{ msg: "changed", event: "BLOCKED", state: "RUNNING" }],
  },
  stopped: { now: [{ msg: "changed", event: "SHUTOFF", state: "SHUTOFF" }], soon: [] },
  poweredOff: {
    now: [{ msg: "changed", event: "SHUTDOWN", state: "SHUTOFF" }, {
      msg: "changed",
      event: "SHUTOFF",
      state: "SHUTOFF",
    }],
    soon: [],
  },
  suspended: { now: [], soon: [{ msg: "changed", event: "SUSPENDED", state: "SUSPENDED" }] },
  resumed: { now: [], soon: [{ msg: "changed", event: "RUNNING", state: "RUNNING" }] },
} as const satisfies Record<string, { now: readonly RawEvent[]; soon: readonly RawEvent[] }>;

/** How often 26 and later tell of each, always with a full row. */
const ROW_EVENTS = { defined: 0, started: 2, stopped: 1, poweredOff: 1, suspended: 2, resumed: 2 } as const;

/** Something that happened to a domain. */
export type Lifecycle = keyof typeof RAW_EVENTS;

/** Tells what libvirt tells. */
export function emitLifecycle(nas: Nas, vm: StoredVm, what: Lifecycle): void {
  if (nas.profile.lifecycle === "rows") {
    for (let n = 0; n < ROW_EVENTS[what]; n++) {
      nas.emitSoon(() => ({
        msg: "changed",
        collection: "vm.query",
        id: vm.id,
        fields: vmRow(nas, vm, null),
      }));
    }
    return;
  }
  const { now, soon } = RAW_EVENTS[what];
  for (const raw of now) nas.emit(rawEvent(nas, vm, raw));
  for (const raw of soon) nas.emitSoon(() => rawEvent(nas, vm, raw));
}

/** Up to 25.10: no devices, and libvirt's state in place of the NAS's own. */
function rawEvent(nas: Nas, vm: StoredVm, { msg, event, state }: RawEvent) {
  const { devices: _devices, ...fields } = vmRow(nas, vm, null);
  const status = { ...statusOf(nas, vm), state };
  return { msg, collection: "vm.query", id: vm.id, fields: { ...fields, status }, extra: { state: event } };
}
