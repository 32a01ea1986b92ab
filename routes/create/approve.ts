/** Approving a plan for an agent, and taking that back. */
import { contentsOf, requestOf } from "../../lib/agents/context.ts";
import { createdBy } from "../../lib/agents/approvals.ts";
import type { Configuration } from "../../lib/configuration/configuration.ts";
import type { CreationPlan } from "../../lib/plan/types.ts";
import type { TemplateOverrides } from "../../lib/vm_templates/overrides.ts";
import type { Approving } from "../../templates/parts/plan/agent_approval.tsx";
import { paths } from "../../templates/paths.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import type { Dashboard } from "../server/dashboard.ts";

/** Where to go on, or why nothing was approved. */
export type Approved = { readonly next: string } | { readonly notice: string };

/**
 * Approves the plan that is shown, once for each token. Agents create what config.yaml declares, so a plan of a form that
 * says something else cannot be approved.
 */
export async function approvePlan(
  c: AppContext,
  { manager, approvals, tokens }: Dashboard,
  fields: URLSearchParams,
  { configuration, types }: { readonly configuration: Configuration; readonly types: readonly string[] },
): Promise<Approved> {
  if (approvals === null) return { notice: NO_AGENTS };
  const token = fields.get("token") ?? "";
  if (!tokens.knows(token)) return { notice: EXPIRED };
  const shown = fields.get("plan") ?? "";
  let notice = CHANGED;
  const next = await tokens.redeem(token, async () => {
    const request = requestOf(configuration, manager, types);
    const plan = await manager.operations.planCreation(request);
    if (plan.fingerprint !== shown) return null;
    if (createdBy(plan).length === 0) {
      notice = NOTHING;
      return null;
    }
    approvals.approve(plan, { types, contents: contentsOf(request, manager) }, actorOf(c));
    return paths.planApproval(types);
  });
  return next === null ? { notice } : { next };
}

/** Whether agents may carry the plan out; null where there are none, or where the plan creates nothing. */
export function approvingOf(
  { manager, approvals, now }: Dashboard,
  plan: CreationPlan,
  { configuration, types, isAsked }: {
    readonly configuration: Configuration;
    readonly types: readonly string[];
    /** Whether an agent sent the person here. */
    readonly isAsked: boolean;
  },
): Approving | null {
  const vms = createdBy(plan).length;
  if (approvals === null || vms === 0) return null;
  const contents = contentsOf(requestOf(configuration, manager, types), manager);
  const approval = approvals.of({ fingerprint: plan.fingerprint, contents });
  const overrides = types.flatMap((type) => overridesOf(type, configuration.types[type]?.template));
  return { until: approval?.expiresAt ?? null, now: now(), isAsked, vms, overrides };
}

/** What a type sets in the templates, which a plan does not show: `worker: vm.cpu_mode = "HOST-MODEL"`. */
function overridesOf(type: string, template: TemplateOverrides = {}): string[] {
  return Object.entries(template).flatMap(([part, values]) =>
    Object.entries(values ?? {}).map(([key, value]) => `${type}: ${part}.${key} = ${JSON.stringify(value)}`)
  );
}

/** Takes the approval of the plan back; a second time changes nothing. */
export function withdrawApproval(
  c: AppContext,
  { approvals, tokens }: Dashboard,
  fields: URLSearchParams,
): void {
  if (tokens.knows(fields.get("token") ?? "")) approvals?.withdraw(fields.get("plan") ?? "", actorOf(c));
}

const NO_AGENTS = "Agents cannot reach this dashboard, so nothing was approved.";
const EXPIRED = "This form has expired. Nothing was approved. Check the plan below, then approve it.";
const NOTHING = "The plan creates nothing, so there is nothing to approve. Nothing was approved.";
const CHANGED =
  "Agents create what config.yaml declares, and its plan is not the one that was shown: the NAS changed, or the form differs " +
  "from the file. Nothing was approved. Save what you changed under VM types, then review the plan again.";
