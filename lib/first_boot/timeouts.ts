/** How long a VM has to answer. Pure. */
import type { ReadySection } from "./types.ts";

/** The shortest: nothing boots faster. */
export const MIN_TIMEOUT = "10s";
/** The longest. */
export const MAX_TIMEOUT = "24h";
/** Where none is given. */
export const DEFAULT_TIMEOUT = "10m";

const UNIT_MS: Readonly<Record<string, number>> = { s: 1_000, m: 60_000, h: 3_600_000 };

function durationMs(text: string): number | null {
  const [, amount, unit = ""] = /^(\d{1,6})([smh])$/.exec(text) ?? [];
  return amount === undefined ? null : Number(amount) * (UNIT_MS[unit] ?? NaN);
}

/** `90s`, `10m` or `1h` in milliseconds; null when it is none of these, too short or too long. */
export function timeoutMsOf(text: string): number | null {
  const timeoutMs = durationMs(text);
  if (timeoutMs === null) return null;
  const isWithin = timeoutMs >= Number(durationMs(MIN_TIMEOUT)) &&
    timeoutMs <= Number(durationMs(MAX_TIMEOUT));
  return isWithin ? timeoutMs : null;
}

/** How long the VMs of a type have, in milliseconds. */
export function readyTimeoutMs({ timeout = DEFAULT_TIMEOUT }: Pick<ReadySection, "timeout">): number {
  return timeoutMsOf(timeout) ?? Number(durationMs(DEFAULT_TIMEOUT));
}
