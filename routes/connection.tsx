/** The connection to the NAS: its state, the account's roles, and the one-time password form. */
import { Hono } from "hono";
import type { Problem } from "../lib/errors/errors.ts";
import { ConnectionPage } from "../templates/pages/connection_page.tsx";
import { paths } from "../templates/paths.ts";
import { inTime } from "./in_time.ts";
import { type Dashboard, pageFrame, sendPage, wantsJson } from "./server/dashboard.ts";
import { readForm } from "./forms/read_form.ts";
import type { AppContext, AppEnv } from "./server/context.ts";

/** GET /connection, POST /connection/otp. */
export function connectionRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const { manager } = dashboard;
  const app = new Hono<AppEnv>();
  app.get("/connection", (c) => show(c, dashboard, [], 200));
  app.post("/connection/otp", async (c) => {
    const code = (await readForm(c.req.raw))?.get("otp")?.trim() ?? "";
    if (!/^\d{6,8}$/.test(code)) {
      const message = "Enter the 6 to 8 digits of the one-time password, without spaces";
      return show(c, dashboard, [{ field: "otp", message }], 422);
    }
    const before = manager.connection.state;
    if (!manager.connection.submitOtp(code)) {
      const message = "The NAS is not asking for a one-time password now. The code was not sent";
      return show(c, dashboard, [{ field: "otp", message }], 409);
    }
    await changed(dashboard, before);
    const message = refusal(manager.connection.state);
    if (message !== null) return show(c, dashboard, [{ field: "otp", message }], 422);
    return c.redirect(paths.connection(), 303);
  });
  return app;
}

type ConnectionState = Dashboard["manager"]["connection"]["state"];

/** Why the NAS refused a one-time password; null if it accepted it. */
function refusal(state: ConnectionState): string | null {
  const refused = "The NAS did not accept this one-time password. The dashboard is not connected";
  if (state.kind === "otp") return `${refused}. Enter the next code from the authenticator app`;
  const isRefused = state.kind === "reconnecting" && "failure" in state.error &&
    state.error.failure === "otp";
  return isRefused
    ? `${refused}. The dashboard signs in again in about a minute; enter a new code then`
    : null;
}

/** How long to wait for the NAS to accept a one-time password before showing the page. */
const ANSWER_MS = 3_000;

/** Waits until the connection leaves the given state and is no longer connecting. */
async function changed({ manager }: Dashboard, before: ConnectionState): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const check = () => {
    const now = manager.connection.state;
    if (now !== before && now.kind !== "connecting") resolve();
  };
  const stop = manager.connection.onState(check);
  const timer = setTimeout(resolve, ANSWER_MS);
  check();
  await promise;
  clearTimeout(timer);
  stop();
}

async function show(
  c: AppContext,
  dashboard: Dashboard,
  problems: readonly Problem[],
  status: 200 | 409 | 422,
): Promise<Response> {
  const { manager, account } = dashboard;
  const state = manager.connection.state;
  const nas = state.kind === "live" ? state.nas : null;
  const connection = {
    address: manager.connection.address,
    account,
    nasId: nas?.id ?? null,
    publicHost: await inTime(manager.consoles.publicHost()),
    apiVersion: nas?.apiVersion ?? null,
    roles: nas?.roles ?? null,
    missing: manager.connection.missingRoles,
    needed: manager.connection.neededRoles,
    wantsOtp: state.kind === "otp",
    problems,
  };
  if (wantsJson(c)) {
    const { problems: _problems, needed: _needed, ...facts } = connection;
    return c.json({ state: pageFrame(c, dashboard).connection, ...facts }, status);
  }
  return sendPage(c, <ConnectionPage frame={pageFrame(c, dashboard)} connection={connection} />, status);
}
