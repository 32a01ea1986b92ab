/** Set-up as a Hono app of its own: it serves its steps, the static files and /healthz, and nothing else. */
import { Hono } from "hono";
import { bodyLimit } from "hono/body-limit";
import { HTTPException } from "hono/http-exception";
import { requestId } from "hono/request-id";
import { getPath } from "hono/utils/url";
import { reasonOf } from "../../lib/errors/system_errors.ts";
import { ErrorPage } from "../../templates/pages/error_page.tsx";
import type { StepName } from "../../templates/pages/setup/steps.tsx";
import { paths, stripBasePath } from "../../templates/paths.ts";
import { HandOverIssuer } from "../auth/hand_over.ts";
import { onlyFromOwnPages } from "../auth/origin.ts";
import { BrokenBody, readForm, SlowBody } from "../forms/read_form.ts";
import { assetRoutes } from "../server/assets/assets.ts";
import type { AppContext, AppEnv } from "../server/context.ts";
import { sendPage, visitorFrame } from "../server/dashboard.ts";
import { checkHeaders } from "../server/http/headers.ts";
import { securityHeaders } from "../server/http/security_headers.ts";
import { themeRoutes } from "../theme.ts";
import { finish, reasonAgainstOpening } from "./finish.ts";
import { onlyOwnHosts, SetupGate } from "./gate.tsx";
import { sendOpening } from "./opening.tsx";
import type { SetupSession } from "./sessions.ts";
import { isConnected, type Setup } from "./setup.ts";
import { checkAgain, connect, enterAccount, enterOtp, protect, type Stepped, trust } from "./steps.ts";
import { sendSetup } from "./view.tsx";

/** More than any form of set-up sends. */
const MAX_BODY_BYTES = 65_536;

/** A step's work. */
type Act = (session: SetupSession, fields: URLSearchParams) => Stepped | Promise<Stepped>;

/** Creates the app. */
export function createSetupApp(setup: Setup): Hono<AppEnv> {
  const app = new Hono<AppEnv>({ getPath: (request) => stripBasePath(getPath(request)) });
  const gate = new SetupGate(setup);
  let isOpening = false;
  const open = opener(setup, () => isOpening = true);
  app.use(checkHeaders(setup.logger));
  app.use(requestId({ headerName: "", generator: () => crypto.randomUUID().slice(0, 8) }));
  app.use(securityHeaders());
  app.use(async (c, next) => {
    await next();
    if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
  });
  app.use(onlyOwnHosts(setup));
  app.use(onlyFromOwnPages(setup.access));
  app.use(bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: (c) => sendProblem(c, 413, "The form is too large. Nothing was done."),
  }));
  app.route("/", assetRoutes());
  app.route("/", themeRoutes());
  app.get("/healthz", (c) => c.text("ok\n"));
  // A watchdog that followed the redirect would take the set-up page for a ready dashboard.
  app.get("/readyz", (c) => c.text("no NAS is set up\n", 503));
  // Until the dashboard listens in this part's place, browsers ask again.
  app.use(async (c, next) => isOpening && ["GET", "HEAD"].includes(c.req.method) ? opening(c) : await next());
  app.get("/setup", (c) => showSetup(c, setup, gate));
  app.post("/setup/enter", (c) => gate.enter(c));
  for (const [name, { step, act }] of Object.entries(stepsOf(setup))) {
    app.post(`/setup/${name}`, async (c) => {
      const session = gate.sessionOf(c);
      if (session === null) return gate.ask(c, null, 401);
      const fields = await readForm(c.req.raw) ?? new URLSearchParams();
      const stepped = await act(session, fields);
      if (stepped === null) return c.redirect(paths.setup(), 303);
      return sendSetup(c, setup, session, { ...stepped, step });
    });
  }
  app.post("/setup/open", (c) => openDashboard(c, setup, gate, open));
  app.post("/setup/leave", (c) => leave(c, setup, gate, open));
  app.all("*", (c) => c.redirect(paths.setup(), 303));
  app.onError((error, c) => explain(c, setup, error));
  return app;
}

