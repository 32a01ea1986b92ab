/**
 * Looks at single VMs and zvols, while operations work on many: what is asked for at about the same time becomes one
 * call. Each look sees the NAS as it is after it was asked for, as if it had been made alone.
 */
import { type Dataset, type Reading, sourceOf, type Vm, type ZvolRelations } from "../inventory/inventory.ts";
import type { Caller } from "./client.ts";
import { vmQuery } from "./methods.ts";
import { readDatasets } from "./read_inventory.ts";
import { readRelations } from "./read_relations.ts";
import { toVm } from "./rows.ts";

/** Looks are gathered for so long, in milliseconds: a little beside any call. */
const GATHER_MS = 3;

/** Keys that are asked for together. */
class Gatherer<K, V> {
  readonly #read: (keys: readonly K[]) => Promise<V>;
  readonly #due: () => Promise<void>;
  #next: { readonly keys: Set<K>; readonly answer: Promise<V> } | null = null;

  /** Until a reading is due, what is asked for is gathered. */
  constructor(read: (keys: readonly K[]) => Promise<V>, due: () => Promise<void>) {
    this.#read = read;
    this.#due = due;
  }

  /** Resolves with what was read of these keys, and maybe of others. */
  ask(keys: readonly K[]): Promise<V> {
    this.#next ??= this.#begin();
    for (const key of keys) this.#next.keys.add(key);
    return this.#next.answer;
  }

  #begin(): { readonly keys: Set<K>; readonly answer: Promise<V> } {
    const keys = new Set<K>();
    return { keys, answer: this.#gather(keys) };
  }

  async #gather(keys: ReadonlySet<K>): Promise<V> {
    await new Promise<void>((resolve) => setTimeout(resolve, GATHER_MS));
    await this.#due();
    this.#next = null;
    return await this.#read([...keys]);
  }
}

interface Batches {
  /** All VMs, whatever the key. */
  readonly users: Gatherer<string, readonly Vm[]>;
  readonly vms: Gatherer<number, ReadonlyMap<number, Vm>>;
  readonly datasets: Gatherer<string, Reading<readonly Dataset[]>>;
  readonly relations: Gatherer<string, ZvolRelations>;
}

const batches = new WeakMap<Caller, Batches>();

function batchesOf(caller: Caller): Batches {
  const known = batches.get(caller);
  if (known !== undefined) return known;
  const due = async () => await caller.due?.();
  const made: Batches = {
    vms: new Gatherer(async (ids) => {
      const rows = await caller.call("vm.query", vmQuery(["id", "in", ids]));
      return new Map(rows.map((row) => [row.id, toVm(row)]));
    }, due),
    users: new Gatherer(async () => (await caller.call("vm.query", vmQuery())).map(toVm), due),
    datasets: new Gatherer((names) => readDatasets(caller, names), due),
    relations: new Gatherer((zvols) => readRelations(caller, zvols), due),
  };
  batches.set(caller, made);
  return made;
}

/** One VM, without the sizes of its disks, or null when the NAS has none of that id. */
export async function fetchVm(caller: Caller, id: number): Promise<Vm | null> {
  return (await batchesOf(caller).vms.ask([id])).get(id) ?? null;
}

/** The VMs that use any of these zvols. */
export async function fetchDiskUsers(caller: Caller, zvols: readonly string[]): Promise<readonly Vm[]> {
  if (zvols.length === 0) return [];
  const vms = await batchesOf(caller).users.ask(zvols);
  return vms.filter(({ disks }) => disks.some(({ zvol }) => zvol !== null && zvols.includes(zvol)));
}

/** The datasets and zvols of these names that exist. */
export async function fetchDatasets(
  caller: Caller,
  names: readonly string[],
): Promise<Reading<readonly Dataset[]>> {
  if (names.length === 0) return { known: true, value: [] };
  const found = await batchesOf(caller).datasets.ask(names);
  return found.known ? { known: true, value: found.value.filter(({ name }) => names.includes(name)) } : found;
}

/** The snapshots of these zvols, and the clones of those. */
export async function lookAtRelations(caller: Caller, zvols: readonly string[]): Promise<ZvolRelations> {
  if (zvols.length === 0) {
    return { snapshots: { known: true, value: [] }, clones: { known: true, value: [] } };
  }
  const { snapshots, clones } = await batchesOf(caller).relations.ask(zvols);
  return {
    snapshots: only(snapshots, ({ name }) => zvols.includes(sourceOf(name))),
    clones: only(clones, ({ origin }) => zvols.includes(sourceOf(origin))),
  };
}

function only<T>(found: Reading<readonly T[]>, isAsked: (value: T) => boolean): Reading<readonly T[]> {
  return found.known ? { known: true, value: found.value.filter(isAsked) } : found;
}
