/** Faults to order: which call they strike, when, and how. */
import type { Nas } from "./nas.ts";
import type { Fault, FaultMoment } from "./types.ts";
import { MethodError, OtherReply } from "./wire/wire_errors.ts";

/** Thrown by a fault that drops the socket, and by one that never answers. */
export const CUT: unique symbol = Symbol("cut");
/** See {@link CUT}. */
export const STALLED: unique symbol = Symbol("stalled");

interface Armed {
  readonly fault: Fault;
  toSkip: number;
  left: number;
}

/** What happens to one call. */
export interface InjectedFault {
  /** Throws, or never returns, when a fault strikes at this moment. */
  pass(moment: FaultMoment, gone: AbortSignal, nas: Nas): Promise<void>;
}

/** The faults to come. */
export class Faults {
  #armed: Armed[] = [];

  /** Adds one. */
  add(fault: Fault): void {
    this.#armed.push({ fault, toSkip: fault.skip ?? 0, left: fault.times ?? 1 });
  }

  /** Forgets all. */
  clear(): void {
    this.#armed = [];
  }

  /** Chooses the fault that strikes this call, if any. */
  strike(method: string, params: readonly unknown[]): InjectedFault {
    const armed = this.#armed.find(({ fault, left }) =>
      left > 0 && (fault.method ?? method) === method && (fault.methods?.(method) ?? true) &&
      (fault.matches?.(params) ?? true)
    );
    if (armed === undefined) return NO_STRIKE;
    if (armed.toSkip > 0) {
      armed.toSkip--;
      return NO_STRIKE;
    }
    armed.left--;
    const { fault } = armed;
    return {
      pass: async (moment, gone, nas) => {
        if (moment === (fault.moment ?? "before")) await act(fault, gone, nas);
      },
    };
  }
}

const NO_STRIKE: InjectedFault = { pass: () => Promise.resolve() };

const DEFAULT_ERROR = { errno: 14, errname: "EFAULT", reason: "[EFAULT] Simulated failure" } as const;

/** How long a call that goes on without its connection is behind it. */
const LINGER_MS = 30;

async function act(
  { action, error = DEFAULT_ERROR, result, until }: Fault,
  gone: AbortSignal,
  nas: Nas,
): Promise<void> {
  if (action === "cut") throw CUT;
  if (action === "answer") throw new OtherReply(result);
  if (action === "hold") return await until;
  if (action === "linger") {
    await untilAborted(gone);
    if (nas.profile.cancelsOnDisconnect) throw STALLED;
    return await nas.sleep(LINGER_MS);
  }
  if (action === "stall") {
    await untilAborted(gone);
    throw STALLED;
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
