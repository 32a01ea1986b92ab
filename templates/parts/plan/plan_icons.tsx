/** How a plan shows what it does with a VM: as sign, word and tone. */
import type { PlannedAction } from "../../../lib/plan/types.ts";
import { Icon, PlanIcon, type PlanSign, Shape } from "../icons.tsx";

/** Columns of the table. */
export const COLUMNS = 8;

/** Everything that a row of the plan can say, in the order of the sums. */
export const ACTIONS = {
  create: { tone: "planned", sign: "create", word: "Create", sum: "to create" },
  complete: { tone: "planned", sign: "create", word: "Complete", sum: "to complete" },
  change: { tone: "warn", sign: "change", word: "Change", sum: "to change" },
  replace: { tone: "bad", sign: "replace", word: "Replace", sum: "to replace" },
  blocked: { tone: "bad", sign: "blocked", word: "Blocked", sum: "blocked" },
  keep: { tone: "quiet", sign: "keep", word: "Keep", sum: "to keep" },
  surplus: { tone: "quiet", sign: "surplus", word: "Surplus", sum: "surplus, not touched" },
} as const satisfies Record<PlannedAction | "surplus", {
  readonly tone: string;
  readonly sign: PlanSign | "blocked" | "surplus";
  readonly word: string;
  readonly sum: string;
}>;

/** The sign of an action; its word stands beside it. */
export function ActionSign({ action }: { action: keyof typeof ACTIONS }) {
  const { sign } = ACTIONS[action];
  if (sign === "blocked") return <Shape name="bad" />;
  return sign === "surplus" ? <Icon name="minus" /> : <PlanIcon name={sign} />;
}
