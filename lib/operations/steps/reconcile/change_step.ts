/** The steps that change an existing VM, and those that restore its former values. */
import { TrueNASCallError, TrueNASError } from "../../../errors/errors.ts";
import type { PlannedChange } from "../../../plan/changes.ts";
import type { ChangeStep } from "../../../plan/reconciling.ts";
import type { Step } from "../run_step.ts";
import { isRefusedBeforeEffect } from "../zvol_creation.ts";
import type { ChangeContext, Present } from "./effect.ts";
import { effectOf, withFormerValues } from "./effects.ts";

/** Changes that were made, or may have been, by step. */
export type MadeChanges = Map<string, PlannedChange>;

/**
 * Makes a change, if the NAS still has the value that the plan saw. `made` has the change from before its call until it
 * certainly had no effect.
 */
export function changeStep(
  context: ChangeContext,
  { step, change, what }: ChangeStep,
  made: MadeChanges,
): Step<string> {
  const { existing: { id, name, uuid } } = context;
  const effect = effectOf(context, change);
  let isThere = false;
  const read = async () => await effect.read() === "new" ? what.join(", ") : null;
  made.set(step, change);
  return {
    step,
    method: effect.method,
    makes: what.join(", "),
    evidence: () => {
      const changed = made.get(step);
      return changed === undefined ? null : { vmId: id, changed, ...(uuid === null ? {} : { ofUuid: uuid }) };
    },
    precondition: async () => {
      try {
        const present = await effect.read();
        isThere = present === "new";
        expectOld(present, name);
        made.set(step, await withFormerValues(context, change));
      } catch (error) {
        made.delete(step);
        throw error;
      }
    },
    call: async (calls) => {
      // Somebody else has made it, so nobody takes it back.
      if (isThere) made.delete(step);
      if (made.get(step) !== change) await calls.next(effect.method);
      if (isThere) return `${what.join(", ")}, which it had already`;
      try {
        await effect.apply(calls);
        return what.join(", ");
      } catch (error) {
        if (isCertain(error) && await hasOldValue(effect.read)) made.delete(step);
        throw error;
      }
    },
    verify: read,
    detail: (text) => text,
  };
}

/** The result of a step that has restored a value. */
export const RESTORED = "restored";

/** Restores a former value; what somebody else has changed since is left. */
export function undoStep(
  context: ChangeContext,
  { step, change }: { readonly step: string; readonly change: PlannedChange },
): Step<string> {
  const effect = effectOf(context, change);
  return {
    step: `undo-${step}`,
    method: effect.method,
    call: async (calls) => {
      const present = await effect.read();
      if (present === "old") return "was not changed";
      if (typeof present === "object") {
        throw new TrueNASError(`${present.other}, which somebody else has set since; it was left`);
      }
      if (effect.revert === null) throw new TrueNASError(effect.stays ?? "It cannot be taken back");
      await effect.revert(calls);
      return RESTORED;
    },
    verify: async () => await effect.read() === "old" ? RESTORED : null,
    detail: (text) => text,
  };
}

function expectOld(present: Present, name: string): void {
  if (typeof present !== "object") return;
  throw new TrueNASError(
    `${name} was changed by somebody else: ${present.other} now. Nothing was overwritten; plan again`,
  );
}

/** Whether the NAS has certainly refused a call. */
function isCertain(error: unknown): boolean {
  return error instanceof TrueNASCallError || isRefusedBeforeEffect(error);
}

/** A refusal without fields can come after a part was done; only the NAS knows. */
async function hasOldValue(read: () => Promise<Present>): Promise<boolean> {
  return await read().then((present) => present === "old", () => false);
}
