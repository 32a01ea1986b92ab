/** Injected faults: which call they affect, when, and how. */
import type { Nas } from "./nas.ts";
import type { Fault, FaultMoment } from "./types.ts";
import { MethodError, OtherReply } from "./wire/wire_errors.ts";

/** Thrown by a fault that drops the socket. */
export const CUT: unique symbol = Symbol("cut");
/** Thrown by a fault that never answers. */
export const STALLED: unique symbol = Symbol("stalled");

interface Armed {
  readonly fault: Fault;
  toSkip: number;
  remaining: number;
}

/** The fault of one call. */
export interface InjectedFault {
  /** Throws, or never returns, when the fault occurs at this moment; `closed` is the end of the connection. */
  pass(moment: FaultMoment, closed: AbortSignal, nas: Nas): Promise<void>;
}

/** The pending faults. */
export class Faults {
  #armed: Armed[] = [];

  /** Adds one. */
  add(fault: Fault): void {
    this.#armed.push({ fault, toSkip: fault.skip ?? 0, remaining: fault.times ?? 1 });
  }

  /** Removes all. */
  clear(): void {
    this.#armed = [];
  }

  /** Chooses the fault that affects this call, if any. */
  choose(method: string, params: readonly unknown[]): InjectedFault {
    const armed = this.#armed.find(({ fault, remaining }) =>
      remaining > 0 && (fault.method ?? method) === method && (fault.methods?.(method) ?? true) &&
      (fault.matches?.(params) ?? true)
    );
    if (armed === undefined || armed.toSkip-- > 0) return NO_FAULT;
    armed.remaining--;
    const { fault } = armed;
    return {
      pass: async (moment, closed, nas) => {
        if (moment === (fault.moment ?? "before")) await act(fault, closed, nas);
      },
    };
  }
}

const NO_FAULT: InjectedFault = { pass: () => Promise.resolve() };

const DEFAULT_ERROR = { errno: 14, errname: "EFAULT", reason: "[EFAULT] Simulated failure" } as const;

/** How long a call continues without its connection, in milliseconds. */
const LINGER_MS = 30;

async function act(
  { action, error = DEFAULT_ERROR, result, until }: Fault,
  closed: AbortSignal,
  nas: Nas,
): Promise<void> {
  if (action === "cut") throw CUT;
  if (action === "answer") throw new OtherReply(result);
  if (action === "hold") return await until;
  if (action === "linger" || action === "stall") {
    await untilAborted(closed);
    if (action === "stall" || nas.profile.cancelsOnDisconnect) throw STALLED;
    return await nas.sleep(LINGER_MS);
  }
  const { errno, errname, reason } = error;
  const trace = { class: "CallError", formatted: "…", repr: "…" };
  const data = { error: errno, errname, reason, trace, extra: null };
  throw new MethodError({ code: -32001, message: "Method call error", data });
}

function untilAborted(signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  if (signal.aborted) resolve();
  else signal.addEventListener("abort", () => resolve(), { once: true });
  return promise;
}
