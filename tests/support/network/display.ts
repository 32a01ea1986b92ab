/** Ports for displays of tests: the dashboard connects to no others. */
import { DISPLAY_PORTS } from "../../../lib/consoles/display_target.ts";

/** Listens on a free display port. */
export function listenForDisplay(): Deno.TcpListener {
  const { first, last } = DISPLAY_PORTS;
  // Tests run side by side: where each begins to look is left to chance.
  const start = first + Math.floor(Math.random() * (last - first));
  for (let port = start; port <= last; port++) {
    try {
      return Deno.listen({ hostname: "127.0.0.1", port });
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
  throw new Error("No display port is free");
}

/** A display port that was free a moment ago. */
export function freeDisplayPort(): number {
  using listener = listenForDisplay();
  return listener.addr.port;
}
