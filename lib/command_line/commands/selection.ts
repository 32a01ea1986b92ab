/** What `create` does about VMs that exist and differ, according to its options. */
import { ConfigurationError } from "../../errors/errors.ts";
import { NOTHING_CHANGED, type Reconciling } from "../../plan/changes.ts";
import { selectionProblems } from "../../plan/reconciling.ts";
import type { CreationPlan, PlannedVm } from "../../plan/types.ts";
import { formatCount } from "../../units.ts";
import type { Options } from "../arguments.ts";

/** The options that select. */
export type Selecting = Pick<Options, "yes" | "atNextStart" | "restart" | "replace">;

/**
 * What is done about the VMs of a plan: without --yes nothing but replacing the VMs that are named.
 *
 * @throws {ConfigurationError} naming each VM that cannot be replaced.
 */
export function selectionOf(
  plan: CreationPlan,
  { yes, atNextStart, restart, replace }: Selecting,
): Reconciling {
  const mayChange = ({ action, state }: PlannedVm) =>
    action === "change" && yes && (state === "STOPPED" || atNextStart || restart !== undefined);
  const selection = {
    ...NOTHING_CHANGED,
    change: plan.vms.filter(mayChange).map(({ name }) => name),
    running: restart === undefined ? "at-next-start" as const : "restart" as const,
    atATime: restart ?? 1,
    replace,
  };
  const problems = selectionProblems(plan, selection).map((problem) => ({ ...problem, field: "--replace" }));
  if (problems.length > 0) throw new ConfigurationError("create", problems);
  return selection;
}

/** How to have changed what is not selected; null when everything is. */
export function describeUnselected({ vms }: CreationPlan, { change, replace }: Reconciling): string | null {
  const left = vms.filter(({ name, action }) => action === "change" && !change.includes(name));
  const stopped = left.filter(({ state }) => state === "STOPPED").length;
  const running = left.length - stopped;
  const kept = vms.filter(({ name, action }) => action === "replace" && !replace.includes(name));
  const hints = [
    ...(stopped === 0 ? [] : [`${formatCount(stopped, "stopped VM")}: add --yes`]),
    ...(running === 0
      ? []
      : [`${formatCount(running, "running VM")}: add --yes and --at-next-start or --restart`]),
    ...kept.map(({ name }) => `${name}, which only replacing settles: add --replace ${name}`),
  ];
  return hints.length === 0 ? null : `Left as they are: ${hints.join("; ")}`;
}
