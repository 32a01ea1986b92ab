/** WebSockets of browsers: the only place that takes one over from its request. */
import type { Context } from "hono";

/** Answers a request for a WebSocket; `use` gets the socket before it opens. */
export function upgradeToWebSocket(c: Context, use: (socket: WebSocket) => void): Response {
  if (c.req.method !== "GET" || c.req.header("upgrade")?.toLowerCase() !== "websocket") {
    return c.text("This address answers WebSockets only\n", 426, { upgrade: "websocket" });
  }
  const { socket, response } = Deno.upgradeWebSocket(c.req.raw);
  use(socket);
  return response;
}
