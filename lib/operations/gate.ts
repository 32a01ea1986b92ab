/** Lets so many through at once, in the order in which they came. */
export class Gate {
  readonly #width: number;
  readonly #waiting: (() => void)[] = [];
  #inside = 0;

  /** `width` may be inside at once. */
  constructor(width: number) {
    this.#width = width;
  }

  /** Does the work when it is its turn. */
  async through<T>(work: () => Promise<T>): Promise<T> {
    if (this.#inside >= this.#width) {
      const { promise, resolve } = Promise.withResolvers<void>();
      this.#waiting.push(resolve);
      await promise;
    } else this.#inside++;
    try {
      return await work();
    } finally {
      // Whoever waits takes over this place.
      const next = this.#waiting.shift();
      if (next === undefined) this.#inside--;
      else next();
    }
  }
}
