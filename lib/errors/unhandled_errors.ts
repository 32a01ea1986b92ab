/** Logs errors that no caller handles, so that none stops unrelated work. */
import type { Logger } from "../observability/logging.ts";

/** Prefix of internal errors in the log; tests fail when they find it. */
export const FAULT = "Internal error";

/** Notifies every listener, even if one throws; its error is logged. */
export function notifyEach<L>(listeners: Iterable<L>, notify: (listener: L) => void, logger: Logger): void {
  for (const listener of listeners) {
    try {
      notify(listener);
    } catch (error) {
      logger.error(`${FAULT}: a listener failed; the other listeners were notified`, {
        error: traceOf(error),
      });
    }
  }
}

/** Runs work in the background and logs its failure, because no caller awaits it. */
export function runDetached(work: Promise<unknown>, what: string, logger: Logger): void {
  work.catch((error) => logger.error(`${FAULT}: ${what} failed`, { error: traceOf(error) }));
}

/** Logs uncaught errors and unhandled rejections, which would otherwise end the program and running operations with it. */
export function logStrayErrors(logger: Logger): void {
  const log = (error: unknown) =>
    logger.error(`${FAULT}: an error was not handled; the program continues. Please report it`, {
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
