/** Plans which VMs and zvols a destruction removes: an exact set, fixed by id. Pure. */
import type { Disk, Vm } from "../inventory/inventory.ts";
import { compareNames, matchesPrefix } from "../inventory/names.ts";
import { formatCount } from "../units.ts";
import { fingerprint } from "./fingerprint.ts";
import { isMarked } from "../inventory/marks.ts";
import { describeUnread, NOTHING_READ, planRemovals, type RemovalFacts, withRelations } from "./removal.ts";
import type { DestructionPlan, DestructionVm, MissingSelection, VmMarks } from "./types.ts";

/** The VM types whose VMs are destroyed when no others are named. */
export const DEFAULT_PREFIXES: readonly string[] = ["controlplane", "worker"];

/** VMs to destroy even if their marks do not match: every VM that matches, or these names. */
export type Unmarked = "all" | readonly string[];

/** The VMs to destroy, by prefix, name and id, and how to destroy them. */
export interface DestructionRequest {
  /** Name prefixes, without the number. */
  readonly prefixes: readonly string[];
  /** Whole names. */
  readonly names?: readonly string[];
  /** Ids on the NAS, whatever the VMs' names. */
  readonly ids?: readonly number[];
  /** VMs to destroy even if their marks do not show that this program created them; default none. */
  readonly unmarked?: Unmarked;
  /** Ids to destroy even if the marks do not match; default none. */
  readonly unmarkedIds?: readonly number[];
  /** Keep the disks; default false. */
  readonly keepDisks?: boolean;
  /** Shut running VMs down before powering them off; default false. */
  readonly shutdown?: boolean;
}

/** Evidence in the journal: uuids of VMs and names of zvols whose creation it recorded. */
export interface JournalEvidence {
  /** uuids of VMs. */
  readonly uuids: ReadonlySet<string>;
  /** `tank/vms/worker01-disk0` */
  readonly zvols: ReadonlySet<string>;
}

const NO_EVIDENCE: JournalEvidence = { uuids: new Set(), zvols: new Set() };

/**
 * Plans to destroy the VMs named a prefix followed by digits (`worker` matches worker01 and worker12, not workerold), and
 * those given by name or id. A VM whose marks do not match is included only if `unmarked` says so. Zvols that another VM
 * uses, and disks that are not zvols, are kept.
 */
export function planDestruction(
  vms: readonly Vm[],
  request: DestructionRequest,
  journal: JournalEvidence = NO_EVIDENCE,
  facts: RemovalFacts = NOTHING_READ,
): DestructionPlan {
  const { prefixes, names = [], ids = [], keepDisks = false, shutdown = false } = request;
  const { unmarked = [], unmarkedIds = [] } = request;
  const isMeant = ({ id, name }: Vm) =>
    ids.includes(id) || names.includes(name) || prefixes.some((prefix) => matchesPrefix(name, prefix));
  const matching = vms.filter(isMeant)
    .toSorted((a, b) => compareNames(a.name, b.name));
  const missing = missingOf(matching, request);
  const isChosen = ({ id, name }: Vm) =>
    unmarked === "all" || unmarked.includes(name) || unmarkedIds.includes(id);
  const goes = (vm: Vm) => isChosen(vm) || whyNotOurs(vm, journal) === null;
  const chosen = matching.filter(goes);
  const spared = matching.filter((vm) => !goes(vm)).map((vm) => ({
    id: vm.id,
    name: vm.name,
    state: vm.state,
    because: whyNotOurs(vm, journal) ?? "",
  }));
  const planned = planVms(chosen, vms, { keepDisks, journal, facts });
  const toDestroy = planned.filter(({ blocked }) => blocked.length === 0);
  const zvols = toDestroy.flatMap((vm) => vm.zvols);
  const totals = {
    vms: toDestroy.length,
    zvols: zvols.length,
    zvolBytes: zvols.reduce((total, { sizeBytes }) => total + (sizeBytes ?? 0), 0),
    snapshots: zvols.reduce((total, { snapshots }) => total + (snapshots?.length ?? 0), 0),
  };
  const phrase = `destroy ${formatCount(toDestroy.length, "vm")}`;
  const notices = zvols.length === 0 ? [] : describeUnread(facts);
  const set = fingerprint([planned, keepDisks, shutdown]);
  return {
    prefixes,
    vms: planned,
    notices,
    spared,
    missing,
    keepDisks,
    shutdown,
    totals,
    phrase,
    fingerprint: set,
  };
}

/** The zvols a destruction would remove, before their dependents are known. */
export function zvolsToRemove(plan: Pick<DestructionPlan, "vms">): readonly string[] {
  return [...new Set(plan.vms.flatMap(({ zvols }) => zvols.map(({ name }) => name)))];
}

type Circumstances = Omit<Fate, "toDestroy" | "staying">;

