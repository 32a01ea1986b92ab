/** Tells a NAS that is away for a while from everything that waiting does not mend. Pure. */
import { type ConnectionFailure, TrueNASConnectionError } from "./errors.ts";

/** Failures of a NAS that is off, starting or out of reach. */
const AWAY: readonly ConnectionFailure[] = [
  "dns",
  "refused",
  "timeout",
  "standby",
  "lost",
  "not-truenas",
  "starting",
];

/** Whether the NAS is away, and may come back by itself. */
export function isOutage(error: unknown): error is TrueNASConnectionError {
  return error instanceof TrueNASConnectionError && AWAY.includes(error.failure);
}

/** Whether waiting mends it: the NAS is away, or refuses logins for a minute because there were many. */
export function passesByItself(error: unknown): error is TrueNASConnectionError {
  return isOutage(error) || (error instanceof TrueNASConnectionError && error.failure === "rate-limited");
}
