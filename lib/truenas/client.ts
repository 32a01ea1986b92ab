/**
 * Calls over one socket: several in flight, at most as many as the NAS runs in parallel, each with its own timeout.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { z } from "../zod.ts";
import {
  type Outcome,
  TrueNASCallError,
  TrueNASConnectionError,
  TrueNASError,
  TrueNASTimeoutError,
} from "../errors/errors.ts";
import type { Socket, SocketEnd } from "./connection/connection.ts";
import type { MethodName, MethodParams, MethodResult } from "./method_types.ts";
import { METHODS } from "./methods.ts";
import type { SentCall } from "./versions.ts";
import { type CollectionEvent, JSON_RPC, MAX_RUNNING_CALLS, type Protocol } from "./connection/protocol.ts";
import type { CallRefusal } from "../errors/nas_errors.ts";

/** Options of a call besides its parameters. */
export interface CallOptions {
  /** Milliseconds from the moment of sending; default: the method's own timeout. */
  readonly timeoutMs?: number;
  /** Stops waiting. A call that was already sent may still take effect. */
  readonly signal?: AbortSignal;
  /** How long to wait while a connection is being restored, in milliseconds; a session's default is 30 s. */
  readonly connectionWaitMs?: number;
  /** The id of the NAS for which the call is meant; it is not sent to another one. null: unknown, so any. */
  readonly nasId?: string | null;
  /**
   * Fails once the NAS has sent nothing for this long, in milliseconds, and does not answer a ping for as long either,
   * which distinguishes a frozen NAS from a slow one. Default: only the call's own timeout applies.
   */
  readonly silenceMs?: number;
  /** Skips the queue and the concurrency limit; only for the ping that checks whether the NAS is alive. */
  readonly urgent?: boolean;
}

/** Makes typed calls to the NAS. */
export interface Caller {
  /**
   * Calls a method of the API.
   *
   * @throws {TrueNASCallError} when the NAS refuses the call.
   * @throws {TrueNASTimeoutError} when no answer arrives in time (`outcome` is `unknown` for a write).
   * @throws {TrueNASConnectionError} when there is no connection or it is lost.
   */
  call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options?: CallOptions,
  ): Promise<MethodResult<M>>;
}

interface PendingCall {
  readonly id: number;
  readonly method: MethodName;
  /** The method's name in this release, for messages. */
  readonly sentAs: string;
  readonly text: string;
  readonly timeoutMs: number;
  /** Deadline, counted from queuing, in milliseconds since the process started. */
  readonly endMs: number;
  readonly resolve: (result: unknown) => void;
  readonly reject: (error: unknown) => void;
  /** When it was sent, in milliseconds since the process started. */
  sentAt: number;
  /** Whether the caller has already received a timeout. */
  isLate: boolean;
}

/** Writes refused by this client, whoever calls. */
export interface WriteGuard {
  /** Refuses every write (READ_ONLY). */
  readonly readOnly: boolean;
  /** Refuses every deletion (NO_DESTROY). */
  readonly noDestroy: boolean;
}

/** Options of a client. */
export interface ClientOptions {
  /** The protocol; default JSON-RPC. */
  readonly protocol?: Protocol;
  /** Adapts a call to this release; default: unchanged. */
  readonly adapt?: (method: MethodName, params: readonly unknown[]) => SentCall;
  /** Default: nothing is refused. */
  readonly guard?: WriteGuard;
  /** Called with each change event, in order. */
  readonly onEvent?: (event: CollectionEvent) => void;
  /** Called when the NAS ends a subscription, with the name of its events. */
  readonly onUnsubscribed?: (collection: string) => void;
  /** Called once when the connection has ended, after every call in flight was rejected. */
  readonly onEnd?: (end: SocketEnd) => void;
  /** Called after each call with its duration and result. */
  readonly onCall?: (call: EndedCall) => void;
  /** Redacts secrets in TrueNAS's messages; default: unchanged. */
  readonly redact?: (text: string) => string;
  /** Called with frames that cannot be interpreted, for the log. */
  readonly onOddFrame?: (why: string) => void;
}

