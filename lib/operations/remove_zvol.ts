/** Removes one zvol that this program made and nobody uses, after looking at it again, and proves that it is gone. */
import { TrueNASError } from "../errors.ts";
import type { OrphanZvol } from "../plan/orphans.ts";
import type { Caller } from "../truenas/client.ts";
import { lookAtDatasets } from "../truenas/looks.ts";
import { readVms } from "../truenas/read_inventory.ts";
import { formatBytes } from "../units.ts";
import { NotSent } from "./pace.ts";
import type { UndoContext } from "./roll_back.ts";
import { describeError, runStep, StepFailure } from "./steps.ts";

/** The steps, in order. */
export const REMOVAL_STEPS = ["look", "delete", "check"] as const;

/** What the removal of a zvol works with. */
export interface RemovalContext extends UndoContext {
  /** Its writes that still wait for their turn are given up when the person cancels. */
  readonly going: Caller;
  readonly signal: AbortSignal;
}

/** Removes it. It never throws: the log tells what became of it. */
export async function removeZvol(context: RemovalContext, zvol: OrphanZvol): Promise<void> {
  const { log } = context;
  const finish = (outcome: "destroyed" | "already-gone" | "failed" | "cancelled", message: string) =>
    log.append({ type: "vm", vm: zvol.name, outcome, message });
  if (context.signal.aborted) {
    for (const step of REMOVAL_STEPS) log.append({ type: "step", vm: zvol.name, step, status: "skipped" });
    return void finish("cancelled", "It was cancelled; nothing was done to it");
  }
  try {
    if (!await isThere(context, zvol)) {
      log.append({ type: "step", vm: zvol.name, step: "delete", status: "skipped" });
      log.append({ type: "step", vm: zvol.name, step: "check", status: "skipped" });
      return void finish("already-gone", "It was gone already");
    }
    await remove(context, zvol);
    await check(context, zvol);
    finish("destroyed", "It is gone");
  } catch (error) {
    const steps = log.view.vms.find(({ name }) => name === zvol.name)?.steps ?? [];
    for (const { step } of steps.filter(({ status }) => status === "pending")) {
      log.append({ type: "step", vm: zvol.name, step, status: "skipped" });
    }
    if (error instanceof NotSent) return void finish("cancelled", "It was cancelled; nothing was done to it");
    finish("failed", error instanceof StepFailure ? error.logged.message : describeError(error).message);
  }
}

/** Whether it is still what was shown: the same mark, and in no VM. */
async function isThere({ caller, log, settle }: UndoContext, zvol: OrphanZvol): Promise<boolean> {
  return await runStep(log, {
    vm: zvol.name,
    step: "look",
    method: "pool.dataset.query",
    run: async () => {
      const [found, vms] = await Promise.all([lookAtDatasets(caller, [zvol.name]), readVms(caller)]);
      if (!found.known) throw new TrueNASError(`It cannot be looked at, because ${found.because}`);
      const user = vms.find(({ disks }) => disks.some((disk) => disk.zvol === zvol.name));
      if (user !== undefined) throw new TrueNASError(`${user.name} uses it now; nothing was done to it`);
      const [dataset] = found.value;
      if (dataset === undefined) return false;
      if (JSON.stringify(dataset.mark) === JSON.stringify(zvol.mark)) return true;
      throw new TrueNASError("It is not what was shown any more; nothing was done to it");
    },
    look: null,
    detail: (there) => there ? "in no VM" : "gone already",
  }, settle);
}

async function remove(
  { caller, going, log, settle }: RemovalContext,
  { name, sizeBytes }: OrphanZvol,
): Promise<void> {
  await runStep(log, {
    vm: name,
    step: "delete",
    method: "pool.dataset.delete",
    makes: name,
    run: () => going.call("pool.dataset.delete", [name, { recursive: true }]),
    look: async () => {
      const seen = await lookAtDatasets(caller, [name]);
      return seen.known && seen.value.length === 0 || null;
    },
    detail: () => sizeBytes === null ? "the zvol" : formatBytes(sizeBytes),
  }, settle);
}

async function check({ caller, log, settle }: UndoContext, { name }: OrphanZvol): Promise<void> {
  await runStep(log, {
    vm: name,
    step: "check",
    method: "pool.dataset.query",
    run: async () => {
      const seen = await lookAtDatasets(caller, [name]);
      if (!seen.known || seen.value.length === 0) return true;
      throw new TrueNASError(`${name} is still there`);
    },
    look: null,
    detail: () => "nothing is left",
  }, settle);
}
