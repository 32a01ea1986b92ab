/** The dashboard as one Hono app: middleware, routes, and error pages. */
import { Hono, type MiddlewareHandler } from "hono";
import { HTTPException } from "hono/http-exception";
import { bodyLimit } from "hono/body-limit";
import { requestId } from "hono/request-id";
import { getPath } from "hono/utils/url";
import {
  ConfigurationError,
  remedyOf,
  TrueNASConnectionError,
  TrueNASError,
  TrueNASTimeoutError,
} from "../lib/errors/errors.ts";
import { reasonOf, systemErrorCode } from "../lib/errors/system_errors.ts";
import { stripBasePath } from "../templates/paths.ts";
import { ErrorPage, ErrorPart } from "../templates/pages/error_page.tsx";
import { accessControl } from "./auth/access.tsx";
import { assetRoutes } from "./server/assets/assets.ts";
import { auditRoutes } from "./audit.tsx";
import { checkpointRoutes } from "./checkpoints/checkpoints.tsx";
import { connectionRoutes } from "./connection.tsx";
import { changeConnectionRoutes } from "./setup/change_connection.tsx";
import { BrokenBody, SlowBody } from "./forms/read_form.ts";
import { imageRoutes } from "./images/images.tsx";
import { UPLOAD_PATH } from "./images/upload.tsx";
import { createRoutes } from "./create/create.tsx";
import { oneRoutes } from "./one/one.tsx";
import { type Dashboard, ENDING, pageFrame, sendPage, wantsJson } from "./server/dashboard.ts";
import { serialRoutes } from "./vms/serial.tsx";
import { onlyFromOwnPages, originOf } from "./auth/origin.ts";
import { openStreams } from "./live/streams.ts";
import { exportRoutes } from "./export.tsx";
import { destroyRoutes } from "./destroy.tsx";
import { checkHeaders } from "./server/http/headers.ts";
import { securityHeaders } from "./server/http/security_headers.ts";
import { healthRoutes } from "./server/http/health.ts";
import { operationRoutes } from "./operations.tsx";
import { orphanRoutes } from "./orphans.tsx";
import { vmActionRoutes } from "./vms/vm_actions.tsx";
import { vmChangeRoutes } from "./vms/vm_changes.tsx";
import { liveRoutes } from "./live/live.tsx";
import { nameSpans, traceOperations } from "./server/http/telemetry.ts";
import { templateRoutes } from "./types/templates.tsx";
import { typeRoutes } from "./types/types.tsx";
import { SharedLists } from "./live/shared_lists.tsx";
import { searchRoutes } from "./search.tsx";
import { taskRoutes } from "./tasks.tsx";
import { themeRoutes } from "./theme.ts";
import { displayRoutes } from "./vms/display.tsx";
import { vmRoutes } from "./vms/vms.tsx";
import { actorOf, type AppContext, type AppEnv, isSignedIn } from "./server/context.ts";

/** Far more than any form of the dashboard sends. */
const MAX_BODY_BYTES = 262_144;

/** Creates the app. */
export function createApp(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>({ getPath: (request) => stripBasePath(getPath(request)) });
  // First, so that it checks the headers that all the others have set.
  app.use(checkHeaders(dashboard.logger));
  // The client's own request ID is ignored: it could forge entries in the log.
  app.use(requestId({ headerName: "", generator: () => crypto.randomUUID().slice(0, 8) }));
  app.use(logRequests(dashboard));
  app.use(nameSpans());
  traceOperations(dashboard.manager.operations.store);
  dashboard.metrics.gauge("truenas_vm_manager_streams", () => [{ value: openStreams(dashboard).count }]);
  app.use(securityHeaders());
  app.use(async (c, next) => {
    await next();
    if (!c.res.headers.has("cache-control")) c.header("cache-control", "no-store");
    c.header("vary", "Accept, HX-Request, HX-Request-Type");
  });
  const { guard, routes } = accessControl(dashboard);
  app.use(guard);
  app.use(onlyFromOwnPages(dashboard.access));
  app.use(async (c, next) => {
    if (!dashboard.ending.aborted || c.req.method === "GET" || c.req.method === "HEAD") return await next();
    const { message, remedy } = ENDING;
    return await failure(c, dashboard, { status: 503, title: "Nothing was done", message, remedy });
  });
  const small = bodyLimit({
    maxSize: MAX_BODY_BYTES,
    onError: (c) =>
      failure(c, dashboard, {
        status: 413,
        title: "Form too large",
        message: "The form is too large. Nothing was done.",
        remedy: "Open the page again and submit the form from there.",
      }),
  });
  // A file is passed on as it arrives, and has a limit of its own.
  app.use((c, next) => isUpload(c) ? next() : small(c, next));
  app.route("/", routes);
  app.route("/", assetRoutes());
  app.route("/", themeRoutes());
  app.route("/", healthRoutes(dashboard));
  app.route("/", serialRoutes(dashboard));
  app.route("/", displayRoutes(dashboard));
  app.route("/", vmActionRoutes(dashboard));
  app.route("/", vmChangeRoutes(dashboard));
  const lists = new SharedLists(dashboard);
  app.route("/", liveRoutes(dashboard, lists));
  app.route("/", vmRoutes(dashboard, lists));
  app.route("/", searchRoutes(dashboard));
  app.route("/", taskRoutes(dashboard));
  app.route("/", connectionRoutes(dashboard));
  app.route("/", changeConnectionRoutes(dashboard));
  app.route("/", createRoutes(dashboard));
  app.route("/", oneRoutes(dashboard));
  app.route("/", typeRoutes(dashboard));
  app.route("/", templateRoutes(dashboard));
  app.route("/", imageRoutes(dashboard));
  app.route("/", checkpointRoutes(dashboard));
  app.route("/", exportRoutes(dashboard));
  app.route("/", destroyRoutes(dashboard));
  app.route("/", auditRoutes(dashboard));
  app.route("/", operationRoutes(dashboard));
  app.route("/", orphanRoutes(dashboard));
  app.notFound((c) =>
    failure(c, dashboard, {
      status: 404,
      title: "Not found",
      message: "This page, VM or operation does not exist.",
      remedy: "The VM may have been removed. Only the latest 200 operations are kept.",
    })
  );
  app.onError((error, c) => failure(c, dashboard, describe(error, c, dashboard)));
  return app;
}