/** A finished call. */
export interface EndedCall {
  readonly method: MethodName;
  /** From sending to the answer. */
  readonly durationMs: number;
  readonly outcome: "answered" | "refused";
}

/** A client over an open socket. */
export class RpcClient implements Caller {
  readonly #socket: Socket;
  readonly #options: ClientOptions;
  readonly #running = new Map<number, PendingCall>();
  readonly #waiting: PendingCall[] = [];
  #lastId = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** When the timer fires, in milliseconds since the process started. */
  #timerEndMs = Infinity;
  #ended: SocketEnd | null = null;
  /** When the NAS last sent anything, in milliseconds since the process started. */
  #receivedAt = performance.now();
  /** Whether the NAS answers a ping; waiting calls share one ping until the NAS sends something. */
  #pinging: Promise<boolean> | null = null;

  /** Takes ownership of the socket. */
  constructor(socket: Socket, options: ClientOptions = {}) {
    this.#socket = socket;
    this.#options = options;
    socket.onMessage = (text) => this.#receive(text);
    socket.onEnd = (end) => this.#end(end);
  }

  /** Whether calls can be made. */
  get isOpen(): boolean {
    return this.#ended === null;
  }

  /** Whether the NAS is running its maximum number of calls, so that another one would wait there. */
  get isSaturated(): boolean {
    return this.#running.size >= MAX_RUNNING_CALLS;
  }

  /** See {@link Caller.call}. */
  async call<M extends MethodName>(
    method: M,
    params: MethodParams<M>,
    options: CallOptions = {},
  ): Promise<MethodResult<M>> {
    options.signal?.throwIfAborted();
    refuseGuarded(method, this.#options.guard);
    const answer = this.#enqueue(method, params, options);
    const { silenceMs } = options;
    const result = await (silenceMs === undefined ? answer : this.#unlessSilent(answer, method, silenceMs));
    const parsed = METHODS[method].result.safeParse(result);
    if (parsed.success) return parsed.data as MethodResult<M>;
    throw new TrueNASError(
      `The NAS's answer to ${method} is invalid: ${describeMismatch(parsed.error.issues[0])}`,
      { method, outcome: outcomeOf(method), cause: parsed.error },
    );
  }

  /** Ends the connection; calls in flight are rejected. */
  close(reason?: string): void {
    this.#socket.close(reason);
  }

  #enqueue(method: MethodName, params: readonly unknown[], options: CallOptions): Promise<unknown> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#ended !== null) {
      reject(lost(method, "not-done", this.#ended));
      return promise;
    }
    const id = ++this.#lastId;
    const { protocol = JSON_RPC, adapt } = this.#options;
    const sent = adapt?.(method, params) ?? { method, params };
    const text = protocol.encode(id, sent.method, sent.params);
    const timeoutMs = options.timeoutMs ?? METHODS[method].timeoutMs;
    const endMs = performance.now() + timeoutMs;
    const times = { timeoutMs, endMs, sentAt: 0, isLate: false };
    const pending: PendingCall = { id, method, sentAs: sent.method, text, resolve, reject, ...times };
    const { signal } = options;
    this.#watchUntil(pending.endMs);
    if (options.urgent) {
      this.#send(pending);
    } else {
      // Reads are short and pages wait for them, so they go before queued writes.
      const before = METHODS[method].writes ? -1 : this.#waiting.findIndex((it) => METHODS[it.method].writes);
      this.#waiting.splice(before < 0 ? this.#waiting.length : before, 0, pending);
      this.#sendNext();
    }
    if (signal === undefined) return promise;
    const onAbort = () => {
      this.#unqueue(pending);
      pending.reject(signal.reason);
    };
    signal.addEventListener("abort", onAbort, { once: true });
    return promise.finally(() => signal.removeEventListener("abort", onAbort));
  }

  async #unlessSilent<T>(answer: Promise<T>, method: MethodName, silenceMs: number): Promise<T> {
    const answered = new AbortController();
    try {
      return await Promise.race([answer, this.#silence(method, silenceMs, answered.signal)]);
    } finally {
      answered.abort();
    }
  }

  /** Rejects once the NAS is silent. */
  async #silence(method: MethodName, silenceMs: number, signal: AbortSignal): Promise<never> {
    for (;;) {
      await sleep(silenceMs, undefined, { signal });
      const isActive = () => performance.now() - this.#receivedAt < silenceMs;
      if (isActive()) continue;
      this.#pinging ??= this.#answersPing(silenceMs);
      if (await this.#pinging || isActive()) continue;
      const seconds = Math.max(1, Math.round(2 * silenceMs / 1000));
      throw new TrueNASTimeoutError(
        `The NAS is connected but has sent nothing for ${seconds} s and does not answer a ping`,
        { method, outcome: outcomeOf(method) },
      );
    }
  }

  /** False only when the ping times out: a connection that has ended is not silent, because its calls are rejected. */
  async #answersPing(timeoutMs: number): Promise<boolean> {
    try {
      await this.call("core.ping", [], { urgent: true, timeoutMs });
      return true;
    } catch (error) {
      return !(error instanceof TrueNASTimeoutError);
    }
  }

  #sendNext(): void {
    while (this.#running.size < MAX_RUNNING_CALLS) {
      const next = this.#waiting.shift();
      if (next === undefined) return;
      this.#send(next);
    }
  }

  #send(pending: PendingCall): void {
    this.#running.set(pending.id, pending);
    pending.sentAt = performance.now();
    this.#socket.send(pending.text);
    const { protocol = JSON_RPC } = this.#options;
    if (protocol.unanswered.includes(pending.method)) this.#take(pending.id)?.resolve(null);
  }

