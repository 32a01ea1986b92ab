/** vm.start, vm.stop and the other methods that change a VM's state. */
import type { JobMethod, Method, Nas } from "../nas.ts";
import { devicesOf, freeMemoryBytes, memoryBytesOf, type StoredVm, zvolAt } from "../store.ts";
import { emitLifecycle, type Lifecycle } from "../vm_rows.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, notFound, plainException } from "../wire/wire_errors.ts";

type Data = Record<string, unknown>;

/** The VM of this id. */
export function getVm(nas: Nas, id: unknown): StoredVm {
  const vm = nas.store.vms.get(Number(id));
  if (vm === undefined) throw notFound(`VM ${String(id)} does not exist`);
  return vm;
}

const start: Method = async (nas, [id, options], call) => {
  const vm = getVm(nas, id);
  const { name } = vm.config;
  const { texts } = nas.profile;
  if (vm.state === "RUNNING") throw callError(ERRNO.EFAULT, texts.alreadyRunning(name));
  if (vm.state === "SUSPENDED") throw callError(ERRNO.EFAULT, texts.startSuspended(name));
  const overcommit = (options as { overcommit?: boolean }).overcommit === true;
  if (!overcommit && memoryBytesOf(vm) > freeMemoryBytes(nas.store)) {
    throw callError(ERRNO.ENOMEM, `Cannot guarantee memory for guest ${name}`);
  }
  const devices = devicesOf(nas.store, vm.id);
  const mac = devices.map(({ attributes }) => attributes.mac).find(isUnreadable);
  if (mac !== undefined) {
    throw callError(ERRNO.EFAULT, `XML error: unable to parse mac address '${String(mac)}'`);
  }
  const missing = devices.find(({ attributes }) => isMissing(nas, attributes));
  if (missing !== undefined) {
    throw callError(ERRNO.EFAULT, texts.deviceMissing(name, missing.attributes.dtype));
  }
  await nas.sleep(nas.times.callMs + nas.times.startMs, call.signal);
  await call.pass("middle");
  vm.state = "RUNNING";
  delete vm.runsWithMib;
  vm.everStarted = true;
  vm.starts = (vm.starts ?? 0) + 1;
  emitLifecycle(nas, vm, "started");
  return null;
};

/** libvirt accepts only colons, which up to 25.10 is first checked at the start. */
function isUnreadable(mac: unknown): boolean {
  return typeof mac === "string" && !/^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/.test(mac);
}

function isMissing(nas: Nas, { dtype, path }: Data): boolean {
  if (dtype === "CDROM" || dtype === "RAW") return !nas.store.files.has(String(path));
  const zvol = dtype === "DISK" ? zvolAt(path) : null;
  return zvol !== null && !nas.store.datasets.has(zvol);
}

/** Throws when the VM is in none of these states. */
export function expectState(nas: Nas, vm: StoredVm, states: readonly StoredVm["state"][]): void {
  if (states.includes(vm.state)) return;
  const { name } = vm.config;
  const { wrongState } = nas.profile.texts;
  const { kind, reason } = wrongState({ name, wanted: states, state: vm.state, everStarted: vm.everStarted });
  throw kind === "call" ? callError(ERRNO.EFAULT, reason) : plainException("Error", reason);
}

/** A method that changes a VM's state at once. */
function stateChange(
  from: readonly StoredVm["state"][],
  to: StoredVm["state"],
  event: Lifecycle | null,
): Method {
  return async (nas, [id], call) => {
    const vm = getVm(nas, id);
    expectState(nas, vm, from);
    await nas.sleep(nas.times.callMs, call.signal);
    vm.state = to;
    if (event !== null) emitLifecycle(nas, vm, event);
    return null;
  };
}

/** Switches a VM off immediately. */
export function switchOff(nas: Nas, vm: StoredVm, how: "poweredOff" | "stopped"): void {
  vm.state = "STOPPED";
  emitLifecycle(nas, vm, how);
}

const stop: JobMethod = {
  job: async (nas, [id], call) => {
    const vm = getVm(nas, id);
    expectState(nas, vm, ["RUNNING"]);
    await nas.sleep(nas.times.shutdownMs, call.signal);
    switchOff(nas, vm, "stopped");
    return null;
  },
};

const restart: JobMethod = {
  job: async (nas, [id], call, report) => {
    await stop.job(nas, [id], call, report);
    return await start(nas, [id, { overcommit: true }], call);
  },
};

/** The methods that change a VM's state. */
export const LIFECYCLE_METHODS: Readonly<Record<string, Method | JobMethod>> = {
  "vm.start": start,
  "vm.stop": stop,
  "vm.restart": restart,
  "vm.poweroff": stateChange(["RUNNING", "SUSPENDED"], "STOPPED", "poweredOff"),
  "vm.suspend": stateChange(["RUNNING"], "SUSPENDED", "suspended"),
  "vm.resume": stateChange(["SUSPENDED"], "RUNNING", "resumed"),
  "vm.reset": stateChange(["RUNNING"], "RUNNING", null),
};
