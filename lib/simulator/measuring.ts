/** Sends reporting.realtime: one measurement for all subscriptions with the same text, as often as that says. */
import { measuredLoad } from "./host_load.ts";
import type { Nas } from "./nas.ts";

interface Producer {
  subscriptions: number;
  timer: ReturnType<typeof setTimeout> | undefined;
}

/** What is being measured. */
export class Measuring {
  readonly #nas: Nas;
  readonly #producers = new Map<string, Producer>();

  /** Measures nothing until somebody subscribes. */
  constructor(nas: Nas) {
    this.#nas = nas;
  }

  /** Measures for one more subscription with this name, until the returned function is called. */
  start(name: string, intervalSeconds: number): () => void {
    const known = this.#producers.get(name);
    const producer = known ?? { subscriptions: 0, timer: undefined };
    producer.subscriptions++;
    if (known === undefined) {
      this.#producers.set(name, producer);
      producer.timer = setTimeout(() => this.#measure(name, producer, intervalSeconds));
    }
    return () => {
      if (--producer.subscriptions > 0) return;
      clearTimeout(producer.timer);
      this.#producers.delete(name);
    };
  }

  /** How many distinct subscriptions are measured for. */
  get count(): number {
    return this.#producers.size;
  }

  /** Stops all. */
  stop(): void {
    for (const { timer } of this.#producers.values()) clearTimeout(timer);
    this.#producers.clear();
  }

  #measure(collection: string, producer: Producer, intervalSeconds: number): void {
    const fields = measuredLoad(this.#nas, Date.now());
    if (fields !== null) this.#nas.emit({ msg: "added", collection, fields });
    const waitMs = intervalSeconds * this.#nas.times.measuringSecondMs;
    producer.timer = setTimeout(() => this.#measure(collection, producer, intervalSeconds), waitMs);
  }
}
