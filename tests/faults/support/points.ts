/** Where a run is disturbed, how the points are counted, and the sweep over all of them. */
import assert from "node:assert/strict";
import process from "node:process";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { Fault, FaultMoment, SimulatedVersion } from "../../../lib/simulator/types.ts";
import type { OperationView } from "../../../lib/operations/types.ts";

/** Both ends of what is supported, which differ in every rule that matters here. */
export const VERSIONS: readonly SimulatedVersion[] = ["25.10", "27.0"];

/** The whole sweep takes minutes, so the tests try one point in so many; `deno task test:faults` tries all. */
const TRIES_ALL = process.env.FAULTS === "all";

/** One disturbance: the nth call of a run, and what happens to it. */
export interface Point {
  readonly version: SimulatedVersion;
  readonly action: "fail" | "cut" | "away" | "minute" | "restart" | "kill";
  /** `late`: the call takes effect after its caller has ended. */
  readonly moment: FaultMoment | "late";
  readonly nth: number;
}

/** Methods of signing in and listening, which are no part of a run. */
const ASIDE = /^(auth|core|system)\./;

/** Longer than an operation takes to notice (four polls). */
const AWAY_MS = 150;

/** How long a NAS is away for a minute, in milliseconds of a {@link SkippingClock}. */
export const MINUTE_MS = 60_000;

/** A clock that can skip time. */
export class SkippingClock {
  #skippedMs = 0;
  /** Milliseconds since 1970 (UTC). */
  readonly now = (): number => Date.now() + this.#skippedMs;

  /** So many milliseconds pass at once. */
  skip(ms: number): void {
    this.#skippedMs += ms;
  }
}

/** How a NAS is away for a minute. */
export interface Skipping {
  readonly clock: SkippingClock;
  /** The operations; one that runs without waiting has not noticed yet. */
  readonly operations: () => readonly Pick<OperationView, "status">[];
}

/** The NAS is away for a while, and may have restarted meanwhile. */
async function leave(simulator: Simulator, restarted: boolean, skipping: Skipping | null): Promise<void> {
  await simulator.goAway();
  await pause(AWAY_MS);
  if (skipping !== null) {
    // A call may still be looked for on the NAS, which takes as long as it settles.
    const has = (status: OperationView["status"]) => skipping.operations().some((it) => it.status === status);
    for (let idle = 0; idle < AWAY_TRIES && !has("waiting"); idle += has("running") ? 0 : 1) {
      await pause(AWAY_MS);
    }
    skipping.clock.skip(MINUTE_MS);
  }
  await simulator.comeBack({ restarted });
}

/** After so many pauses without one that runs, the operations are taken to be over. */
const AWAY_TRIES = 4;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Counts the calls of a run, makes a fault strike the nth, and reports when it has struck. */
export function strike(
  simulator: Simulator,
  { action, moment, nth }: Point,
  skipping: Skipping | null = null,
) {
  const struck = Promise.withResolvers<void>();
  let seen = 0;
  let hasStruck = false;
  let isBack: Promise<void> = Promise.resolve();
  let hasRestarted = false;
  let isOver = false;
  const cut = { action: moment === "late" ? "linger" : "cut" } as const;
  const fault = {
    fail: { action: "fail" },
    cut,
    away: cut,
    minute: cut,
    restart: cut,
    kill: { action: moment === "late" ? "linger" : "stall" },
  }[action] as Pick<Fault, "action">;
  simulator.addFault({
    ...fault,
    times: Infinity,
    moment: moment === "late" ? "before" : moment,
    methods: (method) => !ASIDE.test(method),
    matches: () => {
      const isIt = seen++ === nth && !isOver;
      if (isIt) {
        hasStruck = true;
        // The call is received; it is stopped at its moment, which comes at once after.
        setTimeout(struck.resolve, moment === "before" || moment === "late" ? 0 : 12);
        isBack = struck.promise.then(async () => {
          if (action === "cut" && moment === "late") simulator.cutConnections();
          if (action === "away" || action === "restart") await leave(simulator, action === "restart", null);
          hasRestarted = action === "restart";
          if (action === "minute") await leave(simulator, false, skipping);
        });
      }
      return isIt;
    },
  });
  // Struck at its last call, an operation may end before the NAS goes down, and what a later restart stops is not its own.
  const hasHit = () => hasStruck && (action !== "restart" || hasRestarted);
  /** Called when the run has ended; false when it was over before. */
  const back = () => {
    // What is called from then on, such as the list's own reads, disturbs nothing any more.
    isOver = true;
    const isHit = hasHit();
    return isBack.then(() => isHit);
  };
  return { struck: struck.promise, hasStruck: () => hasStruck, seen: () => seen, back };
}

