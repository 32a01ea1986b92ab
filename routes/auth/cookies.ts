/** Cookies of this site: how they are named, and who can read and send them. */
import { withBasePath } from "../../templates/paths.ts";
import type { AppContext } from "../server/context.ts";
import { hostOf, originOf, type Trust } from "./origin.ts";

function isSecure(c: AppContext, trust: Trust): boolean {
  return trust.secure || originOf(c, trust)?.startsWith("https:") === true;
}

/**
 * Browsers send a cookie to every port of its host, so the name includes the port and does not collide with another
 * dashboard's. Over TLS, the prefixes make browsers refuse cookies set without TLS; `__Host-` also binds it to the whole
 * host, so it is not used under a base path.
 */
export function cookieName(c: AppContext, trust: Trust, base: string): string {
  const port = /:(\d+)$/.exec(hostOf(c, trust))?.[1];
  const name = port === undefined ? base : `${base}-${port}`;
  if (!isSecure(c, trust)) return name;
  return withBasePath("/") === "/" ? `__Host-${name}` : `__Secure-${name}`;
}

/** Scripts cannot read them, and other sites cannot send them. */
export function cookieOptions(c: AppContext, trust: Trust) {
  return {
    httpOnly: true,
    sameSite: "Strict",
    path: withBasePath("/"),
    secure: isSecure(c, trust),
  } as const;
}
