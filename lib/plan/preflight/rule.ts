/** What the rules of preflight have in common. */
import type { Inventory } from "../../inventory/inventory.ts";
import type { CreationInput } from "../creation_input.ts";
import type { Finding, PlannedDevice, PlannedVm } from "../types.ts";

/** What a rule checks. */
export interface Context {
  readonly input: CreationInput;
  readonly inventory: Inventory;
  /** The VMs with steps to run. */
  readonly active: readonly PlannedVm[];
}

/** Predicts one of TrueNAS's refusals. */
export type Rule = (context: Context) => readonly Finding[];

/** A warning about the whole plan. */
export function warning(field: string, message: string): Finding {
  return { severity: "warning", vms: [], field, message };
}

/** An error that blocks these VMs. */
export function error(vms: readonly PlannedVm[], field: string, message: string): Finding {
  return { severity: "error", vms: vms.map(({ name }) => name), field, message };
}

/** A rule whose reading is not available. */
export function notChecked(field: string, what: string, because: string): Finding {
  return warning(field, `${what}: not checked because ${because}`);
}

/** The first VM of each type; a rule about a type is reported once. */
export function firstOfEachType(vms: readonly PlannedVm[]): readonly PlannedVm[] {
  return vms.filter((vm, index) => vms.findIndex(({ type }) => type === vm.type) === index);
}

type DeviceOf<D extends PlannedDevice["dtype"]> = Extract<PlannedDevice, { dtype: D }>;

/** The devices of one type that the plan would create for a VM. */
export function devicesOf<D extends PlannedDevice["dtype"]>(vm: PlannedVm, dtype: D): DeviceOf<D>[] {
  return vm.devices.filter((device): device is DeviceOf<D> =>
    device.dtype === dtype && vm.steps.includes(device.step)
  );
}

/** The VMs for which the plan would create such a device. */
export function vmsWith(vms: readonly PlannedVm[], dtype: PlannedDevice["dtype"]): readonly PlannedVm[] {
  return vms.filter((vm) => devicesOf(vm, dtype).length > 0);
}

/** The devices of one type that the plan would create, with their VMs. */
export function allDevices<D extends PlannedDevice["dtype"]>(vms: readonly PlannedVm[], dtype: D) {
  return vms.flatMap((vm) => devicesOf(vm, dtype).map((device) => ({ vm, device })));
}