/** Runs a program and kills it at the point; false when it was over before. */
export async function killAtPoint(
  simulator: Simulator,
  args: readonly string[],
  point: Point,
): Promise<boolean> {
  const { struck, hasStruck } = strike(simulator, point);
  const command = new Deno.Command(Deno.execPath(), { args: [...args], stdout: "null", stderr: "null" });
  const child = command.spawn();
  const ended = child.status;
  const isStruck = await Promise.race([struck.then(() => true), ended.then(() => false)]);
  const isKilled = isStruck && kill(child);
  const { success } = await ended;
  simulator.clearFaults();
  assert.ok(isKilled || success, "a program that is not killed does its work");
  return isKilled && hasStruck();
}

/** False when it was over a moment before, as it may be after its last call. */
function kill(child: Deno.ChildProcess): boolean {
  try {
    child.kill("SIGKILL");
    return true;
  } catch (error) {
    if (error instanceof TypeError && /already terminated/.test(error.message)) return false;
    throw error;
  }
}

/** How a sweep is set up. */
export interface Sweep {
  readonly name: string;
  readonly actions: readonly Point["action"][];
  readonly moments: readonly Point["moment"][];
  /** Calls of an undisturbed run. */
  readonly count: (version: SimulatedVersion) => Promise<number>;
  /** Tries one point; false when the run was over before it. */
  readonly run: (point: Point) => Promise<boolean>;
  /** Tries one point in so many, unless all are tried; default 4. */
  readonly sample?: number;
  /** Default: {@link VERSIONS}. */
  readonly versions?: readonly SimulatedVersion[];
  /** What the printed total calls the points that were tried; default `survived`. */
  readonly verb?: string;
  /** Points tried at once. */
  readonly width: number;
}

/** Tries every point, or a sample that is spread over all of them, and prints the totals. */
export async function sweep(
  { name, actions, moments, count, run, width, versions = VERSIONS, verb = "survived", sample = 4 }: Sweep,
): Promise<void> {
  const points: Point[] = [];
  for (const version of versions) {
    const calls = await count(version);
    assert.ok(calls > 10, "the premise: the run makes calls");
    for (const action of actions) {
      for (const moment of moments) {
        // Only up to 25.10 does a call continue without its connection.
        if (moment === "late" && !["24.10", "25.10"].includes(version)) continue;
        for (let nth = 0; nth < calls; nth++) points.push({ version, action, moment, nth });
      }
    }
  }
  const step = TRIES_ALL ? 1 : sample;
  const chosen = points.filter((_, index) => index % step === 0);
  let tried = 0;
  const queue = chosen[Symbol.iterator]();
  const failures: unknown[] = [];
  const work = async () => {
    for (const point of queue) {
      if (failures.length > 0) return;
      try {
        if (await run(point)) tried++;
      } catch (error) {
        failures.push(error);
      }
    }
  };
  // Points that are under way end in order, also when another one failed.
  await Promise.all(Array.from({ length: width }, work));
  if (failures.length > 0) throw failures[0];
  assert.ok(tried > chosen.length / 2, `the sweep reached the run: ${tried} of ${chosen.length}`);
  const sampled = step === 1 ? "" : ` (one in ${step} of ${points.length})`;
  await Deno.stdout.write(
    new TextEncoder().encode(`${name}: ${tried} points tried, ${tried} ${verb}${sampled}\n`),
  );
}
