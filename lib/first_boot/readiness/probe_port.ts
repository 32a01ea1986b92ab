/** Asks whether something listens on a port of a guest. It connects, reads a greeting at most, and sends nothing. */
import { reasonOf } from "../../errors/system_errors.ts";

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
  try {
    using connection = await Deno.connect({ hostname: address, port, signal });
    return { state: "open", greeting: await readGreeting(connection), because: null };
  } catch (error) {
    const because = signal.aborted ? null : reasonOf(error);
    const isRefused = error instanceof Deno.errors.ConnectionRefused;
    return { state: isRefused ? "refused" : "silent", greeting: null, because };
  }
};

async function readGreeting(connection: Deno.Conn): Promise<string | null> {
  const bytes = new Uint8Array(MAX_GREETING_BYTES);
  const late = Promise.withResolvers<null>();
  const timer = setTimeout(() => late.resolve(null), GREETING_MS);
  // A read that is still waiting ends with the connection.
  const read = connection.read(bytes).catch(() => null);
  const length = await Promise.race([read, late.promise]);
  clearTimeout(timer);
  if (length === null) return null;
  const line = new TextDecoder().decode(bytes.subarray(0, length)).split(/[\r\n]/)[0] ?? "";
  // Only what people can read: this is shown.
  return /^[\x20-\x7e]+$/.test(line) ? line : null;
}