/** Repeats until no further VM is blocked, because a blocked VM also keeps what it uses or depends on. */
function planVms(
  chosen: readonly Vm[],
  vms: readonly Vm[],
  circumstances: Circumstances,
): readonly DestructionVm[] {
  const blocked = new Map<number, DestructionVm>();
  for (;;) {
    const toDestroy = chosen.filter(({ id }) => !blocked.has(id));
    const staying = vms.filter((vm) => !toDestroy.includes(vm));
    const planned = toDestroy.map((vm) => planVm(vm, vms, { ...circumstances, toDestroy, staying }));
    const items = planned.map(({ id, zvols, after }) => ({
      key: String(id),
      zvols,
      after: after.map(String),
    }));
    const fates = planRemovals(items, circumstances.facts);
    const decided = planned.map((vm) => {
      const { blocked, after } = fates.get(String(vm.id)) ?? { blocked: [], after: [] };
      return { ...vm, blocked, after: after.map(Number) };
    });
    const stuck = decided.filter((vm) => vm.blocked.length > 0);
    if (stuck.length === 0) {
      return [...decided, ...blocked.values()].toSorted((a, b) => compareNames(a.name, b.name));
    }
    for (const vm of stuck) blocked.set(vm.id, vm);
  }
}

/** Selectors without a match, so that a mistyped name does not look like completed work. */
function missingOf(
  matching: readonly Vm[],
  { prefixes, names = [], ids = [], unmarked = [] }: DestructionRequest,
): MissingSelection[] {
  const named = new Set([...names, ...unmarked === "all" ? [] : unmarked]);
  return [
    ...prefixes.filter((prefix) => !matching.some(({ name }) => matchesPrefix(name, prefix)))
      .map((value) => ({ by: "prefix", value }) as const),
    ...[...named].filter((wanted) => !matching.some(({ name }) => name === wanted))
      .map((value) => ({ by: "name", value }) as const),
    ...ids.filter((wanted) => !matching.some(({ id }) => id === wanted))
      .map((id) => ({ by: "id", value: String(id) }) as const),
  ];
}

/** Describes a selector without a match. */
export function describeMissing({ by, value }: MissingSelection): string {
  switch (by) {
    case "prefix":
      return `No VM matches ${JSON.stringify(value)} followed by digits`;
    case "name":
      return `No VM is named ${JSON.stringify(value)}`;
    case "id":
      return `No VM has the id ${value}`;
  }
}

interface Fate {
  /** Sorted by name. */
  readonly toDestroy: readonly Vm[];
  readonly staying: readonly Vm[];
  readonly keepDisks: boolean;
  readonly journal: JournalEvidence;
  readonly facts: RemovalFacts;
}

function planVm(vm: Vm, vms: readonly Vm[], fate: Fate): DestructionVm {
  const own = new Set(vm.disks.flatMap(({ zvol }) => zvol ?? []));
  // A zvol shared by several of them is removed with the last one, which waits for the others.
  const sharing = fate.toDestroy.slice(0, fate.toDestroy.indexOf(vm)).filter(({ disks }) =>
    disks.some(({ zvol }) => zvol !== null && own.has(zvol))
  );
  const fates = vm.disks.map((disk) => ({ disk, because: whyItStays(vm, disk, fate) }));
  return {
    id: vm.id,
    name: vm.name,
    uuid: vm.uuid,
    state: vm.state,
    marked: whyNotOurs(vm, fate.journal) === null,
    marks: marksOf(vm, fate.journal),
    zvols: fates.flatMap(({ disk, because }) =>
      because === null && disk.zvol !== null
        ? [withRelations({ name: disk.zvol, sizeBytes: disk.sizeBytes }, fate.facts, vms)]
        : []
    ),
    keeps: fates.flatMap(({ disk, because }) => because === null ? [] : [{ path: disk.path, because }]),
    blocked: [],
    after: sharing.map(({ id }) => id),
  };
}

function whyItStays(vm: Vm, disk: Disk, { toDestroy, staying, keepDisks }: Fate): string | null {
  if (disk.zvol === null) return "it is not a zvol";
  if (keepDisks) return "you chose to keep disks";
  const uses = ({ disks }: Vm) => disks.some(({ zvol }) => zvol === disk.zvol);
  const other = staying.find(uses);
  if (other !== undefined) return `${other.name} also uses it`;
  const later = toDestroy.slice(toDestroy.indexOf(vm) + 1).find(uses);
  return later === undefined ? null : `removed with ${later.name}`;
}

function marksOf(vm: Vm, { uuids }: JournalEvidence): VmMarks {
  const readable = vm.disks.filter(({ zvol, sizeBytes }) => zvol !== null && sizeBytes !== null);
  const own = readable.filter(({ mark }) => mark !== null && mark.vm === vm.uuid).length;
  const zvols = readable.length === 0
    ? "unknown"
    : own === readable.length
    ? "all"
    : own > 0
    ? "some"
    : "none";
  return {
    description: isMarked(vm.description),
    zvols,
    journal: vm.uuid !== null && uuids.has(vm.uuid),
  };
}

/**
 * Why a VM is considered foreign, or null when it is ours: the description must contain the mark, and each zvol must name
 * the VM, as far as that can be read, or the journal must have recorded the creation of both. A clone of our VM copies
 * the description, but its zvols name no VM.
 */
function whyNotOurs(vm: Vm, { uuids, zvols }: JournalEvidence): string | null {
  if (!isMarked(vm.description)) return "its description does not contain this program's mark";
  const journalled = vm.uuid !== null && uuids.has(vm.uuid);
  const odd = vm.disks.find(({ zvol, sizeBytes, mark }) => {
    if (zvol === null || sizeBytes === null) return false;
    if (mark !== null) return mark.vm !== vm.uuid;
    return !(journalled && zvols.has(zvol));
  });
  return odd === undefined ? null : `its disk ${odd.zvol} was not created for it`;
}
