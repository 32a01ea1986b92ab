/** Readings that may be a little old: whoever asks gets what is known, and what is older is read again meanwhile. */

/** How long a reading is good, in milliseconds. */
export interface Ages {
  /** Younger ones are not read again. */
  readonly freshMs: number;
  /** Older ones are not given out. */
  readonly staleMs: number;
}

interface Known<T> {
  readonly at: number;
  readonly value: T;
}

/** Remembers one reading for each key. */
export class TimedCache<T> {
  readonly #read: (key: string) => Promise<T>;
  readonly #ages: Ages;
  readonly #now: () => number;
  readonly #known = new Map<string, Known<T>>();
  readonly #reading = new Map<string, Promise<T>>();

  /** `now` gives milliseconds from any beginning. */
  constructor(read: (key: string) => Promise<T>, ages: Ages, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#ages = ages;
    this.#now = now;
  }

  /** What is known, if it is not too old; else it is read. An error is that of the reading that was waited for. */
  async get(key: string): Promise<T> {
    const known = this.#known.get(key);
    const age = known === undefined ? Infinity : this.#now() - known.at;
    if (known !== undefined && age < this.#ages.freshMs) return known.value;
    const reading = this.renew(key);
    if (known === undefined || age >= this.#ages.staleMs) return await reading;
    // What fails in the background is read again, and told, by whoever asks once the value is too old.
    reading.catch(() => {});
    return known.value;
  }

  /** Reads it now, or waits for the reading that is under way. */
  renew(key: string): Promise<T> {
    const started = this.#reading.get(key);
    if (started !== undefined) return started;
    const reading = this.#read(key).then((value) => {
      this.#known.clear();
      this.#known.set(key, { at: this.#now(), value });
      return value;
    }).finally(() => this.#reading.delete(key));
    this.#reading.set(key, reading);
    return reading;
  }
}
