/** Checkpoints: the list, and what is below it. */
import { Hono } from "hono";
import { CheckpointsPage } from "../../templates/pages/checkpoints/checkpoints_page.tsx";
import { formatCount } from "../../lib/units.ts";
import { usableConfiguration } from "../images/configuration.ts";
import type { AppContext, AppEnv } from "../server/context.ts";
import { type Dashboard, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { confirmRemoval, showRemoval } from "./remove.tsx";
import { confirmRollback, showRollback } from "./rollback.tsx";
import { showNew, takeCheckpoint } from "./take.tsx";

/** GET and POST /checkpoints, and what is below it. */
export function checkpointRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/checkpoints", (c) => list(c, dashboard));
  app.post("/checkpoints", (c) => takeCheckpoint(c, dashboard));
  app.get("/checkpoints/new", (c) => showNew(c, dashboard));
  app.get("/checkpoints/:name/rollback", (c) => showRollback(c, dashboard, c.req.param("name")));
  app.post("/checkpoints/:name/rollback", (c) => confirmRollback(c, dashboard, c.req.param("name")));
  app.get("/checkpoints/:name/remove", (c) => showRemoval(c, dashboard, c.req.param("name")));
  app.post("/checkpoints/:name/remove", (c) => confirmRemoval(c, dashboard, c.req.param("name")));
  return app;
}

async function list(c: AppContext, dashboard: Dashboard): Promise<Response> {
  const checkpoints = await dashboard.manager.checkpoints.list();
  if (wantsJson(c)) {
    return checkpoints.known
      ? c.json({ checkpoints: checkpoints.value })
      : c.json({ error: `Checkpoints are not listed, because ${checkpoints.because}` }, 502);
  }
  const page = { checkpoints, kept: keptWords(dashboard) };
  return sendPage(c, <CheckpointsPage frame={pageFrame(c, dashboard)} page={page} />);
}

function keptWords(dashboard: Dashboard): string | null {
  const { keep, days } = usableConfiguration(dashboard)?.storage.checkpoints ?? {};
  if (keep === undefined && days === undefined) return null;
  const which = keep === undefined
    ? "They are"
    : keep === 1
    ? "The newest of each VM is"
    : `The newest ${keep} of each VM are`;
  const time = days === undefined ? "" : ` for at most ${formatCount(days, "day")}`;
  return `${which} kept${time}; the others are removed when a new one is taken`;
}
