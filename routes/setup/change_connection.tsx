/** Changing the connection from the dashboard, which starts set-up again. */
import { isActive } from "../../lib/operations/types.ts";
import { Hono } from "hono";
import type { Problem } from "../../lib/errors/errors.ts";
import { ChangeConnectionPage } from "../../templates/pages/setup/other_pages.tsx";
import { paths } from "../../templates/paths.ts";
import { HandOverIssuer } from "../auth/hand_over.ts";
import { type AppContext, type AppEnv, sessionOf } from "../server/context.ts";
import { type Dashboard, pageFrame, sendPage } from "../server/dashboard.ts";
import { sendOpening } from "./opening.tsx";

/** GET and POST /setup of a connected dashboard. */
export function changeConnectionRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const { manager, simulated, connectionSettings, logger } = dashboard;
  const app = new Hono<AppEnv>();
  const issuer = new HandOverIssuer(dashboard);
  let isOpening = false;
  const opening = (c: AppContext) => sendOpening(c, { title: "Opening set-up", next: paths.setup() });
  app.get("/setup", (c) => isOpening ? opening(c) : show(c, dashboard));
  app.post("/setup", (c) => {
    if (simulated || connectionSettings.outer.length > 0) return show(c, dashboard, [], 409);
    const running = manager.operations.store.list().filter(isActive);
    if (running.length > 0) {
      const message = "Operations are running. Wait until they have finished, then change the connection";
      return show(c, dashboard, [{ field: "", message }], 409);
    }
    logger.info("Set-up was opened to change the connection");
    const session = sessionOf(c);
    connectionSettings.startSetup(session === null ? null : issuer.issue(c, session, session.since));
    isOpening = true;
    return opening(c);
  });
  // A browser that was left at a step of set-up.
  app.all("/setup/:step", (c) => c.redirect(paths.home(), 303));
  return app;
}

function show(
  c: AppContext,
  dashboard: Dashboard,
  problems: readonly Problem[] = [],
  status: 200 | 409 = 200,
): Response {
  const { outer, envFile } = dashboard.connectionSettings;
  const page = { frame: pageFrame(c, dashboard), outer, envFile, isSimulated: dashboard.simulated, problems };
  return sendPage(c, <ChangeConnectionPage {...page} />, status);
}
