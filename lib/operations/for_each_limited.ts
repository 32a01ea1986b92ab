/** Works on many items in parallel, within a limit for all of them and one for each group. */
import PQueue from "npm:p-queue@10.0.0";

/** How many items are worked on in parallel. */
export interface Limits<T> {
  readonly concurrency: number;
  /** Items of one group also have a limit of their own; default none. */
  readonly group?: (item: T) => { readonly name: string; readonly concurrency: number };
}

/**
 * Runs `work` on every item, earlier items first. An item that waits for its group leaves its place to others. `work`
 * handles its own failures; if it throws all the same, no further item starts.
 */
export async function forEachLimited<T>(
  items: readonly T[],
  { concurrency, group }: Limits<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const all = new PQueue({ concurrency });
  const groups = new Map<string, PQueue>();
  const workOn = async (item: T) => {
    try {
      await work(item);
    } catch (error) {
      all.pause();
      throw error;
    }
  };
  await Promise.all(items.map((item, index) => {
    const run = () => all.add(() => workOn(item), { priority: -index });
    if (group === undefined) return run();
    const { name, concurrency } = group(item);
    const queue = groups.get(name) ?? new PQueue({ concurrency });
    groups.set(name, queue);
    return queue.add(run);
  }));
}
