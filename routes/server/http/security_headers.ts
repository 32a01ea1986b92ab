/** The headers that protect every page. */
import type { Context, MiddlewareHandler } from "hono";
import { NONCE, secureHeaders } from "hono/secure-headers";
import type { AppEnv } from "../context.ts";

/** Sets the content security policy and the other headers. */
export function securityHeaders(): MiddlewareHandler<AppEnv> {
  return secureHeaders({
    contentSecurityPolicy: {
      defaultSrc: ["'self'"],
      // Only the serial console's terminal creates styles, and they carry the response's nonce.
      styleSrc: ["'self'", NONCE],
      imgSrc: [imageSources],
      baseUri: ["'none'"],
      formAction: ["'self'"],
      frameAncestors: ["'none'"],
      objectSrc: ["'none'"],
    },
    // With `no-referrer`, browsers send `Origin: null` even for this site's own forms.
    referrerPolicy: "same-origin",
    // Whether the site is always served over TLS is known only to the proxy in front.
    strictTransportSecurity: false,
  });
}

/** Screens draw pictures and pointers that come within the display's protocol, and no other page has any. */
function imageSources(c: Context): string {
  return /\/vms\/\d+\/console$/.test(c.req.path) ? "'self' data:" : "'self'";
}
