/**
 * Actions on existing VMs and changes to them. They run alongside the operations that create and remove VMs, and are refused
 * for VMs that such an operation is working on.
 */
import { type Problem, TrueNASError } from "../errors/errors.ts";
import { VM_ACTIONS, type VmActionName } from "../inventory/vm_actions.ts";
import { formatCount } from "../units.ts";
import { SINGLE_VM_PRIORITY } from "./limits/call_limiter.ts";
import type { OperationRunner, RunningOperation, RunOptions, WorkContext } from "./runner.ts";
import { type ActionRequest, actOnVm } from "./steps/act_on_vm.ts";
import { type ChangedVm, changeVm, titleOf, type VmChange } from "./steps/change_vm.ts";
import { runVm } from "./steps/run_vm.ts";
import { describeOverlap } from "./turns/claims.ts";

/** A started change. */
export interface RunningChange extends RunningOperation {
  /** Resolves when the change has ended: why it failed, by form field; empty when it succeeded. */
  readonly problems: Promise<readonly Problem[]>;
}

/** Acts on VMs and changes them; see the file's comment. */
export class VmChanges {
  readonly #runner: OperationRunner;

  /** Starts nothing yet. */
  constructor(runner: OperationRunner) {
    this.#runner = runner;
  }

  /**
   * Performs one action on VMs. Each VM is read again first, and refused if its state has changed; afterwards it is
   * verified that the action took effect.
   *
   * @throws {TrueNASError} when the program is stopping.
   */
  act(action: VmActionName, requests: readonly ActionRequest[], options: RunOptions = {}): RunningOperation {
    const [first, ...others] = requests;
    const isSingle = first !== undefined && others.length === 0;
    return this.#runner.run({
      kind: "act",
      title: `${VM_ACTIONS[action].verb} ${isSingle ? first.name : formatCount(requests.length, "VM")}`,
      vms: requests.map(({ name, state }) => ({
        name,
        steps: [action],
        summary: `was ${state.toLowerCase()}`,
      })),
      items: requests,
      ...(isSingle ? { priority: SINGLE_VM_PRIORITY } : {}),
      work: (context) => ({
        workOn: async (request) => {
          if (await this.#refuseClaimed(context, request.name) === null) await actOnVm(context, request);
        },
      }),
    }, options);
  }

  /**
   * Changes one VM: its settings, devices or disks; or clones it.
   *
   * @throws {TrueNASError} when the program is stopping.
   */
  change(vm: ChangedVm, change: VmChange, options: RunOptions = {}): RunningChange {
    const problems: Problem[] = [];
    const operation = this.#runner.run({
      kind: "change",
      title: `${titleOf(change)} ${vm.name}`,
      vms: [{ name: vm.name, steps: [change.kind], summary: "" }],
      items: [vm],
      priority: SINGLE_VM_PRIORITY,
      work: (context) => ({
        workOn: async (it) => {
          const refused = await this.#refuseClaimed(context, it.name);
          problems.push(
            ...(refused === null ? await changeVm(context, it, change) : [{ field: "", message: refused }]),
          );
        },
      }),
    }, options);
    return { ...operation, problems: operation.finished.then(() => problems) };
  }

  /** Reports a VM that another operation is working on; null when there is none. */
  async #refuseClaimed(context: WorkContext, vmName: string): Promise<string | null> {
    const overlap = this.#runner.claimOn(vmName);
    if (overlap === null) return null;
    const message = `${describeOverlap(overlap)}. Nothing was changed; try again when it has finished`;
    await runVm({ ...context, vmName }, {
      run: () => Promise.reject(new TrueNASError(message, { outcome: "not-done" })),
      onFailure: () => ({ outcome: "failed", message }),
    });
    return message;
  }
}
