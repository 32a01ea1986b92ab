/** What an operation that creates VMs does with each: it can also change or replace those that exist. Pure. */
import type { OperationVmView } from "./types.ts";

/** What is done with a VM. */
export type VmWork = "create" | "change" | "replace";

/** What is done with a VM; null when nothing is, because it is as it should be or cannot be made so. */
export function workOn({ steps, outcome }: Pick<OperationVmView, "steps" | "outcome">): VmWork | null {
  if (outcome === "changed") return "change";
  if (outcome === "replaced") return "replace";
  const names = steps.map(({ step }) => step).filter((step) => !step.startsWith("undo-"));
  if (names.length === 0) return null;
  if (names.includes("remove")) return "replace";
  // A VM that is created is not shut down, and devices of others are changed by steps of their own.
  const isChanged = names.some((step) => step === "stop" || /^(change|remove)(-|$)/.test(step));
  return isChanged ? "change" : "create";
}
