/** What leaves in an answer's headers: the one place that says what may stand there. */
import type { MiddlewareHandler } from "hono";
import type { Logger } from "../../lib/observability/logging.ts";

/** Anything else ends the connection or the whole program, depending on who writes the header to the wire. */
function isHeaderText(value: string): boolean {
  return /^[ -~]*$/.test(value);
}

/** Whether a text is a path of this site: no scheme, no other host, no backslash that a browser takes for a slash. */
export function isOwnPath(to: string): boolean {
  return /^\/(?!\/)[!-~]*$/.test(to) && !to.includes("\\");
}

function isFit(name: string, value: string): boolean {
  if (name !== "location" && name !== "hx-redirect") return isHeaderText(value);
  return isOwnPath(value) || (isHeaderText(value) && /^https?:\/\//.test(value));
}

/** Headers that say of a body what is not true of another one. */
const OF_THE_BODY: readonly string[] = ["content-type", "content-length", "content-disposition", "location"];

/** Holds every header of every answer against the rules; an answer that breaks one is replaced by an error. */
export function checkHeaders(logger: Logger): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const unfit = [...c.res.headers].filter(([name, value]) => !isFit(name, value)).map(([name]) => name);
    if (unfit.length === 0) return;
    logger.error("An answer with a header that must not be sent was replaced", {
      path: c.req.path,
      headers: unfit.join(" "),
    });
    const fit = [...c.res.headers].filter(([name]) => !unfit.includes(name) && !OF_THE_BODY.includes(name));
    await c.res.body?.cancel();
    const message = "This is an error of the program, not of the NAS. The log has the details.\n";
    const replaced = new Response(message, { status: 500, headers: fit });
    replaced.headers.set("content-type", "text/plain; charset=utf-8");
    c.res = undefined;
    c.res = replaced;
  };
}
