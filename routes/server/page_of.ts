/** The page a request belongs to, which opens again after signing in. */

/** Streams and sockets, which belong to a page and cannot be opened on their own. */
const PART = /\/(events|socket)$/;
/** A page and the paths under it. */
const BELOW = /^(\/(?:vms|operations)\/[^/]+|\/create|\/types|\/connection|\/setup)\/.+$/;
/** Paths that have meaning only with a submitted form. */
const NEEDS_FORM = /^\/(vms\/act|login|logout|theme)$/;

/** The path and query of the page: the request itself, or the page it came from. */
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
