/** Ends running operations when the program has to stop. */
import type { OperationRunner } from "./runner.ts";
import type { OperationView } from "./types.ts";

/** How long running operations may continue when the program stops, in milliseconds. */
export interface DrainTimes {
  /** Time to finish normally. */
  readonly finishMs: number;
  /** Time to end after they were cancelled. */
  readonly cancelMs: number;
}

/** Refuses further operations, and lets the running ones finish and then end; returns those that did not in time. */
export async function drain(
  runner: OperationRunner,
  { finishMs, cancelMs }: DrainTimes,
): Promise<readonly OperationView[]> {
  const { running } = runner;
  const allFinished = () => Promise.all([...running.values()].map(({ finished }) => finished));
  runner.close();
  if (await within(allFinished(), finishMs)) return [];
  for (const { cancel, outages } of running.values()) {
    outages.interrupt("The program was stopped");
    cancel.abort("keep");
  }
  if (await within(allFinished(), cancelMs)) return [];
  // What waits for them is told now that the program stops.
  runner.claims.releaseAll();
  return [...running.values()].map(({ log }) => log.view);
}

/** Whether the work ended in time. */
async function within(work: Promise<unknown>, ms: number): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<false>();
  const timer = setTimeout(() => resolve(false), ms);
  const ended = await Promise.race([work.then(() => true), promise]);
  clearTimeout(timer);
  return ended;
}
