/** Formats sizes, times and counts for people. Pure. */

/** Bytes in a KiB. */
export const KIB = 1024;
/** Bytes in a MiB. */
export const MIB: number = KIB ** 2;
/** Bytes in a GiB. */
export const GIB: number = KIB ** 3;

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"] as const;

/** Formats bytes in binary units with at most one decimal: `20 GiB`, `1.5 TiB`, `512 B`. */
export function formatBytes(sizeBytes: number): string {
  let value = sizeBytes;
  let unit = 0;
  // Compares the rounded value, so that one byte less than a MiB is 1 MiB and not 1024 KiB.
  while (Math.abs(Number(value.toFixed(1))) >= KIB && unit < UNITS.length - 1) {
    value /= KIB;
    unit++;
  }
  return `${Number(value.toFixed(1))} ${UNITS[unit] ?? "B"}`;
}

/** Formats MiB: `4 GiB`, `512 MiB`. */
export function formatMib(memoryMib: number): string {
  return formatBytes(memoryMib * MIB);
}

/** GiB to bytes. */
export function gibToBytes(gib: number): number {
  return gib * GIB;
}

/** Formats milliseconds: `41 ms`, `0.4 s`, `12 s`, `15 min`, `1 min 42 s`, `2 h 5 min`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 100) return `${Math.max(0, Math.round(durationMs))} ms`;
  const seconds = durationMs / 1000;
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const minutes = Math.floor(whole / 60);
  return minutes < 60
    ? joined(minutes, "min", whole % 60, "s")
    : joined(Math.floor(minutes / 60), "h", minutes % 60, "min");
}

function joined(more: number, unit: string, rest: number, smaller: string): string {
  return rest === 0 ? `${more} ${unit}` : `${more} ${unit} ${rest} ${smaller}`;
}

/** Formats a number that may be large: `12`, `1,000`. */
export function formatNumber(value: number): string {
  return NUMBERS.format(value);
}

/** Made once, because making it takes longer than formatting. */
const NUMBERS = new Intl.NumberFormat("en");

/** Formats a count: `1 VM`, `3 VMs`. */
export function formatCount(count: number, singular: string, plural = `${singular}s`): string {
  return `${count} ${count === 1 ? singular : plural}`;
}

/** Milliseconds as a clock shows them: `0:41`, `12:05`, `1:02:03`. */
export function formatClock(durationMs: number): string {
  const seconds = Math.max(0, Math.floor(durationMs / 1_000));
  const two = (value: number) => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3_600);
  const minutes = Math.floor(seconds / 60) % 60;
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}
