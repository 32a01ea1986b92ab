/** Steps that several operations share: start, power off and delete a VM. */
import { TrueNASCallError, TrueNASError } from "../../errors/errors.ts";
import type { Caller } from "../../truenas/client.ts";
import type { MethodName } from "../../truenas/method_types.ts";
import { fetchVm } from "../../truenas/batched_reads.ts";
import { readMissingFiles } from "../../truenas/read_inventory.ts";
import type { VmMemory } from "../limits/memory_reservation.ts";
import { pollUntil, type Step, type StepContext } from "./run_step.ts";
import type { RemovalContext } from "./zvol_removal.ts";

/** Whether a VM in this state must be powered off before it is removed. */
export function isOn(state: string | undefined): boolean {
  return state === "RUNNING" || state === "SUSPENDED";
}

/** Powers a VM off before its removal. */
export function powerOffStep(
  { caller, writer }: RemovalContext,
  { id, step }: { readonly id: number; readonly step: string },
): Step<unknown> {
  return {
    step,
    method: "vm.poweroff",
    call: () => writer().call("vm.poweroff", [id]),
    verify: async () => !isOn((await fetchVm(caller, id))?.state) || null,
    detail: () => "STOPPED",
  };
}

/** Removes a VM without its zvols, because vm.delete is recursive and from 26 on deletes clones of other VMs too. */
export function deleteVmStep(
  { caller, writer, vmName, passes }: RemovalContext,
  { id, step, force }: { readonly id: number; readonly step: string; readonly force: boolean },
): Step<unknown> {
  return {
    step,
    method: "vm.delete",
    makes: `VM ${vmName}, id ${id}`,
    call: () => writer().call("vm.delete", [id, { zvols: false, force }]),
    verify: async () => await fetchVm(caller, id) === null || null,
    passes,
    detail: () => `id ${id} removed`,
  };
}

/** A VM to start. */
export interface VmToStart {
  readonly id: number;
  readonly memoryMib: number;
  /** Starts even if the NAS is short of memory. */
  readonly overcommit: boolean;
  /** Ends a wait for memory that is kept for another VM. */
  readonly cancel?: AbortSignal;
}

/** Starts a VM; if the NAS refuses because an image is missing, the error names the image and the remedy. */
export async function startVm(
  { caller, memory, vmName }: StepContext & { readonly memory: VmMemory },
  { id, memoryMib, overcommit, cancel }: VmToStart,
): Promise<void> {
  try {
    if (overcommit) await caller.call("vm.start", [id, { overcommit: true }]);
    else await memory.start(memoryMib, () => caller.call("vm.start", [id]), cancel);
  } catch (cause) {
    if (!(cause instanceof TrueNASCallError)) throw cause;
    const missing = await missingImages(caller, id).catch(() => []);
    if (missing.length === 0) throw cause;
    const message = `${vmName} was not started because ${describeMissing(missing)} on the NAS; ` +
      `remove the install image on the VM's page, or restore the file (TrueNAS: "${cause.refusal.reason}")`;
    throw new TrueNASError(message, { method: "vm.start", cause });
  }
}

/** Waits for the effect of a call that the NAS reported as successful. */
export async function expectEffect<T>(
  { caller, settle, vmName }: StepContext,
  { id, method, verify }: {
    readonly id: number;
    readonly method: MethodName;
    readonly verify: () => Promise<T | null>;
  },
): Promise<T> {
  const result = await pollUntil(verify, settle);
  if (result !== null) return result;
  const state = (await fetchVm(caller, id))?.state.toLowerCase() ?? "no longer on the NAS";
  throw new TrueNASError(
    `TrueNAS reported success for ${method}, but ${vmName} is ${state}; check the VM in TrueNAS`,
    { method },
  );
}

/**
 * Checks before a restart shuts the VM down, because TrueNAS does not start a VM with a missing image.
 *
 * @throws {TrueNASError} when an image is missing.
 */
export async function expectImages({ caller, vmName }: StepContext, id: number): Promise<void> {
  const missing = await missingImages(caller, id);
  if (missing.length === 0) return;
  const why = `${vmName} could not start again because ${describeMissing(missing)} on the NAS`;
  throw new TrueNASError(
    `${why}. It was not shut down and keeps running; restore the file, or shut it down and remove the install image`,
  );
}

async function missingImages(caller: Caller, id: number): Promise<readonly string[]> {
  const vm = await fetchVm(caller, id);
  return await readMissingFiles(caller, (vm?.cdroms ?? []).map(({ path }) => path));
}

function describeMissing(images: readonly string[]): string {
  return images.length === 1
    ? `its image ${images[0]} no longer exists`
    : `its images ${images.join(", ")} no longer exist`;
}
