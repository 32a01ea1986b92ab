/** The load of the NAS as charts: its readings of the last minutes in equal steps of time, and the newest in words. */
import { LOAD_KEPT_MS } from "../../lib/inventory/host_load.ts";
import type { HostSample } from "../../lib/inventory/inventory.ts";
import { formatBytes, KIB } from "../../lib/units.ts";
import type { HostLoadView, LoadChart } from "../../templates/parts/host_load.tsx";

/** How much time a point of a chart stands for. */
export const LOAD_STEP_MS = 4_000;
const STEPS = LOAD_KEPT_MS / LOAD_STEP_MS;
/** An older reading is not the current one. */
const CURRENT_MS = 15_000;
/** When nobody looked for longer than this, the charts begin anew, because a line across it would be invented. */
const LONGEST_GAP_MS = 16_000;
/** An idle NAS is a flat line, and not mountains of a few bytes. */
const LEAST_RATE = 1_024 * KIB;

/** The charts of these readings, which are in order. */
export function loadView(samples: readonly HostSample[], now: number): HostLoadView {
  const unbroken = lastUnbroken(samples);
  const steps = inSteps(unbroken, now);
  const newest = unbroken.at(-1);
  const latest = newest !== undefined && now - newest.at <= CURRENT_MS ? newest : null;
  return {
    charts: [cpuChart(steps, latest), memoryChart(steps, latest), ...rateCharts(steps, latest)],
    since: sinceOf(steps),
  };
}

/** The readings since the last time that nobody looked. */
function lastUnbroken(samples: readonly HostSample[]): readonly HostSample[] {
  const first = samples.findLastIndex(({ at }, n) => {
    const before = samples[n - 1];
    return before !== undefined && at - before.at > LONGEST_GAP_MS;
  });
  return first === -1 ? samples : samples.slice(first);
}

/** When the readings began, if half of the charts or more is empty for it; null otherwise. */
function sinceOf(steps: Steps): number | null {
  const first = steps.findIndex(({ length }) => length > 0);
  return first < STEPS / 2 ? null : steps[first]?.[0]?.at ?? null;
}

type Steps = readonly (readonly HostSample[])[];

/** The readings of each step of time, oldest first; the current step is the last. */
function inSteps(samples: readonly HostSample[], now: number): Steps {
  const current = Math.floor(now / LOAD_STEP_MS);
  const steps: HostSample[][] = Array.from({ length: STEPS }, () => []);
  for (const sample of samples) {
    steps[STEPS - 1 - (current - Math.floor(sample.at / LOAD_STEP_MS))]?.push(sample);
  }
  return steps;
}

/** The mean of a figure in each step; null where there is none. */
function means(steps: Steps, figure: (sample: HostSample) => number | null): readonly (number | null)[] {
  return steps.map((samples) => {
    const known = samples.map(figure).filter((it) => it !== null);
    return known.length === 0 ? null : known.reduce((sum, it) => sum + it, 0) / known.length;
  });
}

function shares(values: readonly (number | null)[], whole: number): readonly (number | null)[] {
  return values.map((value) => value === null ? null : Math.min(1, value / whole));
}

function cpuChart(steps: Steps, latest: HostSample | null): LoadChart {
  const values = means(steps, ({ cpuPercent }) => cpuPercent);
  const percent = latest?.cpuPercent ?? null;
  const now = percent === null ? null : formatPercent(percent);
  return {
    id: "cpu",
    name: "CPU",
    now,
    detail: "",
    parts: null,
    words: inWords("CPU of the NAS", now, values, formatPercent),
    layers: [shares(values, 100)],
  };
}

function memoryChart(steps: Steps, latest: HostSample | null): LoadChart {
  const used = means(steps, ({ memory }) => memory?.usedBytes ?? null);
  const cached = means(steps, ({ memory }) => memory === null ? null : memory.usedBytes + memory.cacheBytes);
  const total = steps.flat().reduce((most, { memory }) => Math.max(most, memory?.totalBytes ?? 0), 1);
  const memory = latest?.memory ?? null;
  const now = memory === null ? null : formatBytes(memory.usedBytes);
  const cache = memory === null ? "" : formatBytes(memory.cacheBytes);
  const whole = memory === null ? "" : `${now} of ${formatBytes(memory.totalBytes)}`;
  const inUse = memory === null ? null : `${whole} in use and ${cache} of file cache`;
  return {
    id: "memory",
    name: "Memory",
    now,
    detail: memory === null ? "" : "in use",
    parts: null,
    words: inWords("Memory of the NAS", inUse, used, formatBytes),
    layers: [shares(used, total), shares(cached, total)],
  };
}

function rateCharts(steps: Steps, latest: HostSample | null): readonly LoadChart[] {
  return [
    rateChart(steps, latest, {
      id: "network",
      name: "Network",
      directions: ["in", "out"],
      rates: ({ network }) => network === null ? null : [network.receivedBytes, network.sentBytes],
    }),
    rateChart(steps, latest, {
      id: "disks",
      name: "Disks",
      directions: ["read", "write"],
      rates: ({ disks }) => disks === null ? null : [disks.readBytes, disks.writtenBytes],
    }),
  ];
}

interface RateKind {
  readonly id: string;
  readonly name: string;
  readonly directions: readonly [string, string];
  /** Bytes per second in both directions. */
  readonly rates: (sample: HostSample) => readonly [number, number] | null;
}

function rateChart(
  steps: Steps,
  latest: HostSample | null,
  { id, name, directions, rates }: RateKind,
): LoadChart {
  const sum = (sample: HostSample) => rates(sample)?.reduce((all, it) => all + it, 0) ?? null;
  const values = means(steps, sum);
  const most = values.reduce<number>((max, value) => Math.max(max, value ?? 0), LEAST_RATE);
  const both = latest === null ? null : rates(latest);
  const total = latest === null ? null : sum(latest);
  const now = total === null ? null : formatRate(total);
  const parts = both === null
    ? null
    : both.map((rate, n) => `${formatRate(rate)} ${directions[n]}`).join(", ");
  return {
    id,
    name,
    now,
    detail: "",
    parts,
    words: inWords(`${name} of the NAS`, now === null ? null : `${now} (${parts})`, values, formatRate),
    layers: [shares(values, most)],
  };
}

/** `CPU of the NAS: 12 % now, from 4 % to 31 % in the last 3 minutes`. */
function inWords(
  what: string,
  now: string | null,
  values: readonly (number | null)[],
  format: (value: number) => string,
): string {
  const known = values.filter((value) => value !== null);
  const range = `from ${format(Math.min(...known))} to ${format(Math.max(...known))} in the last 3 minutes`;
  if (known.length === 0) return `${what}: no figure yet`;
  return now === null ? `${what}: no current figure, ${range}` : `${what}: ${now} now, ${range}`;
}

function formatPercent(percent: number): string {
  return `${Math.round(percent)} %`;
}

/** Short, because it changes all the time. */
function formatRate(bytes: number): string {
  const [number = "", unit = ""] = formatBytes(bytes < KIB ? 0 : bytes).split(" ");
  const value = Number(number);
  return `${value < 10 ? value : Math.round(value)} ${value === 0 ? "KiB" : unit}/s`;
}
