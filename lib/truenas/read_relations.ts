/** Reads the dependents of zvols: snapshots, their holds, and their clones. */
import {
  type Reading,
  sourceOf,
  type ZvolClone,
  type ZvolRelations,
  type ZvolSnapshot,
} from "../inventory/inventory.ts";
import type { Caller } from "./client.ts";
import type { QueryFilter } from "./method_types.ts";
import { inChunks, queryDatasets, reading, type ReadOptions } from "./read_inventory.ts";

/** Up to 25.10 a query for one id is fast, while one for several scans every snapshot of every pool. */
const MAX_SINGLE_QUERIES = 20;

/** Snapshots and clones of these zvols. Without snapshots there are no clones to read. */
export async function readRelations(
  caller: Caller,
  zvols: readonly string[],
  options: ReadOptions = {},
): Promise<ZvolRelations> {
  const names = await readSnapshotNames(caller, zvols, options);
  if (names.known && names.value.length === 0) return NO_RELATIONS;
  const [snapshots, clones] = await Promise.all([
    names.known ? readHolds(caller, names.value, options) : names,
    readClones(caller, zvols, options),
  ]);
  return { snapshots, clones };
}

/** The dependents of a zvol that has none. */
export const NO_RELATIONS: ZvolRelations = {
  snapshots: { known: true, value: [] },
  clones: { known: true, value: [] },
};

/** Selects names only, which every release answers quickly. */
async function readSnapshotNames(
  caller: Caller,
  zvols: readonly string[],
  options: ReadOptions,
): Promise<Reading<readonly string[]>> {
  return await reading(async () => {
    const select = { select: ["name"] };
    const rows = await inChunks(
      zvols,
      (some) => caller.call("pool.snapshot.query", [[["dataset", "in", some]], select], options),
    );
    return rows.map(({ name }) => name);
  });
}

async function readHolds(
  caller: Caller,
  names: readonly string[],
  options: ReadOptions,
): Promise<Reading<readonly ZvolSnapshot[]>> {
  const extra = { holds: true, properties: ["creation"] };
  const query = (filter: QueryFilter) => caller.call("pool.snapshot.query", [[filter], { extra }], options);
  return await reading(async () => {
    const rows = names.length <= MAX_SINGLE_QUERIES
      ? (await Promise.all(names.map((name) => query(["id", "=", name])))).flat()
      : await inChunks(names, (some) => query(["id", "in", some]));
    return rows.map(({ name, holds }) => ({ name, holds: Object.keys(holds ?? {}) }));
  });
}

/** From 26 on snapshots do not list their clones, so clones are found by origin. */
async function readClones(
  caller: Caller,
  zvols: readonly string[],
  options: ReadOptions,
): Promise<Reading<readonly ZvolClone[]>> {
  const requested = new Set(zvols);
  return await reading(async () => {
    const rows = await queryDatasets(caller, ["type", "=", "VOLUME"], { ...options, properties: ["origin"] });
    return rows.flatMap(({ id, origin }) => {
      const snapshot = origin?.rawvalue ?? "";
      return requested.has(sourceOf(snapshot)) ? [{ zvol: id, origin: snapshot }] : [];
    });
  });
}
