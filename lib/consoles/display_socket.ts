/** Connects to a display's port. */
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
    super(`Cannot connect to ${hostname} port ${port}: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    });
    this.isRefused = cause instanceof Deno.errors.ConnectionRefused;
  }
}

/**
 * Connects to a display.
 *
 * @throws {DisplayUnreachable} when it does not accept in time.
 */
export async function connectDisplay(target: DisplayTarget): Promise<DisplaySocket> {
  const connection = await connect(target);
  let isClosed = false;
  const close = () => {
    if (isClosed) return;
    isClosed = true;
    connection.close();
  };
  const send = async (bytes: Uint8Array<ArrayBuffer>) => {
    for (let sent = 0; sent < bytes.length;) sent += await connection.write(bytes.subarray(sent));
  };
  return { incoming: chunksOf(connection), send, close };
}

async function connect(target: DisplayTarget): Promise<Deno.TcpConn> {
  const timeout = new AbortController();
  const timer = setTimeout(
    () => timeout.abort(new Error(`no answer within ${CONNECT_MS / 1000} s`)),
    CONNECT_MS,
  );
  try {
    return await Deno.connect({ ...target, signal: timeout.signal });
  } catch (error) {
    throw new DisplayUnreachable(target, error);
  } finally {
    clearTimeout(timer);
  }
}

/** Pictures come in large runs. */
const CHUNK_BYTES = 65_536;

async function* chunksOf(connection: Deno.TcpConn): AsyncIterable<Uint8Array<ArrayBuffer>> {
  const buffer = new Uint8Array(CHUNK_BYTES);
  for (;;) {
    const read = await connection.read(buffer);
    if (read === null) return;
    yield buffer.slice(0, read);
  }
}
