/**
 * What stands against removing zvols, and in which order they can go. From TrueNAS 26 on a recursive destroy takes the
 * idle clones of others with it, so zvols go one by one, never recursively: their snapshots first, clones before what
 * they are clones of. Pure.
 */
import { sourceOf, type Vm, type ZvolRelations, type ZvolSnapshot } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import type { PlannedZvol, ZvolDependant } from "./types.ts";

/** What removals are planned from. */
export interface RemovalFacts {
  /** Of all zvols that are to go. */
  readonly relations: ZvolRelations;
  /** Whether the account may delete snapshots; null when that is not known. */
  readonly mayDeleteSnapshots: boolean | null;
  /** Whether the account may delete zvols that are in no VM; null when that is not known. */
  readonly mayDeleteZvols: boolean | null;
}

/** When nothing was read. */
export const NOTHING_READ: RemovalFacts = {
  relations: {
    snapshots: { known: false, because: "they were not read" },
    clones: { known: false, because: "they were not read" },
  },
  mayDeleteSnapshots: null,
  mayDeleteZvols: null,
};

/** Zvols that go together: those of a VM, or one alone. */
export interface RemovalItem {
  /** Unique among the items. */
  readonly key: string;
  readonly zvols: readonly PlannedZvol[];
  /** Keys of the items that have to be gone before, for other reasons. */
  readonly after?: readonly string[];
}

/** What becomes of an item. */
export interface RemovalFate {
  /** Why it cannot go, each with what to do; empty when it can. */
  readonly blocked: readonly string[];
  /** Keys of the items that have to be gone before. */
  readonly after: readonly string[];
}

/** Sorts zvols of one item so that clones go before what they are clones of. */
export function clonesFirst(zvols: readonly PlannedZvol[]): readonly PlannedZvol[] {
  const left = [...zvols];
  const sorted: PlannedZvol[] = [];
  while (left.length > 0) {
    const isFree = ({ dependants }: PlannedZvol) =>
      !dependants.some(({ zvol }) => left.some(({ name }) => name === zvol));
    const [next] = left.splice(Math.max(0, left.findIndex(isFree)), 1);
    if (next !== undefined) sorted.push(next);
  }
  return sorted;
}

/** A zvol with what depends on it. */
export function withRelations(
  zvol: Pick<PlannedZvol, "name" | "sizeBytes">,
  { relations: { snapshots, clones } }: RemovalFacts,
  vms: readonly Vm[],
): PlannedZvol {
  const isOwn = (snapshot: string) => sourceOf(snapshot) === zvol.name;
  const userOf = (name: string) =>
    vms.find(({ disks }) => disks.some((disk) => disk.zvol === name))?.name ?? null;
  return {
    ...zvol,
    snapshots: snapshots.known ? snapshots.value.filter(({ name }) => isOwn(name)) : null,
    dependants: clones.known
      ? clones.value.filter(({ origin }) => isOwn(origin)).map((clone) => ({
        ...clone,
        vm: userOf(clone.zvol),
      }))
      : [],
  };
}

/** What becomes of each item, when all of them and nothing else is to go. */
export function planRemovals(
  items: readonly RemovalItem[],
  facts: RemovalFacts,
): ReadonlyMap<string, RemovalFate> {
  const ownerOf = new Map(items.flatMap(({ key, zvols }) => zvols.map(({ name }) => [name, key] as const)));
  const fates = new Map(items.map(({ key, zvols, after: others = [] }) => {
    const owners = zvols.flatMap(({ dependants }) =>
      dependants.flatMap(({ zvol }) => ownerOf.get(zvol) ?? [])
    );
    const after = [...new Set([...others, ...owners])].filter((other) => other !== key);
    const blocked = zvols.flatMap((zvol) => reasonAgainst(zvol, facts, (name) => ownerOf.has(name)));
    return [key, { blocked, after }] as const;
  }));
  return withoutCircles(fates);
}

function reasonAgainst(
  { name, snapshots, dependants }: PlannedZvol,
  { mayDeleteSnapshots }: RemovalFacts,
  goes: (zvol: string) => boolean,
): string[] {
  const reasons = dependants.filter(({ zvol }) => !goes(zvol)).map((dependant) =>
    describeDependant(name, dependant)
  );
  const held = (snapshots ?? []).filter(({ holds }) => holds.length > 0);
  reasons.push(...held.map(describeHold));
  if (snapshots !== null && snapshots.length > 0 && mayDeleteSnapshots === false) {
    reasons.push(
      `${name} has ${
        formatCount(snapshots.length, "snapshot")
      }, and the account lacks the role SNAPSHOT_DELETE: ` +
        "grant it, or keep the disk",
    );
  }
  return reasons;
}

function describeDependant(name: string, { zvol, vm }: ZvolDependant): string {
  const user = vm === null ? "" : ` (a disk of ${vm})`;
  return `${zvol}${user} is a clone of ${name} and depends on it: promote the clone in TrueNAS, or keep the disk`;
}

function describeHold({ name, holds }: ZvolSnapshot): string {
  return `the snapshot ${name} is held (${holds.join(", ")}): release it in TrueNAS, or keep the disk`;
}

/** Items that wait for each other cannot go, and neither can what waits for them. */
function withoutCircles(fates: ReadonlyMap<string, RemovalFate>): ReadonlyMap<string, RemovalFate> {
  const free = new Set<string>();
  for (let before = -1; before < free.size;) {
    before = free.size;
    for (const [key, { after }] of fates) if (after.every((other) => free.has(other))) free.add(key);
  }
  const circle = "its disks and those of another VM are clones of each other: promote one in TrueNAS first";
  return new Map(
    [...fates].map(([key, fate]) => [
      key,
      free.has(key) ? fate : { ...fate, blocked: [...fate.blocked, circle] },
    ]),
  );
}

/** Items so that each comes after those that have to be gone before. */
export function inRemovalOrder<T>(
  items: readonly T[],
  { keyOf, afterOf }: {
    readonly keyOf: (item: T) => string;
    readonly afterOf: (item: T) => readonly string[];
  },
): readonly T[] {
  const left = [...items];
  const sorted: T[] = [];
  while (left.length > 0) {
    const isFree = (item: T) => !afterOf(item).some((key) => left.some((other) => keyOf(other) === key));
    sorted.push(...left.splice(Math.max(0, left.findIndex(isFree)), 1));
  }
  return sorted;
}

/** What could not be read, and what that means; empty when all was. */
export function describeUnread({ relations: { snapshots, clones } }: RemovalFacts): readonly string[] {
  return [
    ...(snapshots.known ? [] : [
      `Snapshots could not be read, because ${snapshots.because}. A zvol that has any is not removed, and its VM fails`,
    ]),
    ...(clones.known ? [] : [
      `Clones could not be read, because ${clones.because}. A zvol that has any is not removed, and its VM fails`,
    ]),
  ];
}
