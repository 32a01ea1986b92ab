/** Ports that simulated guests open on this machine, at their loopback addresses. */
import { createServer } from "node:net";
import type { OpenPort } from "./ports.ts";

/** Opens them for real; what cannot be opened is told. */
export function portOpener(onFailure: (port: number, error: Error) => void): OpenPort {
  return ({ address, port, greeting, signal }) => {
    const server = createServer((socket) => {
      // Who looks whether it is open may leave at any time.
      socket.on("error", () => {});
      if (greeting === null) socket.end();
      else socket.end(greeting);
    });
    server.on("error", (error) => onFailure(port, error));
    server.listen({ host: address, port });
    signal.addEventListener("abort", () => server.close(), { once: true });
  };
}
