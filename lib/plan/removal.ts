/**
 * Plans the removal of zvols: what prevents it, and the order. From TrueNAS 26 on, a recursive destroy also deletes idle
 * clones of other VMs, so zvols are removed one by one, never recursively: snapshots first, and clones before the zvol
 * they were cloned from. Pure.
 */
import { sourceOf, type Vm, type ZvolRelations, type ZvolSnapshot } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import type { PlannedZvol, ZvolDependant } from "./types.ts";

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
}

/** The result for one item. */
export interface RemovalFate {
  /** Why it cannot be removed, each with what to do; empty when it can. */
  readonly blocked: readonly string[];
  /** Keys of the items that must be removed first. */
  readonly after: readonly string[];
}

/** Sorts the zvols of one item so that clones come before the zvols they were cloned from. */
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

/** Adds a zvol's dependents. */
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

/** The result for each item, if exactly these items are removed. */
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
    const blocked = [
      ...(facts.refusal === null ? [] : [facts.refusal]),
      ...zvols.flatMap((zvol) => reasonAgainst(zvol, facts, (name) => ownerOf.has(name))),
    ];
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
      }, which the account cannot delete without the role SNAPSHOT_DELETE; ` +
        "grant the role, or keep the disk",
    );
  }
  return reasons;
}

function describeDependant(name: string, { zvol, vm }: ZvolDependant): string {
  const user = vm === null ? "" : ` (a disk of ${vm})`;
  return `${zvol}${user} is a clone that depends on ${name}; promote the clone in TrueNAS, or keep the disk`;
}

function describeHold({ name, holds }: ZvolSnapshot): string {
  return `the snapshot ${name} has a hold (${holds.join(", ")}); release it in TrueNAS, or keep the disk`;
}

/** Blocks items that wait for each other, and everything that waits for them. */
function withoutCircles(fates: ReadonlyMap<string, RemovalFate>): ReadonlyMap<string, RemovalFate> {
  const free = new Set<string>();
  for (let before = -1; before < free.size;) {
    before = free.size;
    for (const [key, { after }] of fates) if (after.every((other) => free.has(other))) free.add(key);
  }
  const circle =
    "its disks and another VM's disks are clones of each other; promote one of them in TrueNAS first";
  return new Map(
    [...fates].map(([key, fate]) => [
      key,
      free.has(key) ? fate : { ...fate, blocked: [...fate.blocked, circle] },
    ]),
  );
}

/** Sorts items so that each comes after those that must be removed first. */
export function inRemovalOrder<T extends { readonly key: string; readonly after: readonly string[] }>(
  items: readonly T[],
): readonly T[] {
  const left = [...items];
  const sorted: T[] = [];
  while (left.length > 0) {
    const isFree = ({ after }: T) => !after.some((other) => left.some(({ key }) => key === other));
    sorted.push(...left.splice(Math.max(0, left.findIndex(isFree)), 1));
  }
  return sorted;
}

/** Describes readings that failed and their consequences; empty when all succeeded. */
export function describeUnread({ relations: { snapshots, clones } }: RemovalFacts): readonly string[] {
  return [
    ...(snapshots.known ? [] : [
      `Snapshots could not be read because ${snapshots.because}. Destroying a VM fails if its zvols have snapshots`,
    ]),
    ...(clones.known ? [] : [
      `Clones could not be read because ${clones.because}. Destroying a VM fails if its zvols have clones`,
    ]),
  ];
}
