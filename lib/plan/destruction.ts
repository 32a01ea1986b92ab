/** Which VMs and zvols a destruction would remove: an exact set, frozen by id. Pure. */
import type { Disk, Vm } from "../inventory/inventory.ts";
import { compareNames, matchesPrefix } from "../inventory/names.ts";
import { formatCount } from "../units.ts";
import { fingerprint } from "./fingerprint.ts";
import { isMarked } from "../inventory/marks.ts";
import { describeUnread, NOTHING_READ, planRemovals, type RemovalFacts, withRelations } from "./removal.ts";
import type { DestructionPlan, DestructionVm, MissingSelection, VmMarks } from "./types.ts";

/** The VM types whose VMs are destroyed unless others are named. */
export const DEFAULT_PREFIXES: readonly string[] = ["controlplane", "worker"];

/** Which VMs go although their marks do not agree: every one that matches by name, or these by name. */
export type Unmarked = "all" | readonly string[];

/** Which VMs are to be destroyed, and how: those of the prefixes, the names and the ids, and no others. */
export interface DestructionRequest {
  /** Names before their number. */
  readonly prefixes: readonly string[];
  /** Whole names. */
  readonly names?: readonly string[];
  /** The NAS's ids, whatever the VMs are called. */
  readonly ids?: readonly number[];
  /** Which go although the marks do not agree that this program made them; default none. */
  readonly unmarked?: Unmarked;
  /** Those of the ids that go although the marks do not agree; default none. */
  readonly unmarkedIds?: readonly number[];
  /** Disks stay; default false. */
  readonly keepDisks?: boolean;
  /** Running VMs are asked to shut down before they are powered off; default false. */
  readonly shutdown?: boolean;
}

/** What the journal tells: the uuids of the VMs, and the names of the zvols, that it saw made. */
export interface JournalEvidence {
  /** Of VMs. */
  readonly uuids: ReadonlySet<string>;
  /** `tank/vms/worker01-disk0` */
  readonly zvols: ReadonlySet<string>;
}

const NO_EVIDENCE: JournalEvidence = { uuids: new Set(), zvols: new Set() };

/**
 * Plans to destroy the VMs that are called one of the prefixes and a number (`worker` means worker01 and worker12, not
 * workerold), and those of the names and ids. A VM whose marks do not agree goes only when `unmarked` says so. A zvol that another VM uses as
 * well stays, and so does everything that is not a zvol.
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

/** The zvols that a destruction would remove, as far as that can be said without knowing what depends on them. */
export function zvolsToGo(plan: Pick<DestructionPlan, "vms">): readonly string[] {
  return [...new Set(plan.vms.flatMap(({ zvols }) => zvols.map(({ name }) => name)))];
}

type Circumstances = Omit<Fate, "toDestroy" | "staying">;

/** A VM that is blocked stays, so that what it uses or depends on stays as well: until none is blocked any more. */
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

/** What was asked for and is not there: a mistyped name must not pass for work done. */
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

/** Says what was not found. */
export function describeMissing({ by, value }: MissingSelection): string {
  switch (by) {
    case "prefix":
      return `No VM is called ${JSON.stringify(value)} followed by digits`;
    case "name":
      return `No VM is called ${JSON.stringify(value)}`;
    case "id":
      return `No VM has the id ${value}`;
  }
}

interface Fate {
  /** In order of name. */
  readonly toDestroy: readonly Vm[];
  readonly staying: readonly Vm[];
  readonly keepDisks: boolean;
  readonly journal: JournalEvidence;
  readonly facts: RemovalFacts;
}

function planVm(vm: Vm, vms: readonly Vm[], fate: Fate): DestructionVm {
  const own = new Set(vm.disks.flatMap(({ zvol }) => zvol ?? []));
  // A zvol that two of them share goes with the last one, which waits for the others.
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
  if (keepDisks) return "the disks are kept";
  const uses = ({ disks }: Vm) => disks.some(({ zvol }) => zvol === disk.zvol);
  const other = staying.find(uses);
  if (other !== undefined) return `${other.name} uses it too`;
  const later = toDestroy.slice(toDestroy.indexOf(vm) + 1).find(uses);
  return later === undefined ? null : `it goes with ${later.name}`;
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
 * Why a VM is taken for somebody else's, or null when it is ours: the description has to carry the mark, and each
 * zvol to name the VM, as far as that can be read, or the journal to have seen both made. A clone of a VM of ours has
 * the description, and zvols that name nobody.
 */
function whyNotOurs(vm: Vm, { uuids, zvols }: JournalEvidence): string | null {
  if (!isMarked(vm.description)) return "its description does not carry the mark";
  const journalled = vm.uuid !== null && uuids.has(vm.uuid);
  const odd = vm.disks.find(({ zvol, sizeBytes, mark }) => {
    if (zvol === null || sizeBytes === null) return false;
    if (mark !== null) return mark.vm !== vm.uuid;
    return !(journalled && zvols.has(zvol));
  });
  return odd === undefined ? null : `its disk ${odd.zvol} was not made for it`;
}
