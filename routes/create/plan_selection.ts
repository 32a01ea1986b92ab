/** Reads what was ticked in a plan. What cannot be carried out is shown again as it was typed. */
import type { Problem } from "../../lib/errors/errors.ts";
import { parseWholeNumber } from "../../lib/inputs.ts";
import type { Reconciling } from "../../lib/plan/changes.ts";
import type { CreationPlan } from "../../lib/plan/types.ts";
import { replacingPhrase } from "../../lib/plan/work.ts";
import { type PlanSelection, usualSelection } from "../../templates/parts/plan/selection.ts";

/** A type has so many VMs at most. */
const MOST_AT_A_TIME = 99;

/** What is to be done, or what is wrong with the selection. */
export type ReadSelection =
  | { readonly ok: true; readonly reconcile: Reconciling }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** What a confirmed form selects. */
export function readSelection(fields: URLSearchParams): ReadSelection {
  const typed = typedIn(fields);
  const { change, replace, running } = typed;
  const atATime = running === "restart"
    ? parseWholeNumber(typed.atATime, { lowest: 1, highest: MOST_AT_A_TIME })
    : 1;
  const problems: Problem[] = [];
  if (atATime === null) {
    problems.push({ field: "at-a-time", message: `Enter a whole number from 1 to ${MOST_AT_A_TIME}` });
  }
  const phrase = replacingPhrase(replace.length);
  if (replace.length > 0 && typed.phrase.toLowerCase() !== phrase) {
    const message = `The phrase did not match. Nothing was changed. Type ${phrase} to confirm`;
    problems.push({ field: "phrase", message });
  }
  const isNothing = fields.get("creates") === "0" && change.length + replace.length === 0;
  if (isNothing) problems.push({ field: "", message: "Nothing is ticked. Tick the VMs to change" });
  if (atATime === null || problems.length > 0) return { ok: false, problems };
  return { ok: true, reconcile: { change, running, atATime, replace } };
}

/** What is ticked when a plan is shown again; VMs that the form did not offer have their usual tick. */
export function shownSelection(
  fields: URLSearchParams,
  plan: CreationPlan,
  problems: readonly Problem[] = [],
): PlanSelection {
  const typed = typedIn(fields);
  const offered = fields.getAll("offered");
  const usual = usualSelection(plan);
  const ticked = (action: "change" | "replace") => {
    const names = plan.vms.filter((vm) => vm.action === action).map(({ name }) => name);
    return names.filter((name) => (offered.includes(name) ? typed : usual)[action].includes(name));
  };
  return { ...typed, change: ticked("change"), replace: ticked("replace"), problems };
}

function typedIn(fields: URLSearchParams): Omit<PlanSelection, "problems"> {
  return {
    change: [...new Set(fields.getAll("change"))],
    replace: [...new Set(fields.getAll("replace"))],
    running: fields.get("running") === "restart" ? "restart" : "at-next-start",
    atATime: fields.get("at-a-time")?.trim() ?? "1",
    phrase: fields.get("phrase")?.trim() ?? "",
  };
}