/** What each form does, and the step at which its problems are shown; undefined: the first unfinished one. */
function stepsOf(setup: Setup): Readonly<Record<string, { step: StepName | undefined; act: Act }>> {
  return {
    protect: { step: "protect", act: protect },
    address: { step: "address", act: (session, fields) => connect(setup, session, fields) },
    certificate: { step: undefined, act: trust },
    account: { step: undefined, act: (session, fields) => enterAccount(setup, session, fields) },
    otp: { step: undefined, act: (session, fields) => enterOtp(setup, session, fields) },
    check: { step: undefined, act: (session) => checkAgain(setup, session) },
    rights: { step: undefined, act: acceptRights },
    place: { step: undefined, act: (session, fields) => finish(setup, session, fields) },
  };
}

function acceptRights(session: SetupSession): null {
  session.acceptsRights = session.signedIn !== null;
  return null;
}

const CHANGEABLE: readonly StepName[] = ["address", "certificate", "account"];

function showSetup(c: AppContext, setup: Setup, gate: SetupGate): Response {
  const session = gate.sessionOf(c);
  if (session === null) return gate.ask(c);
  const wanted = c.req.query("change");
  const step = CHANGEABLE.find((name) => name === wanted);
  const differs = c.req.query("differs") === "yes";
  return sendSetup(c, setup, session, { differs, ...(step === undefined ? {} : { step }) });
}

/** Ends set-up, for the browser of a session. */
type Open = (c: AppContext, session: SetupSession) => Response;

function openDashboard(c: AppContext, setup: Setup, gate: SetupGate, open: Open): Response {
  const session = gate.sessionOf(c);
  if (session === null) return gate.ask(c, null, 401);
  if (session.done === null && setup.sessions.finished === null) return c.redirect(paths.setup(), 303);
  const message = reasonAgainstOpening(setup);
  if (message !== null) {
    return sendSetup(c, setup, session, { problems: [{ field: "", message }], status: 422 });
  }
  return open(c, session);
}

/** Returns to the connected NAS; nothing was stored. */
function leave(c: AppContext, setup: Setup, gate: SetupGate, open: Open): Response {
  const session = gate.sessionOf(c);
  if (session === null) return gate.ask(c, null, 401);
  if (!isConnected(setup)) return c.redirect(paths.setup(), 303);
  // The browser that has just finished may come back from a step to what it stored.
  if (setup.sessions.finished !== null) return openDashboard(c, setup, gate, open);
  return open(c, session);
}

function opener(setup: Setup, onOpen: () => void): Open {
  const issuer = new HandOverIssuer(setup);
  return (c, session) => {
    onOpen();
    const needsPassword =
      (setup.access.password ?? setup.sessions.finished?.dashboardPassword ?? null) !== null;
    setup.openDashboard(needsPassword ? issuer.issue(c, session, session.since) : null);
    return opening(c);
  };
}

function opening(c: AppContext): Response {
  return sendOpening(c, { title: "Opening the dashboard", next: paths.home() });
}

function explain(c: AppContext, { logger }: Setup, error: Error): Response {
  if (error instanceof SlowBody) {
    return sendProblem(c, 408, "The form took too long to arrive. Nothing was done.");
  }
  if (error instanceof BrokenBody) {
    return sendProblem(c, 400, "The form could not be read. Nothing was done.");
  }
  if (error instanceof HTTPException && error.status === 403) {
    return sendProblem(c, 403, "The form came from another site. Nothing was done.");
  }
  logger.error("A step of set-up failed", {
    path: c.req.path,
    error: error.stack ?? reasonOf(error),
  });
  return sendProblem(c, 500, "This step failed because of an error in the program, not on the NAS.");
}

function sendProblem(c: AppContext, status: 400 | 403 | 408 | 413 | 500, message: string): Response {
  const remedy = "Open set-up again and repeat the step. The program's log has details.";
  return sendPage(
    c,
    <ErrorPage
      frame={visitorFrame(c)}
      title={status === 500 ? "This step failed" : "Nothing was done"}
      {...{ message, remedy }}
    />,
    status,
  );
}
