/** What is disturbed in the faults of checkpoints, also in the process that is killed. */
import type { OperationView } from "../../../lib/operations/types.ts";
import type { VMManager } from "../../../lib/vm_manager.ts";

/** The kinds of work. */
export const WORKS = ["take", "roll back", "remove"] as const;

/** A kind of work. */
export type Work = typeof WORKS[number];

/** Takes, rolls back to or removes the checkpoint `first` of the workers; null when it was not started. */
export async function carryOut(work: Work, { checkpoints }: VMManager): Promise<OperationView | null> {
  const started = await start(work, checkpoints);
  return started.started ? await started.operation.finished : null;
}

async function start(work: Work, checkpoints: VMManager["checkpoints"]) {
  if (work === "take") {
    const wish = { name: "first", note: "all well", shutdown: true, select: { types: ["worker"] } };
    return await checkpoints.startCheckpoint(wish, (await checkpoints.planCheckpoint(wish)).fingerprint);
  }
  if (work === "remove") {
    return await checkpoints.startRemoval("first", (await checkpoints.planRemoval("first")).fingerprint);
  }
  const request = { checkpoint: "first", names: null, discardNewer: true };
  return await checkpoints.startRollback(request, (await checkpoints.planRollback(request)).fingerprint);
}
