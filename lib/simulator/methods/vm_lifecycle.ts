/** vm.start, vm.stop and the other ways from one state of a VM to another. */
import type { JobMethod, Method, Nas } from "../nas.ts";
import { devicesOf, freeMemoryBytes, type StoredVm, zvolAt } from "../store.ts";
import type { StateRefusal } from "../versions.ts";
import { emitLifecycle } from "../vm_rows.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError, MethodError, notFound, plainException } from "../wire/wire_errors.ts";

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
  if (!overcommit && vm.config.memory * 1_048_576 > freeMemoryBytes(nas.store)) {
    throw callError(ERRNO.ENOMEM, `Cannot guarantee memory for guest ${name}`);
  }
  const mac = devicesOf(nas.store, vm.id).map(({ attributes }) => attributes.mac).find(isUnreadable);
  if (mac !== undefined) {
    throw callError(ERRNO.EFAULT, `XML error: unable to parse mac address '${String(mac)}'`);
  }
  const gone = devicesOf(nas.store, vm.id).find(({ attributes }) => isGone(nas, attributes));
  if (gone !== undefined) throw callError(ERRNO.EFAULT, texts.deviceGone(name, gone.attributes.dtype));
  await nas.sleep(nas.times.callMs + nas.times.startMs, call.signal);
  await call.pass("middle");
  vm.state = "RUNNING";
  vm.everStarted = true;
  emitLifecycle(nas, vm, "started");
  return null;
};

/** libvirt reads colons only, which up to 25.10 is noticed no earlier. */
function isUnreadable(mac: unknown): boolean {
  return typeof mac === "string" && !/^([0-9A-Fa-f]{2}:){5}[0-9A-Fa-f]{2}$/.test(mac);
}

function isGone(nas: Nas, { dtype, path }: Data): boolean {
  if (dtype === "CDROM" || dtype === "RAW") return !nas.store.files.has(String(path));
  const zvol = dtype === "DISK" ? zvolAt(path) : null;
  return zvol !== null && !nas.store.datasets.has(zvol);
}

function refuse({ kind, reason }: StateRefusal): MethodError {
  return kind === "call" ? callError(ERRNO.EFAULT, reason) : plainException("Error", reason);
}

/** Refuses what the VM's state does not allow. */
export function expectState(nas: Nas, vm: StoredVm, states: readonly StoredVm["state"][]): void {
  if (states.includes(vm.state)) return;
  const { name } = vm.config;
  const { wrongState } = nas.profile.texts;
  throw refuse(wrongState({ name, wanted: states, state: vm.state, everStarted: vm.everStarted }));
}

const poweroff: Method = async (nas, [id], call) => {
  const vm = getVm(nas, id);
  expectState(nas, vm, ["RUNNING", "SUSPENDED"]);
  await nas.sleep(nas.times.callMs, call.signal);
  switchOff(nas, vm, "poweredOff");
  return null;
};

/** Takes a VM down at once. */
export function switchOff(nas: Nas, vm: StoredVm, how: "poweredOff" | "stopped"): void {
  vm.state = "STOPPED";
  emitLifecycle(nas, vm, how);
}

const suspend: Method = async (nas, [id], call) => {
  const vm = getVm(nas, id);
  expectState(nas, vm, ["RUNNING"]);
  await nas.sleep(nas.times.callMs, call.signal);
  vm.state = "SUSPENDED";
  emitLifecycle(nas, vm, "suspended");
  return null;
};

const resume: Method = async (nas, [id], call) => {
  const vm = getVm(nas, id);
  expectState(nas, vm, ["SUSPENDED"]);
  await nas.sleep(nas.times.callMs, call.signal);
  vm.state = "RUNNING";
  emitLifecycle(nas, vm, "resumed");
  return null;
};

const reset: Method = async (nas, [id], call) => {
  expectState(nas, getVm(nas, id), ["RUNNING"]);
  await nas.sleep(nas.times.callMs, call.signal);
  return null;
};

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
  job: async (nas, [id], call) => {
    await stop.job(nas, [id], call);
    return await start(nas, [id, { overcommit: true }], call);
  },
};

/** The methods that change a VM's state. */
export const LIFECYCLE_METHODS: Readonly<Record<string, Method | JobMethod>> = {
  "vm.start": start,
  "vm.stop": stop,
  "vm.restart": restart,
  "vm.poweroff": poweroff,
  "vm.suspend": suspend,
  "vm.resume": resume,
  "vm.reset": reset,
};
