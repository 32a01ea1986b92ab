/** Plans which VMs and zvols a destruction removes: an exact set, fixed by id. Pure. */
import { seedDatasetOfVm } from "../first_boot/iso/seed_dataset.ts";
import type { Disk, Vm } from "../inventory/inventory.ts";
import { compareNames, matchesPrefix } from "../inventory/names.ts";
import { formatCount } from "../units.ts";
import { show } from "../inputs.ts";
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

/** Whether a request is about every VM of this name, whether or not it exists already. */
export function isNamedBy({ prefixes, names = [] }: DestructionRequest, name: string): boolean {
  return names.includes(name) || prefixes.some((prefix) => matchesPrefix(name, prefix));
}

/** Evidence in the journal: uuids of VMs and names of zvols whose creation it recorded. */
export interface JournalEvidence {
  /** uuids of VMs. */
  readonly uuids: ReadonlySet<string>;
  /** `tank/vms/worker01-disk0` */
  readonly zvols: ReadonlySet<string>;
}

/** Of a program without a journal. */
export const NO_EVIDENCE: JournalEvidence = { uuids: new Set(), zvols: new Set() };

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
  const { prefixes, ids = [], keepDisks = false, shutdown = false } = request;
  const { unmarked = [], unmarkedIds = [] } = request;
  const matching = vms.filter(({ id, name }) => ids.includes(id) || isNamedBy(request, name)).toSorted((
    a,
    b,
  ) => compareNames(a.name, b.name));
  const isSelected = ({ id, name }: Vm) =>
    unmarked === "all" || unmarked.includes(name) || unmarkedIds.includes(id);
  const selected = matching.filter((vm) => isSelected(vm) || foreignReason(vm, journal) === null);
  const spared = matching.filter((vm) => !selected.includes(vm)).map((vm) => {
    const { id, name, state } = vm;
    return { id, name, state, because: foreignReason(vm, journal) ?? "" };
  });
  const planned = planVms(selected, vms, { keepDisks, journal, facts });
  const toDestroy = planned.filter(({ blocked }) => blocked.length === 0);
  const zvols = toDestroy.flatMap((vm) => vm.zvols);
  return {
    prefixes,
    vms: planned,
    notices: zvols.length === 0 ? [] : describeUnread(facts),
    spared,
    missing: findMissing(matching, request),
    keepDisks,
    shutdown,
    totals: {
      vms: toDestroy.length,
      zvols: zvols.length,
      zvolBytes: zvols.reduce((total, { sizeBytes }) => total + (sizeBytes ?? 0), 0),
      snapshots: zvols.reduce((total, { snapshots }) => total + (snapshots?.length ?? 0), 0),
    },
    phrase: `destroy ${formatCount(toDestroy.length, "vm")}`,
    fingerprint: fingerprint([planned, keepDisks, shutdown]),
  };
}

/** The zvols a destruction would remove, before their dependents are known. */
export function zvolsToRemove(plan: Pick<DestructionPlan, "vms">): readonly string[] {
  return [...new Set(plan.vms.flatMap(({ zvols }) => zvols.map(({ name }) => name)))];
}

function planVms(
  selected: readonly Vm[],
  vms: readonly Vm[],
  options: Pick<Choice, "keepDisks" | "journal" | "facts">,
): readonly DestructionVm[] {
  const decided = planRemovals((blocked) => {
    const toDestroy = selected.filter(({ id }) => !blocked.has(String(id)));
    const kept = vms.filter((vm) => !toDestroy.includes(vm));
    return toDestroy.map((vm) => {
      const planned = planVm(vm, vms, { ...options, toDestroy, kept });
      return { key: String(vm.id), zvols: planned.zvols, after: planned.after.map(String), planned };
    });
  }, options.facts);
  return decided
    .map(({ planned, blocked, after }) => ({ ...planned, blocked, after: after.map(Number) }))
    .toSorted((a, b) => compareNames(a.name, b.name));
}

/** Selectors without a match, so that a mistyped name does not look like completed work. */
function findMissing(
  matching: readonly Vm[],
  { prefixes, names = [], ids = [], unmarked = [] }: DestructionRequest,
): MissingSelection[] {
  const find = <T extends string | number>(
    by: MissingSelection["by"],
    values: Iterable<T>,
    matches: (vm: Vm, value: T) => boolean,
  ) =>
    [...values].filter((value) => !matching.some((vm) => matches(vm, value)))
      .map((value) => ({ by, value: String(value) }));
  const allNames = new Set([...names, ...unmarked === "all" ? [] : unmarked]);
  return [
    ...find("prefix", prefixes, ({ name }, prefix) => matchesPrefix(name, prefix)),
    ...find("name", allNames, ({ name }, value) => name === value),
    ...find("id", ids, ({ id }, value) => id === value),
  ];
}

