/** Orphans: the list, the typed confirmation, and the operation. */
import { Hono } from "hono";
import type { Problem } from "../lib/errors/errors.ts";
import type { OrphanPlan } from "../lib/plan/orphans.ts";
import { OrphansPage, type OrphansProps } from "../templates/pages/orphans_page.tsx";
import { confirm, refusalJson } from "./confirm.ts";
import { type Dashboard, issueToken, pageFrame, sendPage, wantsJson } from "./server/dashboard.ts";
import { readForm } from "./forms/read_form.ts";
import { actorOf, type AppContext, type AppEnv } from "./server/context.ts";

/** GET /orphans, POST /orphans. */
export function orphanRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const { manager } = dashboard;
  const app = new Hono<AppEnv>();
  app.get("/orphans", async (c) => {
    const plan = await manager.planCleaning(c.req.queries("leave") ?? []);
    if (wantsJson(c)) return c.json(plan);
    return show(c, dashboard, { plan, problems: missingIn(plan) }, 200);
  });
  app.post("/orphans", async (c) => {
    const fields = await readForm(c.req.raw);
    if (fields === null || !fields.has("phrase")) {
      const notice =
        "The form arrived incomplete. Nothing was destroyed. Check the list below and confirm it.";
      return show(c, dashboard, { plan: await manager.planCleaning(), notice }, 400);
    }
    const left = fields.getAll("leave");
    return await confirm(c, dashboard, fields, {
      makePlan: () => manager.planCleaning(left),
      problemsOf: missingIn,
      start: (shown) => manager.operations.startCleaning(left, shown, { by: actorOf(c) }),
      show: (plan, { typed, ...again }, status) =>
        show(c, dashboard, { plan, phrase: typed.phrase ?? "", ...again }, status),
    });
  });
  return app;
}

/** Names to leave out that match no orphan; ignoring a typing mistake would destroy the wrong thing. */
function missingIn({ missing }: OrphanPlan): readonly Problem[] {
  return missing.map((name) => ({
    field: "",
    message: `${JSON.stringify(name)} is not an orphan, so it cannot be left out. Check the name`,
  }));
}

type Shown = Pick<OrphansProps, "plan"> & Partial<OrphansProps>;

function show(c: AppContext, dashboard: Dashboard, shown: Shown, status: 200 | 400 | 409 | 422): Response {
  const token = issueToken(c, dashboard);
  const orphans = { phrase: "", notice: null, problems: [], token, ...shown };
  if (wantsJson(c)) return c.json(refusalJson(shown.plan, orphans), status);
  return sendPage(c, <OrphansPage frame={pageFrame(c, dashboard)} orphans={orphans} />, status);
}
