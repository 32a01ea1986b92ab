/** Caches readings that may be slightly old: returns the known value and refreshes an older one in the background. */

/** Age limits of a reading in milliseconds. */
export interface Ages {
  /** Younger readings are not refreshed. */
  readonly freshMs: number;
  /** Older readings are not returned. */
  readonly staleMs: number;
}

interface Known<T> {
  readonly at: number;
  readonly value: T;
}

/** Caches one reading per key. */
export class TimedCache<T> {
  readonly #read: (key: string) => Promise<T>;
  readonly #ages: Ages;
  readonly #now: () => number;
  readonly #known = new Map<string, Known<T>>();
  readonly #reading = new Map<string, Promise<T>>();

  /** `now` returns milliseconds on a monotonic clock. */
  constructor(read: (key: string) => Promise<T>, ages: Ages, now: () => number = () => performance.now()) {
    this.#read = read;
    this.#ages = ages;
    this.#now = now;
  }

  /** Returns the cached value unless it is too old, otherwise reads it. Throws only the error of a reading it waited for. */
  async get(key: string): Promise<T> {
    const known = this.#known.get(key);
    const age = known === undefined ? Infinity : this.#now() - known.at;
    if (known !== undefined && age < this.#ages.freshMs) return known.value;
    const reading = this.renew(key);
    if (known === undefined || age >= this.#ages.staleMs) return await reading;
    // A failed background refresh is retried, and its error thrown, once the cached value is too old.
    reading.catch(() => {});
    return known.value;
  }

  /** The cached value, however old, without reading; null if there is none. */
  peek(): T | null {
    const [known] = this.#known.values();
    return known?.value ?? null;
  }

  /** Reads the value, or joins a reading in progress. */
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
