/**
 * Reads single VMs and zvols for operations on many: requests made at about the same time, or during a reading, become one
 * call. Each reading starts after its request, as if it were made alone.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { type Dataset, type Reading, sourceOf, type Vm, type ZvolRelations } from "../inventory/inventory.ts";
import { TrueNASError } from "../errors/errors.ts";
import { seedDatasetOfVm } from "../first_boot/iso/seed_dataset.ts";
import type { Caller } from "./client.ts";
import { vmQuery } from "./methods.ts";
import { readDatasets } from "./read_inventory.ts";
import { NO_RELATIONS, readRelations } from "./read_relations.ts";
import { type OwnedSnapshot, readOwnedSnapshots } from "./read_snapshots.ts";
import { toVm } from "./rows.ts";

/** Keys are gathered for this long, in milliseconds, which is short compared to any call. */
const GATHER_MS = 3;

/** Resolves with the reading of these keys, and possibly of others. */
type BatchedRead<K, V> = (keys: readonly K[]) => Promise<V>;

function batched<K, V>(read: (keys: readonly K[]) => Promise<V>): BatchedRead<K, V> {
  let next: { readonly keys: Set<K>; readonly answer: Promise<V> } | null = null;
  let last: Promise<unknown> = Promise.resolve();
  const gather = async (keys: ReadonlySet<K>) => {
    await Promise.all([last, sleep(GATHER_MS)]);
    next = null;
    return await read([...keys]);
  };
  return (requested) => {
    if (next === null) {
      const keys = new Set<K>();
      next = { keys, answer: gather(keys) };
      last = next.answer.catch(() => {});
    }
    for (const key of requested) next.keys.add(key);
    return next.answer;
  };
}

function readsOf(caller: Caller) {
  return {
    vms: batched(async (ids: readonly number[]) => {
      const rows = await caller.call("vm.query", vmQuery(["id", "in", ids]));
      return new Map(rows.map((row) => [row.id, toVm(row)]));
    }),
    // All VMs, for any zvol.
    users: batched<string, readonly Vm[]>(async () => (await caller.call("vm.query", vmQuery())).map(toVm)),
    datasets: batched((names: readonly string[]) => readDatasets(caller, names)),
    snapshots: batched((zvols: readonly string[]) => readOwnedSnapshots(caller, zvols)),
    relations: batched((zvols: readonly string[]) => readRelations(caller, zvols)),
  };
}

const reads = new WeakMap<Caller, ReturnType<typeof readsOf>>();

function batchedReadsOf(caller: Caller): ReturnType<typeof readsOf> {
  const known = reads.get(caller) ?? readsOf(caller);
  reads.set(caller, known);
  return known;
}

/** One VM, without the sizes of its disks, or null when it does not exist. */
export async function fetchVm(caller: Caller, id: number): Promise<Vm | null> {
  return (await batchedReadsOf(caller).vms([id])).get(id) ?? null;
}

/** The VMs that use any of these zvols, or datasets of seeds. */
export async function fetchDiskUsers(caller: Caller, zvols: readonly string[]): Promise<readonly Vm[]> {
  if (zvols.length === 0) return [];
  const vms = await batchedReadsOf(caller).users(zvols);
  const isAsked = (name: string | null) => name !== null && zvols.includes(name);
  return vms.filter((vm) => vm.disks.some(({ zvol }) => isAsked(zvol)) || isAsked(seedDatasetOfVm(vm)));
}

/** The existing datasets and zvols with these names. */
export async function fetchDatasets(
  caller: Caller,
  names: readonly string[],
): Promise<Reading<readonly Dataset[]>> {
  if (names.length === 0) return { known: true, value: [] };
  return filtered(await batchedReadsOf(caller).datasets(names), ({ name }) => names.includes(name));
}

/**
 * A reading's value, where an unknown one proves nothing.
 *
 * @throws {TrueNASError} when it could not be read.
 */
export function expectKnown<T>(reading: Reading<T>): T {
  if (reading.known) return reading.value;
  throw new TrueNASError(`The effect could not be verified because ${reading.because}`);
}

/** The snapshots of these zvols, and the clones of those snapshots. */
export async function fetchRelations(caller: Caller, zvols: readonly string[]): Promise<ZvolRelations> {
  if (zvols.length === 0) return NO_RELATIONS;
  const { snapshots, clones } = await batchedReadsOf(caller).relations(zvols);
  return {
    snapshots: filtered(snapshots, ({ name }) => zvols.includes(sourceOf(name))),
    clones: filtered(clones, ({ origin }) => zvols.includes(sourceOf(origin))),
  };
}

function filtered<T>(found: Reading<readonly T[]>, matches: (value: T) => boolean): Reading<readonly T[]> {
  return found.known ? { known: true, value: found.value.filter(matches) } : found;
}

/** All snapshots of these zvols with their own properties, oldest first. */
export async function fetchOwnedSnapshots(
  caller: Caller,
  zvols: readonly string[],
): Promise<readonly OwnedSnapshot[]> {
  if (zvols.length === 0) return [];
  const found = await batchedReadsOf(caller).snapshots(zvols);
  return found.filter(({ name }) => zvols.includes(sourceOf(name)));
}
