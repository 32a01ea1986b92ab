/** Errors that nobody waits for: each is logged, and none stops what it has nothing to do with. */
import type { Logger } from "../observability/logging.ts";

/** How the log tells of an error of this program; tests fail when they find it there. */
export const FAULT = "A fault of this program";

/**
 * Notifies each listener. One that throws is an error of its own: the others are notified all the same, and whoever
 * notifies them goes on.
 */
export function notifyEach<L>(listeners: Iterable<L>, notify: (listener: L) => void, logger: Logger): void {
  for (const listener of listeners) {
    try {
      notify(listener);
    } catch (error) {
      logger.error(`${FAULT}: a listener failed; the others were notified`, { error: traceOf(error) });
    }
  }
}

/** Lets work run that has no caller to hear of its failure. */
export function runDetached(work: Promise<unknown>, what: string, logger: Logger): void {
  work.catch((error) => logger.error(`${FAULT}: ${what} failed`, { error: traceOf(error) }));
}

/**
 * Logs every error that no code caught and every rejection that no code awaited. Without this the runtime would end
 * the program, and with it operations that have nothing to do with the error.
 */
export function logStrayErrors(logger: Logger): void {
  const log = (error: unknown) =>
    logger.error(`${FAULT}: nothing handled this error; the program goes on. Please report it`, {
      error: traceOf(error),
    });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    log(event.reason);
  });
  addEventListener("error", (event) => {
    event.preventDefault();
    log(event.error ?? event.message);
  });
}

function traceOf(error: unknown): string {
  return error instanceof Error ? error.stack ?? error.message : String(error);
}
