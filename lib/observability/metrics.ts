/** Numbers for a monitoring system, in Prometheus' text format. No clock and no I/O of its own. */

/** What tells one series from another. */
export type Labels = Readonly<Record<string, string>>;

/** Upper ends of the buckets of times, in seconds: a call takes milliseconds, a zvol a second, a shutdown minutes. */
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180] as const;

/** Series of one name at most: labels come from tables here, so more are a mistake. */
const MAX_SERIES = 500;

interface Histogram {
  readonly counts: number[];
  count: number;
  sum: number;
}

/** What can be counted and measured. */
export const METRICS = {
  truenas_vm_manager_operations_total: "Operations that ended, by kind and status",
  truenas_vm_manager_steps_total: "Steps that ended, by step kind and status",
  truenas_vm_manager_step_seconds: "How long steps took, by step kind",
  truenas_vm_manager_nas_call_seconds: "How long the NAS took to answer, by method and outcome",
  truenas_vm_manager_nas_calls_width: "Calls that change the NAS which may be under way at once",
  truenas_vm_manager_connected: "1 while there is a connection to the NAS",
  truenas_vm_manager_reconnects_total: "Connections to the NAS that were lost",
  truenas_vm_manager_streams: "Pages that are kept up to date now",
  truenas_vm_manager_vms: "VMs on the NAS, by state",
  process_resident_memory_bytes: "Memory of this program",
  process_start_time_seconds: "When this program started, in seconds since 1970",
} as const;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** A value that is asked for when it is read. */
export type Gauge = () => readonly { readonly labels?: Labels; readonly value: number }[];

/** Holds the numbers. */
export class Metrics {
  readonly #counters = new Map<MetricName, Map<string, number>>();
  readonly #histograms = new Map<MetricName, Map<string, Histogram>>();
  readonly #gauges = new Map<MetricName, Gauge>();

  /** Counts one more. */
  count(name: MetricName, labels: Labels = {}): void {
    const series = this.#series(this.#counters, name);
    const key = keyOf(labels);
    if (series.size < MAX_SERIES || series.has(key)) series.set(key, (series.get(key) ?? 0) + 1);
  }

  /** Measures a time in seconds. */
  observe(name: MetricName, seconds: number, labels: Labels = {}): void {
    const series = this.#series(this.#histograms, name);
    const key = keyOf(labels);
    if (series.size >= MAX_SERIES && !series.has(key)) return;
    const histogram = series.get(key) ?? { counts: BUCKETS_S.map(() => 0), count: 0, sum: 0 };
    for (const [index, end] of BUCKETS_S.entries()) {
      if (seconds <= end) histogram.counts[index] = (histogram.counts[index] ?? 0) + 1;
    }
    histogram.count++;
    histogram.sum += seconds;
    series.set(key, histogram);
  }

  /** Gives a value that is asked for whenever the numbers are read. */
  gauge(name: MetricName, read: Gauge): void {
    this.#gauges.set(name, read);
  }

  /** Everything, in the text format. */
  render(): string {
    const lines: string[] = [];
    for (const [name, help] of Object.entries(METRICS) as [MetricName, string][]) {
      const own = [...this.#counterLines(name), ...this.#histogramLines(name), ...this.#gaugeLines(name)];
      if (own.length === 0) continue;
      const type = this.#counters.has(name) ? "counter" : this.#histograms.has(name) ? "histogram" : "gauge";
      lines.push(`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`, ...own);
    }
    return `${lines.join("\n")}\n`;
  }

  #series<T>(of: Map<MetricName, Map<string, T>>, name: MetricName): Map<string, T> {
    const series = of.get(name) ?? new Map<string, T>();
    of.set(name, series);
    return series;
  }

  #counterLines(name: MetricName): string[] {
    return [...this.#counters.get(name) ?? []].map(([labels, value]) => `${name}${braced(labels)} ${value}`);
  }

  #histogramLines(name: MetricName): string[] {
    return [...this.#histograms.get(name) ?? []].flatMap(([labels, { counts, count, sum }]) => {
      const within = (end: string) => braced([labels, `le="${end}"`].filter(Boolean).join(","));
      return [
        ...BUCKETS_S.map((end, index) => `${name}_bucket${within(String(end))} ${counts[index] ?? 0}`),
        `${name}_bucket${within("+Inf")} ${count}`,
        `${name}_sum${braced(labels)} ${sum}`,
        `${name}_count${braced(labels)} ${count}`,
      ];
    });
  }

  #gaugeLines(name: MetricName): string[] {
    const read = this.#gauges.get(name);
    return (read?.() ?? []).map(({ labels = {}, value }) => `${name}${braced(keyOf(labels))} ${value}`);
  }
}

function keyOf(labels: Labels): string {
  return Object.entries(labels).map(([name, value]) => `${name}="${escape(value)}"`).join(",");
}

function braced(labels: string): string {
  return labels === "" ? "" : `{${labels}}`;
}

/** As the text format wants it; a value comes from the NAS at times. */
function escape(value: string): string {
  return value.slice(0, 100).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
