/**
 * TrueNAS's legacy protocol at /websocket (the only one of 24.x): translates its frames to and from those of the JSON-RPC
 * connection that does the work.
 */
import type { Wire } from "./connection.ts";
import { ERRNO, errnoName } from "../../errors/errno.ts";

type Frame = Readonly<Record<string, unknown>>;

/** Receives translated frames. */
interface Inner {
  receive(text: string): void;
}

/** One connection of the legacy protocol; `inner` is created with {@link LegacyWire.wire}. */
export class LegacyWire {
  readonly #outer: Wire;
  readonly #answersPing: boolean;
  #inner: Inner | null = null;
  #connected = false;
  /** Ids of the calls that subscribe. */
  readonly #subscribing = new Set<string>();
  /** The inner ids of subscriptions, by those of the client. */
  readonly #subscriptions = new Map<string, unknown>();
  readonly #reportsEnds: boolean;

  /** 24.x answers a ping and reports no end of a subscription; later releases do the opposite. */
  constructor(outer: Wire, answersPing: boolean) {
    this.#outer = outer;
    this.#answersPing = answersPing;
    this.#reportsEnds = !answersPing;
  }

  /** The wire of the inner connection. */
  get wire(): Wire {
    return { ...this.#outer, send: (text) => this.#translate(JSON.parse(text)) };
  }

  /** The connection that does the work. */
  set inner(inner: Inner) {
    this.#inner = inner;
  }

  /** Handles a text message. */
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
    // Ending a subscription has no answer.
    if (msg === "unsub") return this.#unsubscribe(String(id));
    if (msg === "ping" && this.#answersPing) this.#send({ msg: "pong", id });
  }

  #unsubscribe(id: string): void {
    const params = [this.#subscriptions.get(id)];
    if (this.#subscriptions.delete(id)) {
      this.#inner?.receive(JSON.stringify({ jsonrpc: "2.0", method: "core.unsubscribe", params }));
    }
  }

  #connect({ version, support }: Frame): void {
    const known = version === "1" && Array.isArray(support) && support.includes("1");
    if (!known) return this.#send({ msg: "failed", version: "1" });
    this.#connected = true;
    this.#send({ msg: "connected", session: crypto.randomUUID() });
  }

  /** Pads the request, because length limits apply to the original message. */
  #forward(id: string, method: string, params: unknown, text: string): void {
    const request = JSON.stringify({ jsonrpc: "2.0", id, method, params });
    this.#inner?.receive(request.padEnd(text.length, " "));
  }

  #translate(frame: Frame): void {
    if (frame.method === "collection_update") return this.#send(frame.params as Frame);
    if (frame.method === "notify_unsubscribed") {
      const { collection, error } = frame.params as Frame;
      const reason = error === null ? {} : { error };
      return this.#reportsEnds ? this.#send({ msg: "nosub", collection, ...reason }) : undefined;
    }
    const id = String(frame.id);
    if (frame.error !== undefined) {
      return this.#send({ id, msg: "result", error: toLegacyError(frame.error as Frame) });
    }
    if (this.#subscribing.delete(id)) {
      this.#subscriptions.set(id, frame.result);
      return this.#send({ msg: "ready", subs: [id] });
    }
    this.#send({ id, msg: "result", result: frame.result });
  }

  #send(frame: Frame): void {
    this.#outer.send(JSON.stringify(frame));
  }
}

function toLegacyError({ code, message, data }: Frame): Frame {
  if (code === -32601) return legacyError(ERRNO.ENOMETHOD, "Method not found");
  if (code === -32000) return legacyError(ERRNO.ETOOMANYREFS, message);
  const { error, errname, reason, extra = null, trace } =
    (data ?? { error: ERRNO.EINVAL, reason: message }) as Frame;
  if (code !== -32602) {
    const bare = String(reason).replace(/^\[(ENOTAUTHENTICATED|EACCES)\] /, "");
    return { error, errname, type: null, reason: bare, trace, extra };
  }
  const [first] = extra as readonly (readonly [string | null, string, number])[];
  const isList = (trace as { class?: string } | undefined)?.class === "ValidationErrors";
  const errno = isList || first === undefined ? ERRNO.EAGAIN : first[2];
  return { error: errno, errname: errnoName(errno), type: "VALIDATION", reason, trace, extra };
}

function legacyError(errno: number, reason: unknown): Frame {
  return { error: errno, errname: errnoName(errno), reason, type: null, trace: null, extra: null };
}
