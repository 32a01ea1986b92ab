/**
 * The serial console of a VM over the NAS's shell WebSocket: its own socket, not JSON-RPC. After the NAS's word
 * `connected` whatever is sent in binary frames is typed, and whatever comes is the terminal's. A text frame ends it.
 */
import { z } from "../../zod.ts";
import { TrueNASError } from "../../errors/errors.ts";

/** Where the NAS serves it, in every release. */
export const SHELL_PATH = "/websocket/shell";

/** Raw bytes in both directions. */
export interface ShellSocket {
  /** Types. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Ends it. */
  close(): void;
  /** Text before `connected`, bytes after it. */
  onData: (data: string | Uint8Array<ArrayBuffer>) => void;
  /** Called once. */
  onEnd: () => void;
}

/** A console that is open. */
export interface SerialConsole {
  /** By which its size is set. */
  readonly session: string;
  /** Types. */
  send(data: string): void;
  /** Ends it. */
  close(): void;
  /** Gives what the guest writes, from the first byte on, and tells once of the end. */
  listen(onData: (data: string | Uint8Array<ArrayBuffer>) => void, onEnd: () => void): void;
}

const answer = z.object({
  msg: z.string(),
  id: z.string().optional(),
  error: z.object({ reason: z.string().optional() }).passthrough().optional(),
}).passthrough();

/** How long the NAS may take to say `connected`. */
const CONNECT_MS = 10_000;

/**
 * Asks for a VM's console.
 *
 * @throws {TrueNASError} with the NAS's words when it refuses.
 */
export async function enterConsole(socket: ShellSocket, token: string, vmId: number): Promise<SerialConsole> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const encoder = new TextEncoder();
  // The guest's first words may come in the same breath as `connected`: they wait for whoever listens.
  const early: (string | Uint8Array<ArrayBuffer>)[] = [];
  let ended = false;
  const fail = (why: string) => reject(new TrueNASError(`Cannot open the serial console: ${why}`));
  const timer = setTimeout(() => fail(`no answer within ${CONNECT_MS / 1000} s`), CONNECT_MS);
  socket.onData = (data) => {
    const parsed = answer.safeParse(typeof data === "string" ? parseJson(data) : null);
    if (!parsed.success) return;
    const { msg, id, error } = parsed.data;
    if (msg === "connected" && id !== undefined) {
      socket.onData = (bytes) => early.push(bytes);
      resolve(id);
    } else if (msg === "failed") fail(error?.reason ?? "the NAS does not say why");
  };
  socket.onEnd = () => {
    ended = true;
    fail("the NAS closed it");
  };
  socket.send(JSON.stringify({ token, options: { vm_id: vmId } }));
  try {
    const session = await promise;
    return {
      session,
      send: (data) => socket.send(encoder.encode(data)),
      close: () => socket.close(),
      listen: (onData, onEnd) => {
        for (const data of early.splice(0)) onData(data);
        socket.onData = onData;
        socket.onEnd = onEnd;
        if (ended) onEnd();
      },
    };
  } catch (error) {
    socket.close();
    throw error;
  } finally {
    clearTimeout(timer);
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
