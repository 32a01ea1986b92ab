/**
 * TrueNAS's older protocol at /websocket (the only one of 24.x): its frames, translated to and from those of the
 * JSON-RPC connection that does the work.
 */
import type { Wire } from "./connection.ts";
import { ERRNO, errnoName } from "../../errors/errno.ts";

type Frame = Readonly<Record<string, unknown>>;

/** Where translated frames go. */
export interface Inner {
  receive(text: string): void;
}

/** One connection of the older protocol; `inner` is made with {@link LegacyWire.wire}. */
export class LegacyWire {
  readonly #outer: Wire;
  readonly #answersPing: boolean;
  #inner: Inner | null = null;
  #connected = false;
  /** Subscriptions asked for, by the id of the call that makes them. */
  readonly #subscribing = new Set<string>();

  /** `answersPing`: 24.x does; later releases ignore that frame. */
  constructor(outer: Wire, answersPing: boolean) {
    this.#outer = outer;
    this.#answersPing = answersPing;
  }

  /** What the inner connection writes to. */
  get wire(): Wire {
    return { ...this.#outer, send: (text) => this.#translate(JSON.parse(text)) };
  }

  /** The connection that does the work. */
  set inner(inner: Inner) {
    this.#inner = inner;
  }

  /** Takes a text message. */
  receive(text: string): void {
    let frame: Frame;
    try {
      frame = JSON.parse(text);
    } catch {
      return this.#outer.close(1007, "");
    }
    const { msg, id } = frame;
    if (msg === "connect") return this.#connect(frame);
    if (!this.#connected) return this.#send({ msg: "failed", version: "1" });
    if (msg === "method") return this.#forward(String(id), String(frame.method), frame.params ?? [], text);
    if (msg === "sub") {
      this.#subscribing.add(String(id));
      return this.#forward(String(id), "core.subscribe", [frame.name], text);
    }
    if (msg === "ping" && this.#answersPing) this.#send({ msg: "pong", ...(id === undefined ? {} : { id }) });
  }

  #connect({ version, support }: Frame): void {
    const known = version === "1" && Array.isArray(support) && support.includes("1");
    if (!known) return this.#send({ msg: "failed", version: "1" });
    this.#connected = true;
    this.#send({ msg: "connected", session: crypto.randomUUID() });
  }

  /** The limits on length are those of the message as it came. */
  #forward(id: string, method: string, params: unknown, text: string): void {
    const request = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    this.#inner?.receive(request.padEnd(text.length, " "));
  }

  #translate(frame: Frame): void {
    if (frame.method === "collection_update") return this.#send(frame.params as Frame);
    const id = String(frame.id);
    if (frame.error !== undefined) {
      return this.#send({ id, msg: "result", error: toLegacyError(frame.error as Frame) });
    }
    if (this.#subscribing.delete(id)) return this.#send({ msg: "ready", subs: [id] });
    this.#send({ id, msg: "result", result: frame.result });
  }

  #send(frame: Frame): void {
    this.#outer.send(JSON.stringify(frame));
  }
}

function toLegacyError({ code, message, data }: Frame): Frame {
  const bare = { type: null, trace: null, extra: null };
  if (code === -32601) {
    return { error: ERRNO.ENOMETHOD, errname: "ENOMETHOD", reason: "Method not found", ...bare };
  }
  if (code === -32000) {
    return { error: ERRNO.ETOOMANYREFS, errname: "ETOOMANYREFS", reason: message, ...bare };
  }
  const { error, errname, reason, extra, trace } =
    (data ?? { error: ERRNO.EINVAL, reason: message }) as Frame;
  if (code !== -32602) {
    const plain = /^\[(ENOTAUTHENTICATED|EACCES)\] /;
    return {
      error,
      errname,
      type: null,
      reason: String(reason).replace(plain, ""),
      trace,
      extra: extra ?? null,
    };
  }
  const list = extra as readonly (readonly [string | null, string, number])[];
  const [first] = list;
  const isList = (trace as { class?: string } | undefined)?.class === "ValidationErrors";
  const errno = isList || first === undefined ? ERRNO.EAGAIN : first[2];
  return {
    error: errno,
    errname: errnoName(errno),
    type: "VALIDATION",
    reason,
    trace,
    extra: list,
  };
}