/** Describes a selector without a match. */
export function describeMissing({ by, value }: MissingSelection): string {
  switch (by) {
    case "prefix":
      return `No VM matches ${show(value)} followed by digits`;
    case "name":
      return `No VM is named ${show(value)}`;
    case "id":
      return `No VM has the ID ${value}`;
  }
}

/** What will be destroyed and kept. */
interface Choice {
  /** Sorted by name. */
  readonly toDestroy: readonly Vm[];
  readonly kept: readonly Vm[];
  readonly keepDisks: boolean;
  readonly journal: JournalEvidence;
  readonly facts: RemovalFacts;
}

function planVm(vm: Vm, vms: readonly Vm[], choice: Choice): DestructionVm {
  const { toDestroy, journal, facts } = choice;
  const own = new Set(vm.disks.flatMap(({ zvol }) => zvol ?? []));
  // A zvol shared by several of them is removed with the last one, which waits for the others.
  const sharing = toDestroy.slice(0, toDestroy.indexOf(vm)).filter(({ disks }) =>
    disks.some(({ zvol }) => zvol !== null && own.has(zvol))
  );
  const disks = vm.disks.map((disk) => ({ ...disk, because: reasonToKeep(vm, disk, choice) }));
  return {
    id: vm.id,
    name: vm.name,
    uuid: vm.uuid,
    state: vm.state,
    marked: foreignReason(vm, journal) === null,
    marks: marksOf(vm, journal),
    zvols: disks.flatMap(({ zvol: name, sizeBytes, because }) =>
      because === null && name !== null ? [withRelations({ name, sizeBytes }, facts, vms)] : []
    ),
    ...seedOf(vm),
    keeps: disks.flatMap(({ path, because }) => because === null ? [] : [{ path, because }]),
    blocked: [],
    after: sharing.map(({ id }) => id),
  };
}

function seedOf(vm: Vm): { readonly seed?: string } {
  const seed = seedDatasetOfVm(vm);
  return seed === null ? {} : { seed };
}

function reasonToKeep(vm: Vm, { zvol }: Disk, { toDestroy, kept, keepDisks }: Choice): string | null {
  if (zvol === null) return "it is not a zvol";
  if (keepDisks) return "you chose to keep disks";
  const uses = ({ disks }: Vm) => disks.some((disk) => disk.zvol === zvol);
  const other = kept.find(uses);
  if (other !== undefined) return `${other.name} also uses it`;
  const later = toDestroy.slice(toDestroy.indexOf(vm) + 1).find(uses);
  return later === undefined ? null : `removed with ${later.name}`;
}

function marksOf(vm: Vm, { uuids }: JournalEvidence): VmMarks {
  const readable = vm.disks.filter(({ zvol, sizeBytes }) => zvol !== null && sizeBytes !== null);
  const own = readable.filter(({ mark }) => mark !== null && mark.vm === vm.uuid).length;
  const some = own > 0 ? "some" : "none";
  const zvols = readable.length === 0 ? "unknown" : own === readable.length ? "all" : some;
  return { description: isMarked(vm.description), zvols, journal: vm.uuid !== null && uuids.has(vm.uuid) };
}

/**
 * Why a VM is considered foreign, or null when it is ours: the description must contain the mark, and each zvol must name
 * the VM, as far as that can be read, or the journal must have recorded the creation of both. A clone of our VM copies
 * the description, but its zvols name no VM.
 */
export function foreignReason(vm: Vm, { uuids, zvols }: JournalEvidence): string | null {
  if (!isMarked(vm.description)) return "its description does not contain this program's mark";
  const journalled = vm.uuid !== null && uuids.has(vm.uuid);
  const odd = vm.disks.find(({ zvol, sizeBytes, mark }) => {
    if (zvol === null || sizeBytes === null) return false;
    if (mark !== null) return mark.vm !== vm.uuid;
    return !(journalled && zvols.has(zvol));
  });
  return odd === undefined ? null : `its disk ${odd.zvol} was not created for it`;
}
