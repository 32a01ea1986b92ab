/** Removes one unused zvol that this program created: checks it first, and verifies that it is gone. */
import { TrueNASError } from "../../errors/errors.ts";
import type { OrphanZvol } from "../../plan/orphans.ts";
import type { Caller } from "../../truenas/client.ts";
import { fetchDatasets } from "../../truenas/batched_reads.ts";
import { readVms } from "../../truenas/read_inventory.ts";
import { formatBytes } from "../../units.ts";
import { NotSent } from "../limiter.ts";
import type { UndoContext } from "./roll_back.ts";
import { describeError, runStep, StepFailure } from "./run_step.ts";
import { expectAsShown, hasSnapshots, removeLoneZvol, removeSnapshots } from "./zvol_removal.ts";

/** The steps, in order. */
export function zvolRemovalSteps(zvol: OrphanZvol): readonly string[] {
  return ["look", ...(hasSnapshots([zvol]) ? ["snapshots"] : []), "delete", "check"];
}

/** What removing a zvol needs. */
export interface RemovalContext extends UndoContext {
  /** Its queued writes are dropped when the user cancels. */
  readonly cancellable: Caller;
  /** Resolves when the zvols that must be removed first have finished. */
  readonly after: Promise<unknown>;
  readonly signal: AbortSignal;
}

/** Removes the zvol. Never throws; the log contains the result. */
export async function removeZvol(context: RemovalContext, zvol: OrphanZvol): Promise<void> {
  const { log } = context;
  const finish = (outcome: "destroyed" | "already-gone" | "failed" | "cancelled", message: string) => {
    const steps = log.view.vms.find(({ name }) => name === zvol.name)?.steps ?? [];
    for (const { step } of steps.filter(({ status }) => status === "pending")) {
      log.append({ type: "step", vm: zvol.name, step, status: "skipped" });
    }
    log.append({ type: "vm", vm: zvol.name, outcome, message });
  };
  const cancelled = () => finish("cancelled", "Cancelled; the zvol was not changed");
  if (zvol.blocked.length > 0) {
    return finish("failed", `Not removed: ${zvol.blocked.join("; ")}`);
  }
  await context.after;
  if (context.signal.aborted) return cancelled();
  try {
    if (!await isThere(context, zvol)) return finish("already-gone", "Already gone");
    await remove(context, zvol);
    finish("destroyed", await check(context, zvol));
  } catch (error) {
    if (error instanceof NotSent) return cancelled();
    finish("failed", error instanceof StepFailure ? error.logged.message : describeError(error).message);
  }
}

/** Whether it is still what was shown: same mark, not used by a VM, and without new dependents. */
async function isThere({ caller, log, settle }: UndoContext, zvol: OrphanZvol): Promise<boolean> {
  return await runStep(log, {
    vm: zvol.name,
    step: "look",
    method: "pool.dataset.query",
    run: async () => {
      const [found, vms] = await Promise.all([fetchDatasets(caller, [zvol.name]), readVms(caller)]);
      if (!found.known) {
        throw new TrueNASError(`The zvol could not be read because ${found.because}. It was not changed`);
      }
      const user = vms.find(({ disks }) => disks.some((disk) => disk.zvol === zvol.name));
      if (user !== undefined) throw new TrueNASError(`${user.name} now uses the zvol. It was not changed`);
      const [dataset] = found.value;
      if (dataset === undefined) return false;
      if (JSON.stringify(dataset.mark) !== JSON.stringify(zvol.mark)) {
        throw new TrueNASError(
          "The zvol has changed since the list was shown. It was not removed; open Orphans again",
        );
      }
      await expectAsShown(caller, [zvol], "it");
      return true;
    },
    verify: null,
    detail: (there) => there ? "in no VM" : "gone already",
  }, settle);
}

async function remove({ caller, cancellable, log, settle }: RemovalContext, zvol: OrphanZvol): Promise<void> {
  let removed = false;
  const removal = {
    caller,
    log,
    settle,
    writer: () => removed ? caller : cancellable,
    onRemoved: () => removed = true,
  };
  await removeSnapshots(removal, zvol.name, [zvol]);
  await runStep(log, {
    vm: zvol.name,
    step: "delete",
    method: "pool.dataset.delete",
    makes: zvol.name,
    run: () => removeLoneZvol(removal, zvol),
    verify: null,
    detail: () => zvol.sizeBytes === null ? "the zvol" : formatBytes(zvol.sizeBytes),
  }, settle);
}

async function check({ caller, log, settle }: UndoContext, { name }: OrphanZvol): Promise<string> {
  return await runStep(log, {
    vm: name,
    step: "check",
    method: "pool.dataset.query",
    run: async () => {
      const seen = await fetchDatasets(caller, [name]);
      if (!seen.known) {
        return `The NAS reported that it was removed, which could not be verified because ${seen.because}`;
      }
      if (seen.value.length === 0) return "Removed";
      throw new TrueNASError(`${name} still exists`);
    },
    verify: null,
    detail: (said) => said,
  }, settle);
}
