/** Limits how long a page waits for optional data. */

/** In milliseconds; later answers are cached for the next page. */
const PAGE_WAIT_MS = 1_500;

/** The result, or null if it does not arrive in time. */
export async function inTime<T>(reading: Promise<T>, waitMs = PAGE_WAIT_MS): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), waitMs);
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}
