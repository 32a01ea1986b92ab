/** How long a page waits for what it can do without. */

/** In milliseconds; what comes later is there for the next page. */
const PAGE_WAIT_MS = 1_500;

/** What comes in time, or else null. */
export async function inTime<T>(reading: Promise<T>, waitMs = PAGE_WAIT_MS): Promise<T | null> {
  const { promise: late, resolve } = Promise.withResolvers<null>();
  const timer = setTimeout(() => resolve(null), waitMs);
  try {
    return await Promise.race([reading, late]);
  } finally {
    clearTimeout(timer);
  }
}
