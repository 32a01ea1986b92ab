/** What is done with VMs that are there, beside the operations that make and remove VMs. */
import type { VmActionName } from "../inventory/vm_actions.ts";
import type { RunningChange, RunningOperation, RunOptions } from "./runner.ts";
import type { ActionRequest } from "./steps/act_on_vm.ts";
import type { ChangedVm, VmChange } from "./steps/change_vm.ts";

/** Acts on VMs and changes them. */
export interface VmChanges {
  /**
   * Does one thing with some VMs: each is looked at again before, and seen to be as wanted afterwards. It runs beside
   * an operation that makes or removes VMs.
   */
  act(action: VmActionName, requests: readonly ActionRequest[], options?: RunOptions): RunningOperation;
  /** Changes one VM: its settings, devices or disks; or clones it. It runs beside other operations. */
  change(vm: ChangedVm, change: VmChange, options?: RunOptions): RunningChange;
}
