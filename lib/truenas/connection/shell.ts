/**
 * A VM's serial console over the NAS's shell WebSocket, which is not JSON-RPC. After the NAS's `connected`, binary frames
 * carry keystrokes and terminal output. A text frame ends it.
 */
import { z } from "../../zod.ts";
import { TrueNASError } from "../../errors/errors.ts";

/** Path of the shell WebSocket in every release. */
export const SHELL_PATH = "/websocket/shell";

/** Raw bytes in both directions. */
export interface ShellSocket {
  /** Sends keystrokes. */
  send(data: string | Uint8Array<ArrayBuffer>): void;
  /** Closes it. */
  close(): void;
  /** Called with text before `connected` and bytes after it. */
  onData: (data: string | Uint8Array<ArrayBuffer>) => void;
  /** Called once. */
  onEnd: () => void;
}

/** An open console. */
export interface SerialConsole {
  /** Id for changing the terminal size. */
  readonly session: string;
  /** Sends keystrokes. */
  send(data: string): void;
  /** Closes it. */
  close(): void;
  /** Delivers the guest's output from the first byte on, and calls `onEnd` once. */
  listen(onData: (data: string | Uint8Array<ArrayBuffer>) => void, onEnd: () => void): void;
}

const answer = z.object({
  msg: z.string(),
  id: z.string().optional(),
  error: z.object({ reason: z.string().optional() }).passthrough().optional(),
}).passthrough();

/** Timeout for the NAS's `connected`. */
const CONNECT_MS = 10_000;

/**
 * Opens a VM's console.
 *
 * @throws {TrueNASError} with the NAS's words when it refuses.
 */
export async function enterConsole(socket: ShellSocket, token: string, vmId: number): Promise<SerialConsole> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const encoder = new TextEncoder();
  // The guest's first output can arrive together with `connected`; it is kept until somebody listens.
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
    } else if (msg === "failed") fail(error?.reason ?? "the NAS gave no reason");
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
