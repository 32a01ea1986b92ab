/** Upgrades requests to WebSockets. */
import type { Context } from "hono";
import { runtime } from "../../../lib/runtime/runtime.ts";

/** Upgrades a request; `use` gets the socket before it opens. */
export function upgradeToWebSocket(c: Context, use: (socket: WebSocket) => void): Response {
  if (c.req.method !== "GET" || c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    return c.text("This address accepts only WebSocket connections\n", 426, { upgrade: "websocket" });
  }
  // Browsers close a WebSocket for which they named protocols and got none.
  const protocol = c.req.header("sec-websocket-protocol")?.split(",")[0]?.trim();
  const { socket, response } = runtime.upgradeWebSocket(
    c.req.raw,
    protocol === undefined ? {} : { protocol },
  );
  use(socket);
  return response;
}
