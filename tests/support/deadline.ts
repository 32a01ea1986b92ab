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

/** Waits until something is so, looking at every change, and fails when that takes too long. */
export async function until(
  what: string,
  isSo: () => boolean,
  onChange: (look: () => void) => () => void,
): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const look = () => isSo() && resolve();
  const forget = onChange(look);
  look();
  try {
    await soon(promise, what);
  } finally {
    forget();
  }
}

/** Asks again and again until there is an answer, and fails when that takes too long. */
export async function repeatedly<T>(what: string, ask: () => Promise<T | null>): Promise<T> {
  let isOver = false;
  const asking = async () => {
    for (;;) {
      const answer = await ask();
      if (answer !== null) return answer;
      if (isOver) return assert.fail(what);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  try {
    return await soon(asking(), what);
  } finally {
    isOver = true;
  }
}
