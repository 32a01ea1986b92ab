/** Restores a VM whose change failed, or is rolled back later from the journal: to the values from before, in reverse order. */
import { TrueNASError } from "../../../errors/errors.ts";
import { reasonOf } from "../../../errors/system_errors.ts";
import { fetchVm } from "../../../truenas/batched_reads.ts";
import type { PlannedChange } from "../../../plan/changes.ts";
import type { CreatedResources } from "../created_resources.ts";
import { rollBack } from "../roll_back.ts";
import { runStep, StepFailure } from "../run_step.ts";
import type { VmResult } from "../run_vm.ts";
import { type MadeChanges, RESTORED, undoStep } from "./change_step.ts";
import { effectOf } from "./effects.ts";
import { type PowerContext, startAgainStep } from "./power_steps.ts";

/** What an operation has changed in a VM, or may have. */
export interface ChangedResources {
  /** Devices that were added. */
  readonly created: CreatedResources;
  readonly made: MadeChanges;
  /** Whether it was shut down for them and not started again. */
  isDown: boolean;
}

/** A change that ended early. */
export interface Unfinished {
  readonly changed: ChangedResources;
  /** The reason, as a sentence without a period. */
  readonly why: string;
  readonly cancelled: boolean;
  /** Whether what was changed is kept, as the user asked. */
  readonly keep: boolean;
  /** Starts even if the NAS is short of memory. */
  readonly overcommit: boolean;
}

/** Restores the VM, or keeps it as it is. Never throws; the result says what was restored and what is left. */
export async function endUnfinished(context: PowerContext, unfinished: Unfinished): Promise<VmResult> {
  const { changed, why, cancelled, keep, overcommit } = unfinished;
  const { id: vmId } = context.existing;
  if (keep) {
    const down = await startIfDown(context, changed, overcommit);
    const message = [`${why}. What was changed was kept as requested`, ...down].join(". ");
    return { outcome: cancelled ? "cancelled-kept" : "left-behind", message, vmId };
  }
  const { restored, removed, stays, left } = await restore(context, unfinished);
  const down = await startIfDown(context, changed, overcommit);
  const parts = [
    why,
    ...(restored.length === 0 ? [] : [`Changed back: ${restored.join(", ")}`]),
    ...removed,
    ...stays,
    ...left,
    ...down,
  ];
  if (left.length + down.length > 0) return { outcome: "left-behind", message: parts.join(". "), vmId };
  if (restored.length + removed.length + stays.length === 0) {
    return { outcome: cancelled ? "cancelled" : "failed", message: `${why}. Nothing was changed`, vmId };
  }
  return { outcome: cancelled ? "cancelled" : "rolled-back", message: parts.join(". "), vmId };
}

interface Restored {
  /** What has its former value again. */
  readonly restored: readonly string[];
  /** What was added and removed again, as sentences without a period. */
  readonly removed: readonly string[];
  /** What can never be taken back, as sentences without a period. */
  readonly stays: readonly string[];
  /** What could not be restored, as sentences without a period. */
  readonly left: readonly string[];
}

async function restore(context: PowerContext, { changed, why, cancelled }: Unfinished): Promise<Restored> {
  const { created, made } = changed;
  const { log, vmName: vm } = context;
  const restored: string[] = [];
  const removed: string[] = [];
  const stays: string[] = [];
  const left: string[] = [];
  for (const [step, change] of [...made].toReversed().filter(([, it]) => it.kind === "grow")) {
    const { read, stays: text = "" } = effectOf(context, change);
    const present = await read().catch(() => "new" as const);
    if (present !== "old") stays.push(text);
    else made.delete(step);
  }
  if (created.devices.size + created.zvols.size > 0) {
    const { outcome, message = "" } = await rollBack(context, { created, why, cancelled });
    const what = message.replace(`${why}. `, "");
    if (outcome === "left-behind") left.push(what);
    else if (!/^Nothing/.test(what)) removed.push(what.replace(/; nothing is left$/, ""));
  }
  for (const [step, change] of [...made].toReversed()) {
    if (change.kind === "grow") continue;
    try {
      if (await runStep(context, undoStep(context, { step, change })) === RESTORED) {
        restored.push(namesOf(change));
      }
      if (
        log.view.vms.some((it) =>
          it.name === vm && it.steps.some((s) => s.step === step && s.status === "done")
        )
      ) {
        log.append({ type: "step", vm, step, status: "rolled-back" });
      }
    } catch (error) {
      left.push(
        `${namesOf(change)} was not changed back: ${
          reasonOf(error instanceof StepFailure ? error.cause : error)
        }`,
      );
    }
  }
  return { restored, removed, stays, left };
}

/** What a change is about, in a word or a few. */
function namesOf(change: PlannedChange): string {
  switch (change.kind) {
    case "settings":
      return Object.keys(change.set).join(", ");
    case "order":
      return "the boot order";
    case "reservation":
      return `the space of ${change.device}`;
    default:
      return change.device;
  }
}

/** Starts a VM that ran before; returns why it is off, as a sentence without a period. */
async function startIfDown(
  context: PowerContext,
  changed: ChangedResources,
  overcommit: boolean,
): Promise<readonly string[]> {
  if (!changed.isDown) return [];
  const { caller, existing: { id, name } } = context;
  try {
    const found = await fetchVm(caller, id);
    if (found === null) throw new TrueNASError(`${name} no longer exists`);
    if (found.state === "STOPPED") {
      await runStep(
        context,
        startAgainStep(context, { step: "undo-stop", memoryMib: found.memoryMib, overcommit }),
      );
    }
    changed.isDown = false;
    return [];
  } catch (error) {
    const why = reasonOf(error instanceof StepFailure ? error.cause : error);
    return [`${name} is off and did not start again: ${why}. Start it on its page`];
  }
}
