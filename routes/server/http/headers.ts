/** Checks the headers of every response. */
import type { MiddlewareHandler } from "hono";
import type { Logger } from "../../../lib/observability/logging.ts";

/** Other characters would break the connection or crash the program, depending on how the header is written. */
function isHeaderText(value: string): boolean {
  return /^[ -~]*$/.test(value);
}

/** Whether a text is a path of this site: no scheme, no other host, and no backslash, which browsers treat as a slash. */
export function isOwnPath(to: string): boolean {
  return /^\/(?!\/)[!-~]*$/.test(to) && !to.includes("\\");
}

function isValid(name: string, value: string): boolean {
  if (name !== "location" && name !== "hx-redirect") return isHeaderText(value);
  return isOwnPath(value) || (isHeaderText(value) && /^https?:\/\//.test(value));
}

/** Headers that describe the body and cannot be kept when it is replaced. */
const BODY_HEADERS: readonly string[] = ["content-type", "content-length", "content-disposition", "location"];

/** Checks every response; one with an invalid header is replaced by an error. */
export function checkHeaders(logger: Logger): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const invalid = [...c.res.headers].filter(([name, value]) => !isValid(name, value)).map(([name]) => name);
    if (invalid.length === 0) return;
    logger.error("Replaced a response that had an invalid header", {
      path: c.req.path,
      headers: invalid.join(" "),
    });
    const valid = [...c.res.headers].filter(([name]) =>
      !invalid.includes(name) && !BODY_HEADERS.includes(name)
    );
    await c.res.body?.cancel();
    const message =
      "The dashboard could not handle the request. This is an error in the dashboard, not on the NAS. See its log for details.\n";
    const replaced = new Response(message, { status: 500, headers: valid });
    replaced.headers.set("content-type", "text/plain; charset=utf-8");
    c.res = undefined;
    c.res = replaced;
  };
}
