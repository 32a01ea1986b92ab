/** Approving a plan for an agent, and taking that back. */
import { requestOf } from "../../lib/agents/context.ts";
import { createdBy } from "../../lib/agents/approvals.ts";
import type { Configuration } from "../../lib/configuration/configuration.ts";
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
    const plan = await manager.operations.planCreation(requestOf(configuration, manager, types));
    if (plan.fingerprint !== shown) return null;
    if (createdBy(plan).length === 0) {
      notice = NOTHING;
      return null;
    }
    approvals.approve(plan, types, actorOf(c));
    return paths.planApproval(types);
  });
  return next === null ? { notice } : { next };
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
