/** Turns waiting forever into a reported failure. */
import assert from "node:assert/strict";

const DEADLINE_MS = 10_000;

/** Waits for a promise, and fails when it takes too long. */
export async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const message = `This did not happen within ${DEADLINE_MS / 1000} s: ${what}`;
  const timer = setTimeout(() => reject(new assert.AssertionError({ message })), DEADLINE_MS);
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
