/** Statistics of benchmark results. */
import type { Program } from "../support/program/program.ts";

/** The value below which so many per cent lie; 0 of nothing. */
export function percentile(values: readonly number[], percent: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * percent / 100))] ?? 0;
}

/** The program's resident memory in MB, as it says itself. */
export async function memoryMb(
  { url }: Program,
  headers: Readonly<Record<string, string>> = {},
): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`, { headers })).text();
  return Number(/^process_resident_memory_bytes (\S+)$/m.exec(metrics)?.[1]) / 1e6;
}
