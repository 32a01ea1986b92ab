/** Asks whether something listens on a port of a guest. It connects, reads a greeting at most, and sends nothing. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { reasonOf, systemErrorCode } from "../../errors/system_errors.ts";

/** A port to ask. */
export interface ProbedPort {
  /** IPv4 or IPv6. */
  readonly address: string;
  /** The TCP port. */
  readonly port: number;
  /** How long to wait for an answer, in milliseconds. */
  readonly timeoutMs: number;
}

/** What came of it. */
export interface PortAnswer {
  /** `refused`: a machine is there, and nothing listens on the port; `silent`: nothing answered in time. */
  readonly state: "open" | "refused" | "silent";
  /** What the service says of itself when somebody connects, such as `SSH-2.0-OpenSSH_9.2`; null for one that waits. */
  readonly greeting: string | null;
  /** Why it could not be asked, where that is known; null otherwise. */
  readonly because: string | null;
}

/** Asks whether something listens on a port. Never throws. */
export type ProbePort = (port: ProbedPort) => Promise<PortAnswer>;

/** A greeting is read for so long, because most services wait for the other side. */
const GREETING_MS = 300;
const MAX_GREETING_BYTES = 128;

/** Asks from here. */
export const probePort: ProbePort = async ({ address, port, timeoutMs }) => {
  const signal = AbortSignal.timeout(timeoutMs);
  const socket = connect({ host: address, port });
  // Errors after the connection is made end the greeting.
  socket.on("error", () => {});
  try {
    await once(socket, "connect", { signal });
    return { state: "open", greeting: await readGreeting(socket), because: null };
  } catch (error) {
    const because = signal.aborted ? null : reasonOf(error);
    const isRefused = systemErrorCode(error) === "ECONNREFUSED";
    return { state: isRefused ? "refused" : "silent", greeting: null, because };
  } finally {
    socket.destroy();
  }
};

async function readGreeting(socket: Socket): Promise<string | null> {
  const read = Promise.withResolvers<Uint8Array | null>();
  const timer = setTimeout(() => read.resolve(null), GREETING_MS);
  socket.once("data", read.resolve);
  socket.once("close", () => read.resolve(null));
  const bytes = await read.promise;
  clearTimeout(timer);
  if (bytes === null) return null;
  const line = new TextDecoder().decode(bytes.subarray(0, MAX_GREETING_BYTES)).split(/[\r\n]/)[0] ?? "";
  // Only what people can read: this is shown.
  return /^[\x20-\x7e]+$/.test(line) ? line : null;
}
