/** Upgrades requests to WebSockets. */
import type { Context } from "hono";

/** Upgrades a request; `use` gets the socket before it opens. */
export function upgradeToWebSocket(c: Context, use: (socket: WebSocket) => void): Response {
  if (c.req.method !== "GET" || c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    return c.text("This address accepts only WebSocket connections\n", 426, { upgrade: "websocket" });
  }
  const { socket, response } = Deno.upgradeWebSocket(c.req.raw);
  use(socket);
  return response;
}
