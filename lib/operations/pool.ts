/** Works through items several at a time. */

/** How many at once. */
export interface Limits<T> {
  /** In all. */
  readonly width: number;
  /** Of one group; without it, groups have no limit of their own. */
  readonly group?: (item: T) => { readonly name: string; readonly width: number };
}

/**
 * Runs `work` on every item, never more at once than the limits say, in order of the list as far as they let it.
 * `work` must not throw: it reports. If it does all the same, nothing further is begun.
 */
export async function eachLimited<T>(
  items: readonly T[],
  { width, group }: Limits<T>,
  work: (item: T) => Promise<void>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const queue = [...items];
  const inGroup = new Map<string, number>();
  let running = 0;
  const mayBegin = (item: T) => {
    const own = group?.(item);
    return own === undefined || (inGroup.get(own.name) ?? 0) < own.width;
  };
  const count = (item: T, by: 1 | -1) => {
    running += by;
    const name = group?.(item).name;
    if (name !== undefined) inGroup.set(name, (inGroup.get(name) ?? 0) + by);
  };
  const beginMore = () => {
    if (queue.length === 0 && running === 0) return resolve();
    while (running < width) {
      const index = queue.findIndex(mayBegin);
      if (index < 0) return;
      const [item] = queue.splice(index, 1) as [T];
      count(item, 1);
      work(item).then(() => {
        count(item, -1);
        beginMore();
      }, (error) => {
        queue.length = 0;
        reject(error);
      });
    }
  };
  beginMore();
  await promise;
}
