/** Works on many items in parallel, within a limit for all of them and one for each group. */
import PQueue from "npm:p-queue@10.0.0";

/** How many items are worked on in parallel. */
export interface Limits<T> {
  readonly concurrency: number;
  /** Items of one group also have a limit of their own; default none. */
  readonly group?: (item: T) => { readonly name: string; readonly concurrency: number };
}

/**
 * Runs `work` on every item, earlier items first. An item that waits for its group leaves its place to others; so does one
 * that calls `release`, whose work goes on. `work` handles its own failures; if it throws all the same, no further item
 * starts. Resolves when all of it has ended.
 */
export async function forEachLimited<T>(
  items: readonly T[],
  { concurrency, group }: Limits<T>,
  work: (item: T, release: () => void) => Promise<void>,
): Promise<void> {
  const all = new PQueue({ concurrency });
  const groups = new Map<string, PQueue>();
  const released: Promise<void>[] = [];
  const workOn = async (item: T) => {
    const release = Promise.withResolvers<void>();
    const done = work(item, release.resolve).catch((error) => {
      all.pause();
      throw error;
    });
    release.promise.then(() => {
      // Its error is thrown below, when the others have ended too.
      done.catch(() => {});
      released.push(done);
    });
    await Promise.race([done, release.promise]);
  };
  await Promise.all(items.map((item, index) => {
    const run = () => all.add(() => workOn(item), { priority: -index });
    if (group === undefined) return run();
    const { name, concurrency } = group(item);
    const queue = groups.get(name) ?? new PQueue({ concurrency });
    groups.set(name, queue);
    return queue.add(run);
  }));
  await Promise.all(released);
}
