/** Removing a checkpoint: the plan, the typed confirmation, and the operation. */
import {
  RemoveCheckpointPage,
  type RemoveCheckpointProps,
} from "../../templates/pages/checkpoints/remove_page.tsx";
import { confirm, refusalJson } from "../confirm.ts";
import { readForm } from "../forms/read_form.ts";
import { actorOf, type AppContext } from "../server/context.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";

/** GET /checkpoints/:name/remove: what would go. */
export async function showRemoval(
  c: AppContext,
  dashboard: Dashboard,
  checkpoint: string,
): Promise<Response> {
  const plan = await dashboard.manager.checkpoints.planRemoval(checkpoint);
  if (wantsJson(c)) return c.json(plan);
  return show(c, dashboard, { plan, problems: plan.problems }, 200);
}

/** POST /checkpoints/:name/remove: removes what was shown, once the phrase matches. */
export async function confirmRemoval(
  c: AppContext,
  dashboard: Dashboard,
  checkpoint: string,
): Promise<Response> {
  const { checkpoints } = dashboard.manager;
  const fields = await readForm(c.req.raw) ?? new URLSearchParams();
  return await confirm(c, dashboard, fields, {
    makePlan: () => checkpoints.planRemoval(checkpoint),
    problemsOf: ({ problems }) => problems,
    nothing: "Nothing was removed",
    start: (shown) => checkpoints.startRemoval(checkpoint, shown, { by: actorOf(c) }),
    show: (plan, { typed, ...again }, status) =>
      show(c, dashboard, { plan, phrase: typed.phrase ?? "", ...again }, status),
  });
}

type Shown = Pick<RemoveCheckpointProps, "plan"> & Partial<RemoveCheckpointProps>;

function show(c: AppContext, dashboard: Dashboard, shown: Shown, status: 200 | 409 | 422): Response {
  const page = { phrase: "", notice: null, problems: [], token: issueToken(c, dashboard), ...shown };
  if (wantsJson(c)) return c.json(refusalJson(shown.plan, page), status);
  return sendPage(c, <RemoveCheckpointPage frame={pageFrame(c, dashboard)} page={page} />, status);
}
