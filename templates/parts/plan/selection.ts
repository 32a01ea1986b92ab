/** What is ticked and typed on the page of a plan. */
import type { Reconciling } from "../../../lib/plan/changes.ts";
import type { CreationPlan } from "../../../lib/plan/types.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { isStopped } from "./plan_words.ts";

/** The selection, with what was typed as it was typed. */
export interface PlanSelection extends Omit<Reconciling, "atATime"> {
  readonly atATime: string;
  readonly phrase: string;
  /** What is wrong with it. */
  readonly problems: readonly Problem[];
}

/** Before a person chose: stopped VMs are changed, running ones stay as they are, and nothing is replaced. */
export function usualSelection({ vms }: CreationPlan, only: string | null = null): PlanSelection {
  const change = vms.filter((vm) =>
    vm.action === "change" && (only === null ? isStopped(vm) : vm.name === only)
  );
  return {
    change: change.map(({ name }) => name),
    running: "at-next-start",
    atATime: "1",
    replace: [],
    phrase: "",
    problems: [],
  };
}
