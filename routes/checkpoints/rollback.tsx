/** Rolling back: the plan, the typed confirmation, and the operation. */
import type { RollbackRequest } from "../../lib/checkpoints/plan/rolling_back.ts";
import { RollbackPage, type RollbackPageProps } from "../../templates/pages/checkpoints/rollback_page.tsx";
import { confirm, refusalJson } from "../confirm.ts";
import { readForm } from "../forms/read_form.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";

/** The most VMs in one request. */
const MAX_VMS = 5_000;

/** GET /checkpoints/:name/rollback: what it would do. */
export async function showRollback(
  c: AppContext,
  dashboard: Dashboard,
  checkpoint: string,
): Promise<Response> {
  const request = requestOf(checkpoint, new URL(c.req.url).searchParams);
  const plan = await dashboard.manager.checkpoints.planRollback(request);
  if (wantsJson(c)) return c.json(plan);
  // The tick is still to be set, so its absence is no mistake yet.
  const problems = plan.problems.filter(({ field }) => field !== "discard");
  return show(c, dashboard, request, { plan, problems }, 200);
}

/** POST /checkpoints/:name/rollback: rolls back what was shown, once the phrase matches. */
export async function confirmRollback(
  c: AppContext,
  dashboard: Dashboard,
  checkpoint: string,
): Promise<Response> {
  const { checkpoints } = dashboard.manager;
  const fields = await readForm(c.req.raw) ?? new URLSearchParams();
  const request = requestOf(checkpoint, fields);
  return await confirm(c, dashboard, fields, {
    makePlan: () => checkpoints.planRollback(request),
    problemsOf: ({ problems }) => problems,
    nothing: "Nothing was rolled back",
    start: (shown) => checkpoints.startRollback(request, shown, { by: actorOf(c) }),
    show: (plan, { typed, ...again }, status) =>
      show(c, dashboard, request, { plan, phrase: typed.phrase ?? "", ...again }, status),
  });
}

function requestOf(checkpoint: string, fields: URLSearchParams): RollbackRequest {
  const names = fields.getAll("vm").filter((name) => name !== "").slice(0, MAX_VMS);
  return {
    checkpoint,
    names: names.length === 0 ? null : names,
    discardNewer: fields.get("discard") === "yes",
  };
}

type Shown = Pick<RollbackPageProps, "plan"> & Partial<RollbackPageProps>;

function show(
  c: AppContext,
  dashboard: Dashboard,
  { names }: RollbackRequest,
  shown: Shown,
  status: 200 | 409 | 422,
): Response {
  const page = { names, phrase: "", notice: null, problems: [], token: issueToken(c, dashboard), ...shown };
  if (wantsJson(c)) return c.json(refusalJson(shown.plan, page), status);
  return sendPage(c, <RollbackPage frame={pageFrame(c, dashboard)} page={page} />, status);
}
