/**
 * Plans the removal of zvols: what prevents it, and the order. From TrueNAS 26 on, a recursive destroy also deletes idle
 * clones of other VMs, so zvols are removed one by one, never recursively: snapshots first, and clones before the zvol
 * they were cloned from. Pure.
 */
import { type Reading, sourceOf, type Vm, type ZvolRelations } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import type { PlannedZvol } from "./types.ts";

/** Input of a removal plan. */
export interface RemovalFacts {
  /** Dependents of all zvols to remove. */
  readonly relations: ZvolRelations;
  /** Whether the account can delete snapshots; null when unknown. */
  readonly mayDeleteSnapshots: boolean | null;
  /** Whether the account can delete zvols that no VM uses; null when unknown. */
  readonly mayDeleteZvols: boolean | null;
  /** Why nothing at all may be removed, such as NO_DESTROY, with what to do; null when it may. */
  readonly refusal: string | null;
}

/** For when nothing was read. */
export const NOTHING_READ: RemovalFacts = {
  relations: {
    snapshots: { known: false, because: "they were not read" },
    clones: { known: false, because: "they were not read" },
  },
  mayDeleteSnapshots: null,
  mayDeleteZvols: null,
  refusal: null,
};

/** Zvols removed together: those of a VM, or a single one. */
export interface RemovalItem {
  /** Unique among the items. */
  readonly key: string;
  readonly zvols: readonly PlannedZvol[];
  /** Keys of items that must be removed first for other reasons. */
  readonly after?: readonly string[];
  /** Why it cannot be removed, whatever depends on it. */
  readonly refusals?: readonly string[];
}

/** What was decided about an item. */
export interface RemovalDecision {
  /** Why it cannot be removed, each with what to do; empty when it can. */
  readonly blocked: readonly string[];
  /** Keys of the items that must be removed first. */
  readonly after: readonly string[];
}

/** Sorts zvols so that clones come before the zvols they were cloned from. */
export function clonesFirst(zvols: readonly PlannedZvol[]): readonly PlannedZvol[] {
  const items = zvols.map((zvol) => ({
    key: zvol.name,
    after: zvol.dependants.map((clone) => clone.zvol),
    zvol,
  }));
  return inRemovalOrder(items).map(({ zvol }) => zvol);
}

/** Adds a zvol's dependents. */
export function withRelations(
  zvol: Pick<PlannedZvol, "name" | "sizeBytes">,
  { relations: { snapshots, clones } }: RemovalFacts,
  vms: readonly Vm[],
): PlannedZvol {
  const isOwn = (snapshot: string) => sourceOf(snapshot) === zvol.name;
  const userOf = (name: string) =>
    vms.find(({ disks }) => disks.some((disk) => disk.zvol === name))?.name ?? null;
  const own = clones.known ? clones.value.filter(({ origin }) => isOwn(origin)) : [];
  return {
    ...zvol,
    snapshots: snapshots.known ? snapshots.value.filter(({ name }) => isOwn(name)) : null,
    dependants: own.map((clone) => ({ ...clone, vm: userOf(clone.zvol) })),
  };
}

/**
 * Decides which items can be removed. Repeats until no further item is blocked, because a blocked one also keeps what it
 * uses or depends on: `itemsWithout` returns the items for when those with these keys are kept.
 */
export function planRemovals<T extends RemovalItem>(
  itemsWithout: (blocked: ReadonlyMap<string, unknown>) => readonly T[],
  facts: RemovalFacts,
): readonly (T & RemovalDecision)[] {
  const blocked = new Map<string, T & RemovalDecision>();
  for (;;) {
    const decided = decide(itemsWithout(blocked), facts);
    const newlyBlocked = decided.filter((item) => item.blocked.length > 0);
    if (newlyBlocked.length === 0) return [...decided, ...blocked.values()];
    for (const item of newlyBlocked) blocked.set(item.key, item);
  }
}

/** Decides about items, assuming that all of them will be removed. */
function decide<T extends RemovalItem>(
  items: readonly T[],
  facts: RemovalFacts,
): readonly (T & RemovalDecision)[] {
  const ownerOf = new Map(items.flatMap(({ key, zvols }) => zvols.map(({ name }) => [name, key] as const)));
  const decided = items.map((item) => {
    const { key, zvols, after = [], refusals = [] } = item;
    const clones = zvols.flatMap(({ dependants }) => dependants.map(({ zvol }) => zvol));
    const owners = clones.flatMap((zvol) => ownerOf.get(zvol) ?? []);
    return {
      ...item,
      after: [...new Set([...after, ...owners])].filter((other) => other !== key),
      blocked: [
        ...refusals,
        ...(facts.refusal === null ? [] : [facts.refusal]),
        ...zvols.flatMap((zvol) => reasonsToKeep(zvol, facts, (name) => ownerOf.has(name))),
      ],
    };
  });
  return blockCycles(decided);
}

function reasonsToKeep(
  { name, snapshots, dependants }: PlannedZvol,
  { mayDeleteSnapshots }: RemovalFacts,
  isRemoved: (zvol: string) => boolean,
): string[] {
  const clones = dependants.filter(({ zvol }) => !isRemoved(zvol)).map(({ zvol, vm }) => {
    const user = vm === null ? "" : ` (a disk of ${vm})`;
    return `${zvol}${user} is a clone that depends on ${name}; promote the clone in TrueNAS, or keep the disk`;
  });
  const held = (snapshots ?? []).filter(({ holds }) => holds.length > 0).map(({ name, holds }) =>
    `the snapshot ${name} has a hold (${holds.join(", ")}); release it in TrueNAS, or keep the disk`
  );
  const reasons = [...clones, ...held];
  if (snapshots === null || snapshots.length === 0 || mayDeleteSnapshots !== false) return reasons;
  const count = formatCount(snapshots.length, "snapshot");
  const missing = "which the account cannot delete without the role SNAPSHOT_DELETE";
  return [...reasons, `${name} has ${count}, ${missing}; grant the role, or keep the disk`];
}

/** Blocks items that wait for each other, and everything that waits for them. */
function blockCycles<T extends RemovalDecision & { readonly key: string }>(
  items: readonly T[],
): readonly T[] {
  const free = new Set<string>();
  for (let before = -1; before < free.size;) {
    before = free.size;
    for (const { key, after } of items) if (after.every((other) => free.has(other))) free.add(key);
  }
  const cycle =
    "its disks and another VM's disks are clones of each other; promote one of them in TrueNAS first";
  return items.map((item) => free.has(item.key) ? item : { ...item, blocked: [...item.blocked, cycle] });
}

/** Sorts items so that each comes after those that must be removed first. */
export function inRemovalOrder<T extends { readonly key: string; readonly after: readonly string[] }>(
  items: readonly T[],
): readonly T[] {
  const remaining = [...items];
  const sorted: T[] = [];
  while (remaining.length > 0) {
    const isFree = ({ after }: T) => !after.some((other) => remaining.some(({ key }) => key === other));
    sorted.push(...remaining.splice(Math.max(0, remaining.findIndex(isFree)), 1));
  }
  return sorted;
}

/** Describes readings that failed and their consequences; empty when all succeeded. */
export function describeUnread({ relations: { snapshots, clones } }: RemovalFacts): readonly string[] {
  const describe = (what: string, reading: Reading<unknown>) =>
    reading.known ? [] : [
      `${what} could not be read because ${reading.because}. Destroying a VM fails if its zvols have ${what.toLowerCase()}`,
    ];
  return [...describe("Snapshots", snapshots), ...describe("Clones", clones)];
}
