/** Which page a request belongs to: where somebody is led back to after signing in. */

/** What belongs to a page and cannot be opened by itself: streams and sockets. */
const PART = /\/(events|socket)$/;
/** A page, and what is below it. */
const BELOW = /^(\/(?:vms|operations)\/[^/]+|\/create|\/connection)\/.+$/;
/** Their addresses say what they are about only with what a form sends. */
const NEEDS_FORM = /^\/(vms\/act|login|logout)$/;

/** The path and query of a page: of the request itself, or of the page that it came from. */
export function pageOf({ method, path, search }: {
  readonly method: string;
  readonly path: string;
  readonly search: string;
}): string {
  const isPage = (method === "GET" || method === "HEAD") && !PART.test(path);
  if (isPage) return `${path}${search}`;
  const parent = BELOW.exec(path)?.[1];
  if (parent !== undefined) return parent;
  return PART.test(path) || NEEDS_FORM.test(path) ? "/" : path;
}