  /** Uses one timer, for the earliest deadline of all calls. */
  #watchUntil(endMs: number): void {
    if (endMs >= this.#timerEndMs) return;
    clearTimeout(this.#timer);
    this.#timerEndMs = endMs;
    this.#timer = setTimeout(() => this.#timeOutLate(), Math.ceil(endMs - performance.now()));
  }

  #timeOutLate(): void {
    this.#timerEndMs = Infinity;
    const now = performance.now();
    for (const pending of [...this.#running.values(), ...this.#waiting]) {
      if (pending.isLate) continue;
      if (pending.endMs > now) this.#watchUntil(pending.endMs);
      else this.#timeOut(pending);
    }
    const late = [...this.#running.values()].filter(({ isLate }) => isLate);
    // All slots are taken by unanswered calls, so nothing more could be sent. A new connection has free slots.
    if (late.length >= MAX_RUNNING_CALLS) this.close(`${late.length} calls have no answer`);
  }

  #receive(text: string): void {
    this.#receivedAt = performance.now();
    this.#pinging = null;
    const frame = (this.#options.protocol ?? JSON_RPC).decode(text);
    if (frame.kind === "event") return this.#options.onEvent?.(frame.event);
    if (frame.kind === "unsubscribed") return this.#options.onUnsubscribed?.(frame.collection);
    if (frame.kind === "other") return this.#options.onOddFrame?.(frame.why);
    const pending = this.#take(frame.id);
    if (pending === undefined) {
      return this.#options.onOddFrame?.(`an answer to no call of ours, id ${frame.id}`);
    }
    const outcome = frame.kind === "result" ? "answered" : "refused";
    const durationMs = performance.now() - pending.sentAt;
    this.#options.onCall?.({ method: pending.method, durationMs, outcome });
    if (frame.kind === "result") pending.resolve(this.#redactedResult(pending.method, frame.result));
    else pending.reject(new TrueNASCallError(pending.sentAs, this.#redacted(frame.refusal)));
  }

  /** TrueNAS repeats rejected values in its message, which pages display. */
  #redacted(refusal: CallRefusal): CallRefusal {
    const { redact = (text) => text } = this.#options;
    const fields = refusal.fields.map((field) => ({ ...field, message: redact(field.message) }));
    return { ...refusal, reason: redact(refusal.reason), fields };
  }

  /** Only messages are redacted, so that data such as names stays unchanged. */
  #redactedResult(method: MethodName, result: unknown): unknown {
    const { redact } = this.#options;
    if (redact === undefined || !RESULTS_WITH_MESSAGES.includes(method)) return result;
    return JSON.parse(redact(JSON.stringify(result ?? null)));
  }

  /** Removes a finished call and starts the next one. */
  #take(id: number): PendingCall | undefined {
    const pending = this.#running.get(id);
    if (pending === undefined) return undefined;
    this.#running.delete(id);
    this.#sendNext();
    if (this.#running.size === 0 && this.#waiting.length === 0) {
      clearTimeout(this.#timer);
      this.#timerEndMs = Infinity;
    }
    return pending;
  }

  #timeOut(pending: PendingCall): void {
    const { method, timeoutMs } = pending;
    if (this.#unqueue(pending)) {
      const message =
        `${method}: not sent within ${timeoutMs} ms because the NAS has not answered earlier calls`;
      return pending.reject(new TrueNASTimeoutError(message, { method, outcome: "not-done" }));
    }
    // The NAS may still be running the call, so its slot stays taken until an answer arrives or the connection ends;
    // otherwise the NAS could refuse the next calls as too many.
    pending.isLate = true;
    const message = `${pending.sentAs}: no answer within ${timeoutMs} ms`;
    const details = { method: pending.sentAs, outcome: outcomeOf(method) };
    pending.reject(new TrueNASTimeoutError(message, details));
  }

  /** Returns whether the call was still queued. */
  #unqueue(pending: PendingCall): boolean {
    const index = this.#waiting.indexOf(pending);
    if (index >= 0) this.#waiting.splice(index, 1);
    return index >= 0;
  }

  #end(end: SocketEnd): void {
    if (this.#ended !== null) return;
    this.#ended = end;
    const sent = [...this.#running.values()];
    const unsent = this.#waiting.splice(0);
    this.#running.clear();
    clearTimeout(this.#timer);
    for (const { sentAs, method, reject } of sent) reject(lost(sentAs, outcomeOf(method), end));
    for (const { sentAs, reject } of unsent) reject(lost(sentAs, "not-done", end));
    this.#options.onEnd?.(end);
  }
}

/** Calls whose results contain error messages of the NAS, which can repeat what it was sent. */
const RESULTS_WITH_MESSAGES: readonly MethodName[] = ["core.get_jobs", "vm.get_display_web_uri"];

/** The outcome of a call that was sent and has no valid answer. */
function outcomeOf(method: MethodName): Outcome {
  return METHODS[method].writes ? "unknown" : "not-done";
}

/** Throws for a write that is refused, whoever makes it. */
export function refuseGuarded(method: MethodName, guard: WriteGuard | undefined): void {
  const { writes, destroys } = METHODS[method];
  if (guard?.readOnly && writes) {
    throw new TrueNASError(
      `${method} was not sent because READ_ONLY is set. Nothing was changed; unset READ_ONLY to allow changes`,
      { method },
    );
  }
  if (guard?.noDestroy && destroys) {
    throw new TrueNASError(
      `${method} was not sent because NO_DESTROY is set. Nothing was deleted; unset NO_DESTROY to allow deletion`,
      { method },
    );
  }
}

function lost(method: string, outcome: Outcome, end: SocketEnd): TrueNASConnectionError {
  const why = end.reason === "" ? `the other side closed it, code ${end.code}` : end.reason;
  const state = outcome === "unknown" ? "it may have taken effect" : "it was not done";
  return new TrueNASConnectionError(`${method}: the connection to the NAS was lost (${why}); ${state}`, {
    method,
    outcome,
    failure: "lost",
    remedy: "The program reconnects automatically when the NAS answers.",
  });
}

/** What is wrong with an answer and where: `0.name: Required`. */
function describeMismatch(issue: z.core.$ZodIssue | undefined): string {
  if (issue === undefined) return "unknown shape";
  return issue.path.length === 0 ? issue.message : `${issue.path.join(".")}: ${issue.message}`;
}
