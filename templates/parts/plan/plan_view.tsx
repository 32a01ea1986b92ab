/** A creation plan, like a diff: what would be done with each VM, and what prevents it. */
import type { CreationPlan, Finding } from "../../../lib/plan/types.ts";
import { describeTotals } from "../../../lib/plan/description.ts";
import { MIB } from "../../../lib/units.ts";
import { CapacityStrip, type CapacityView } from "../capacity.tsx";
import { Notice } from "../common.tsx";
import { unbroken } from "../said.tsx";
import { ACTIONS, ActionSign } from "./plan_icons.tsx";
import { PlanGroup } from "./plan_rows.tsx";
import type { PlanSelection } from "./selection.ts";

/** What the plan is shown with. */
export interface PlanViewProps {
  readonly plan: CreationPlan;
  /** What the NAS has; null while that is not known. */
  readonly capacity: CapacityView | null;
  /** What is ticked; null where nothing can be selected. */
  readonly selection?: PlanSelection | null;
}

/** The plan, shown above its form, with what the NAS has. */
export function PlanView({ plan, capacity, selection = null }: PlanViewProps) {
  const { vms, surplus, findings, totals } = plan;
  const taken = { memoryBytes: totals.memoryMib * MIB, diskBytes: totals.zvolBytes };
  const isEmpty = vms.length === 0 && surplus.length === 0;
  return (
    <section id="plan" class="stack" aria-labelledby="plan-heading" data-plan={plan.fingerprint}>
      <h2 id="plan-heading">
        {vms.length === 0 ? "The plan is empty" : headingOf(plan)}
      </h2>
      {vms.length === 0
        ? <p>Every count is 0, so there is nothing to create. Raise a count below.</p>
        : <Sums plan={plan} />}
      {totals.vms === 0 ? null : <CapacityStrip capacity={capacity} plan={taken} />}
      <Warnings findings={findings} />
      {isEmpty ? null : <PlanTable plan={plan} selection={selection} />}
    </section>
  );
}

function headingOf(plan: CreationPlan): string {
  const text = describeTotals(plan);
  return plan.totals.vms === 0 ? `${text.charAt(0).toUpperCase()}${text.slice(1)}` : `Plan: ${text}`;
}

function Sums({ plan: { vms, surplus } }: { plan: CreationPlan }) {
  const actions = [...vms, ...surplus.map(() => ({ action: "surplus" as const }))];
  return (
    <p class="sums">
      {Object.entries(ACTIONS).map(([action, { tone, sum }]) => {
        const count = actions.filter((vm) => vm.action === action).length;
        return count === 0 ? null : (
          <span class={`sum ${tone}`}>
            <ActionSign action={action as keyof typeof ACTIONS} />
            <span>
              <b>{count}</b> {sum}
            </span>
          </span>
        );
      })}
    </p>
  );
}

/** Errors are in the summary above the form and at their fields, so only warnings appear here. */
function Warnings({ findings }: { findings: readonly Finding[] }) {
  const warnings = findings.filter(({ severity }) => severity === "warning");
  if (warnings.length === 0) return null;
  return (
    <Notice tone="warn">
      <ul>{warnings.map(({ message }) => <li>{unbroken(message)}</li>)}</ul>
    </Notice>
  );
}

function PlanTable({ plan, selection }: { plan: CreationPlan; selection: PlanSelection | null }) {
  const types = new Set([...plan.vms, ...plan.surplus].map(({ type }) => type));
  return (
    <table class="table plan">
      <caption class="visually-hidden">What the plan does to each VM</caption>
      <thead>
        <tr>
          <th scope="col" class="c-sign">Plan</th>
          <th scope="col">VM</th>
          <th scope="col" class="num c-hide">vCPUs</th>
          <th scope="col" class="num">Memory</th>
          <th scope="col">Disks</th>
          <th scope="col">Networks</th>
          <th scope="col" class="c-hide">Install image</th>
          <th scope="col" class="num c-hide">Display</th>
        </tr>
      </thead>
      {[...types].map((type) => <PlanGroup type={type} plan={plan} selection={selection} />)}
    </table>
  );
}
