/**
 * What every operation does for each of its VMs: run the steps in order, skip what is still pending once one failed, and
 * report one result.
 */
import { TrueNASError } from "../../errors/errors.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { fetchVm } from "../../truenas/batched_reads.ts";
import type { Caller } from "../../truenas/client.ts";
import type { VmRow } from "../../truenas/method_types.ts";
import { vmQuery } from "../../truenas/methods.ts";
import type { VmMemory } from "../limits/memory_reservation.ts";
import { NotSent } from "../limits/call_limiter.ts";
import type { VmOutcome } from "../types.ts";
import {
  Cancelled,
  describeError,
  type OperationContext,
  skipStep,
  type StepContext,
  StepFailure,
} from "./run_step.ts";

/** What all VMs of an operation share, so that their simultaneous reads become one call. */
export interface VmContext extends OperationContext {
  /** Its queued writes are dropped when the user cancels. */
  readonly cancellable: Caller;
  readonly memory: VmMemory;
  readonly signal: AbortSignal;
}

/** The result of one VM. */
export interface VmResult {
  readonly outcome: VmOutcome;
  readonly message?: string;
  readonly vmId?: number;
}

/** Why the work on a VM ended early. */
export interface VmFailure {
  /** A sentence without a period. */
  readonly message: string;
  /** Whether the user, or the failure of another VM, stopped it. */
  readonly cancelled: boolean;
  readonly cause: unknown;
}

/** The work on one VM. */
export interface VmWork {
  /** The VM's id, for the log. */
  readonly id?: number;
  /** Runs the steps in order; the first that fails ends it. */
  readonly run: () => Promise<VmResult>;
  /** Rolls back where the operation does so, and returns the result. */
  readonly onFailure: (failure: VmFailure) => VmResult | Promise<VmResult>;
}

/**
 * Runs the work on one VM. The log contains the result; what was not run is marked as skipped. When nobody waits for the NAS
 * any longer, everything stays as it is until somebody decides.
 */
export async function runVm(
  context: Pick<StepContext, "log" | "vmName" | "outages">,
  { id, run, onFailure }: VmWork,
): Promise<void> {
  const result = await run().catch((error) => {
    skipPending(context);
    const { givenUp } = context.outages;
    if (givenUp === null) return onFailure(describeFailure(error));
    return { outcome: "interrupted" as const, message: `${givenUp}. Nothing more was sent` };
  });
  skipPending(context);
  const vmId = id === undefined ? {} : { vmId: id };
  context.log.append({ type: "vm", vm: context.vmName, ...vmId, ...result });
}

function skipPending(context: Pick<StepContext, "log" | "vmName">): void {
  const { steps = [] } = context.log.view.vms.find(({ name }) => name === context.vmName) ?? {};
  for (const { step, status } of steps) if (status === "pending") skipStep(context, { step });
}

function describeFailure(error: unknown): VmFailure {
  if (error instanceof Cancelled) return { message: error.message, cancelled: true, cause: error };
  if (error instanceof NotSent) return { message: "Cancelled", cancelled: true, cause: error };
  const cause = error instanceof StepFailure ? error.cause : error;
  return { message: describeError(cause).message, cancelled: false, cause };
}

/** Finds a VM again, whatever its current name: by the uuid chosen for it, or by its id when it already existed. */
export async function findVm(
  caller: Caller,
  { uuid, vmId }: { readonly uuid: string | null; readonly vmId: number | null },
): Promise<VmRow | null> {
  if (uuid === null && vmId === null) return null;
  const filter = uuid === null ? ["id", "=", vmId] as const : ["uuid", "=", uuid] as const;
  return (await caller.call("vm.query", vmQuery(filter)))[0] ?? null;
}

/**
 * Reads a VM again that the user saw.
 *
 * @throws {TrueNASError} when it no longer exists, or when another VM or name was shown.
 */
export async function expectVm(
  caller: Caller,
  { id, name, uuid = null }: { readonly id: number; readonly name: string; readonly uuid?: string | null },
): Promise<Vm> {
  const found = await fetchVm(caller, id);
  if (found === null || (uuid !== null && found.uuid !== uuid)) {
    throw new TrueNASError(`${name} no longer exists. Nothing was changed`);
  }
  if (found.name === name) return found;
  throw new TrueNASError(
    `${name} was renamed to ${found.name}. Nothing was changed; check the VM and try again`,
  );
}

/** Describes what is left on the NAS; `unread` says why zvols could not be read. */
export function describeLeft(names: readonly string[], unread: string | null): string {
  const left = names.length === 0 ? "Nothing is left on the NAS" : `Left on the NAS: ${names.join(", ")}`;
  return unread === null ? left : `${left}; zvols could not be read because ${unread}`;
}
