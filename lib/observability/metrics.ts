/** Metrics in Prometheus' text format. Has no clock and no I/O of its own. */

/** Labels of a series. */
export type Labels = Readonly<Record<string, string>>;

/** Upper bounds of the histogram buckets in seconds, from fast calls to shutdowns. */
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 180] as const;

/** Maximum number of series per metric; labels come from fixed tables, so more indicate a bug. */
const MAX_SERIES = 500;

interface Histogram {
  readonly counts: number[];
  count: number;
  sum: number;
}

/** The metrics. */
export const METRICS = {
  truenas_vm_manager_build_info: "1, with the version of this program",
  truenas_vm_manager_operations_total: "Finished operations by kind and status",
  truenas_vm_manager_operations_waiting: "Operations that wait for the NAS",
  truenas_vm_manager_healed_total:
    "Calls of steps that did not succeed at once and were mended, by kind of step",
  truenas_vm_manager_steps_total: "Finished steps by kind and status",
  truenas_vm_manager_step_seconds: "Duration of steps in seconds by kind",
  truenas_vm_manager_nas_call_seconds: "Duration of calls to the NAS in seconds by method and outcome",
  truenas_vm_manager_nas_concurrency: "Limit of concurrent calls of operations",
  truenas_vm_manager_connected: "1 while connected to the NAS, otherwise 0",
  truenas_vm_manager_reconnects_total: "Lost connections to the NAS",
  truenas_vm_manager_streams: "Open live pages",
  truenas_vm_manager_vms: "VMs on the NAS, by state",
  truenas_vm_manager_vms_ready: "Running VMs that were waited for, by whether they answer",
  process_resident_memory_bytes: "Resident memory in bytes",
  process_start_time_seconds: "Start time of the process in seconds since 1970",
} as const;

/** The name of a metric. */
export type MetricName = keyof typeof METRICS;

/** Reads a gauge's current value. */
export type Gauge = () => readonly { readonly labels?: Labels; readonly value: number }[];

/** Holds the metrics. */
export class Metrics {
  readonly #counters = new Map<MetricName, Map<string, number>>();
  readonly #histograms = new Map<MetricName, Map<string, Histogram>>();
  readonly #gauges = new Map<MetricName, Gauge>();

  /** Lets a counter begin with 0, because a rate cannot tell a first value from one that was always there. */
  expect(name: MetricName, labels: Labels = {}): void {
    this.#add(name, labels, 0);
  }

  /** Increments a counter. */
  count(name: MetricName, labels: Labels = {}): void {
    this.#add(name, labels, 1);
  }

  #add(name: MetricName, labels: Labels, by: number): void {
    const series = this.#series(this.#counters, name);
    const key = keyOf(labels);
    if (series.size < MAX_SERIES || series.has(key)) series.set(key, (series.get(key) ?? 0) + by);
  }

  /** Records a duration in seconds. */
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

  /** Registers a gauge that is read on each scrape. */
  gauge(name: MetricName, read: Gauge): void {
    this.#gauges.set(name, read);
  }

  /** Renders all metrics in the text format. */
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

/** Escapes a label value; some come from the NAS. */
function escape(value: string): string {
  return value.slice(0, 100).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
