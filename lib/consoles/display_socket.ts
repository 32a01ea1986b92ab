/** Connects to a display's port. */
import { once } from "node:events";
import { connect, type Socket } from "node:net";
import { reasonOf, systemErrorCode } from "../errors/system_errors.ts";
import type { DisplayTarget } from "./display_target.ts";

/** How long to wait for the display to accept. */
const CONNECT_MS = 5_000;

/** Bytes in both directions. */
export interface DisplaySocket {
  /** What the display sends; it ends with the connection. */
  readonly incoming: AsyncIterable<Uint8Array<ArrayBuffer>>;
  /** Resolves when the operating system has taken the bytes. */
  send(bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  /** Closes it; may be called again. */
  close(): void;
}

/** Why a display cannot be reached. */
export class DisplayUnreachable extends Error {
  override readonly name = "DisplayUnreachable";
  /** The machine answers, and nothing listens on the port. */
  readonly isRefused: boolean;

  /** `cause` is the runtime's error. */
  constructor({ hostname, port }: DisplayTarget, cause: unknown) {
    super(`Cannot connect to ${hostname} port ${port}: ${reasonOf(cause)}`, { cause });
    this.isRefused = systemErrorCode(cause) === "ECONNREFUSED";
  }
}

/**
 * Connects to a display.
 *
 * @throws {DisplayUnreachable} when it does not accept in time.
 */
export async function connectDisplay(target: DisplayTarget): Promise<DisplaySocket> {
  const socket = await open(target);
  const send = (bytes: Uint8Array<ArrayBuffer>) =>
    new Promise<void>((resolve, reject) => {
      socket.write(bytes, (error) => error ? reject(error) : resolve());
    });
  return { incoming: chunksOf(socket), send, close: () => void socket.destroy() };
}

async function open({ hostname, port }: DisplayTarget): Promise<Socket> {
  const socket = connect({ host: hostname, port });
  // Later errors end what is read and sent.
  socket.on("error", () => {});
  const timer = setTimeout(
    () => socket.destroy(new Error(`no answer within ${CONNECT_MS / 1000} s`)),
    CONNECT_MS,
  );
  try {
    await once(socket, "connect");
    return socket;
  } catch (error) {
    throw new DisplayUnreachable({ hostname, port }, error);
  } finally {
    clearTimeout(timer);
  }
}

async function* chunksOf(socket: Socket): AsyncIterable<Uint8Array<ArrayBuffer>> {
  for await (const chunk of socket) yield new Uint8Array(chunk);
}
