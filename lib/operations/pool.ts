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
 * `work` may leave its place to the next before it has ended. It must not throw: it reports. If it does all the same,
 * nothing further is begun.
 */
export async function eachLimited<T>(
  items: readonly T[],
  { width, group }: Limits<T>,
  work: (item: T, leave: () => void) => Promise<void>,
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const queue = [...items];
  const inGroup = new Map<string, number>();
  let running = 0;
  let open = items.length;
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
    if (open === 0) return resolve();
    while (running < width) {
      const index = queue.findIndex(mayBegin);
      if (index < 0) return;
      const [item] = queue.splice(index, 1) as [T];
      count(item, 1);
      let left = false;
      const leave = () => {
        if (!left) count(item, -1);
        left = true;
        beginMore();
      };
      work(item, leave).then(() => {
        open--;
        leave();
      }, (error) => {
        queue.length = 0;
        reject(error);
      });
    }
  };
  beginMore();
  await promise;
}