function isUpload({ req }: AppContext): boolean {
  return req.path === UPLOAD_PATH && req.header("content-type")?.startsWith("multipart/form-data") === true;
}

/** Logs each request: changes at INFO, the rest at DEBUG. */
function logRequests({ logger }: Dashboard): MiddlewareHandler<AppEnv> {
  return async (c, next) => {
    const startedAt = performance.now();
    await next();
    const { method, path } = c.req;
    c.header("x-request-id", c.get("requestId"));
    const { who, from, request } = actorOf(c);
    const ms = Math.round(performance.now() - startedAt);
    const fields = { request, method, path, status: c.res.status, ms, who, from };
    if (method === "GET" || method === "HEAD") logger.debug("Request", fields);
    else logger.info("Request", fields);
  };
}

interface Failure {
  readonly status: 400 | 403 | 408 | 404 | 413 | 422 | 500 | 502 | 503;
  readonly title: string;
  readonly message: string;
  readonly remedy: string | null;
}

/** Errors of the operating system that keep the journal from being written. */
const UNWRITABLE: readonly string[] = ["ENOSPC", "EDQUOT", "EROFS", "EIO"];

/** Maps errors to error pages. Details of unexpected errors go only to the log. */
function describe(error: Error, c: AppContext, { access, logger }: Dashboard): Failure {
  if (error instanceof SlowBody) {
    return {
      status: 408,
      title: "Request timed out",
      message: "The form took too long to arrive. Nothing was done.",
      remedy: "Go back and submit it again.",
    };
  }
  if (error instanceof BrokenBody) {
    return {
      status: 400,
      title: "Form not readable",
      message: "The form could not be read. Nothing was done.",
      remedy: "Go back and submit it again.",
    };
  }
  if (error instanceof HTTPException && error.status === 403) {
    return {
      status: 403,
      title: "Form refused",
      message:
        "The form came from another site, or from a script without an Origin header. Nothing was done.",
      remedy: "Open the dashboard and submit the form there. " +
        `Scripts must send the header "Origin: ${originOf(c, access) ?? "the dashboard's own address"}".`,
    };
  }
  // Only people who have signed in may see details of the configuration and the NAS.
  const signedIn = isSignedIn(c);
  if (signedIn && error instanceof ConfigurationError) {
    const remedy = "Fix it and try again.";
    return { status: 422, title: "The configuration cannot be used", message: error.message, remedy };
  }
  if (signedIn && error instanceof TrueNASConnectionError) {
    return { status: 503, title: "NAS not connected", message: error.message, remedy: error.remedy };
  }
  if (signedIn && error instanceof TrueNASTimeoutError) {
    const remedy = error.outcome === "unknown"
      ? remedyOf(error)
      : "Nothing was changed. Pages show the VMs as last read from the NAS. The dashboard reconnects automatically; " +
        "if this message stays, check the NAS itself.";
    return { status: 503, title: "The NAS is not responding", message: `${error.message}.`, remedy };
  }
  if (signedIn && error instanceof TrueNASError) {
    return {
      status: 502,
      title: "The NAS refused the request",
      message: error.message,
      remedy: remedyOf(error),
    };
  }
  const system = systemErrorCode(error);
  if (system !== null && UNWRITABLE.includes(system)) {
    logger.error("The journal cannot be written", { request: c.var.requestId, error: reasonOf(error) });
    return {
      status: 503,
      title: "Journal not written",
      message: `The dashboard cannot write its journal: ${reasonOf(error)}.`,
      remedy: "No operation starts until the journal can be written. Fix this on the machine that runs the " +
        "dashboard, then try again.",
    };
  }
  logger.error("Request failed", {
    request: c.get("requestId"),
    method: c.req.method,
    path: c.req.path,
    error: error.stack ?? String(error),
  });
  return {
    status: 500,
    title: "Internal error",
    message: "The dashboard could not handle the request. This is an error in the dashboard, not on the NAS.",
    remedy: `Look for request ${c.get("requestId")} in the dashboard's log.`,
  };
}

function failure(
  c: AppContext,
  dashboard: Dashboard,
  { status, title, message, remedy }: Failure,
): Response | Promise<Response> {
  if (wantsJson(c)) return c.json({ error: message, remedy }, status);
  if (c.req.header("hx-request") === "true") {
    return c.html(<ErrorPart message={message} remedy={remedy} />, status);
  }
  const page = { frame: pageFrame(c, dashboard), title, message, remedy };
  return sendPage(c, <ErrorPage {...page} />, status);
}
