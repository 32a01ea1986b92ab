/** Waits for the next piece of something that may fall silent. */

/** How long it is waited for. */
export interface Patience {
  readonly idleMs: number;
  readonly signal: AbortSignal;
}

/** The next piece; throws when none comes in time, or when the signal aborts. */
export function nextWithin<T>(
  iterator: AsyncIterator<T>,
  { idleMs, signal }: Patience,
): Promise<IteratorResult<T>> {
  signal.throwIfAborted();
  const silence = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    silence.reject(new Error(`nothing arrived for ${Math.round(idleMs / 1000)} s`));
  }, idleMs);
  const stop = () => silence.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  return Promise.race([iterator.next(), silence.promise]).finally(() => {
    clearTimeout(timer);
    signal.removeEventListener("abort", stop);
  });
}
