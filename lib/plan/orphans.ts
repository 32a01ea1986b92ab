/** Finds orphans: marked resources that belong to nothing, left by interrupted or kept operations. Pure. */
import { seedDatasetOfVm } from "../first_boot/iso/seed_dataset.ts";
import type { Dataset, Disk, Reading, Vm } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import { type JournalEvidence, planDestruction } from "./destruction.ts";
import { fingerprint } from "./fingerprint.ts";
import { isMarked, type ZvolMark } from "../inventory/marks.ts";
import { keptReason, type KeptZvols } from "./replacing/kept.ts";
import { describeUnread, NOTHING_READ, planRemovals, type RemovalFacts, withRelations } from "./removal.ts";
import type { DestructionVm, PlannedZvol } from "./types.ts";

/** A zvol created here that no VM uses. */
export interface OrphanZvol extends PlannedZvol {
  /** The VM and the operation it was created for. */
  readonly mark: ZvolMark;
  /** Name of the VM it was created for, if that exists without it. */
  readonly madeFor: string | null;
  /** Why it is kept, each with what to do; empty when it will be removed. */
  readonly blocked: readonly string[];
  /** Names of orphan zvols and ids of incomplete VMs whose disks are clones of it, which must be removed first. */
  readonly after: readonly string[];
}

/** An incomplete VM of this program. */
export interface OrphanVm extends DestructionVm {
  /** Why it is considered incomplete. */
  readonly because: string;
}

/** The orphans, and what removing them involves. */
export interface OrphanPlan {
  /** Sorted by name. */
  readonly vms: readonly OrphanVm[];
  /** Sorted by name, or why they cannot be read. */
  readonly zvols: Reading<readonly OrphanZvol[]>;
  /** Names that the user deselected. */
  readonly left: readonly string[];
  /** Readings that failed, and the consequences. */
  readonly notices: readonly string[];
  /** Deselected names that are not orphans, reported because a typo would otherwise remove the intended one. */
  readonly missing: readonly string[];
  /** The confirmation phrase: `destroy 1 vm and 2 disks`. */
  readonly phrase: string;
  /** Changes whenever the set changes. */
  readonly fingerprint: string;
}

/** What the search needs. */
export interface OrphanFacts {
  readonly vms: readonly Vm[];
  /** Zvols with our properties. */
  readonly zvols: Reading<readonly Dataset[]>;
  /** uuids of VMs that an operation left incomplete. */
  readonly unfinished: ReadonlySet<string>;
  /** Ids of running operations and the uuids of their VMs, whose resources are not orphans. */
  readonly running: { readonly operations: ReadonlySet<string>; readonly uuids: ReadonlySet<string> };
  readonly journal: JournalEvidence;
  /** Dependents of the zvols; default: not read. */
  readonly removal?: RemovalFacts;
  /** Names that the user deselected. */
  readonly left: readonly string[];
  /** Zvols that unfinished replacements keep, with what to do about each; default: none. */
  readonly kept?: KeptZvols;
}

/** Finds the orphans. */
export function findOrphans(facts: OrphanFacts): OrphanPlan {
  const { left, removal = NOTHING_READ, kept } = facts;
  const allVms = findVms(facts, removal);
  const allZvols = facts.zvols.known ? findZvols(facts.zvols.value, facts, { vms: allVms, removal }) : [];
  const names = [...allVms, ...allZvols].map(({ name }) => name);
  const isSelected = ({ name }: { readonly name: string }) => !left.includes(name);
  const { vms, zvols } = decide(allVms.filter(isSelected), allZvols.filter(isSelected), {
    facts: removal,
    kept,
  });
  const isRemoved = ({ blocked }: { readonly blocked: readonly string[] }) => blocked.length === 0;
  const removed = vms.filter(isRemoved);
  const disks = [...removed.flatMap((vm) => vm.zvols), ...zvols.filter(isRemoved)];
  const readZvols = facts.zvols.known ? { known: true, value: zvols } as const : facts.zvols;
  return {
    vms,
    zvols: readZvols,
    left,
    missing: left.filter((name) => !names.includes(name)),
    notices: vms.some((vm) => vm.zvols.length > 0) || zvols.length > 0 ? describeUnread(removal) : [],
    phrase: `destroy ${describe(removed.length, disks.length)}`,
    fingerprint: fingerprint([vms, readZvols]),
  };
}

function findVms(facts: OrphanFacts, removal: RemovalFacts): readonly OrphanVm[] {
  return facts.vms.flatMap((vm) => {
    const because = incompleteReason(vm, facts);
    if (because === null) return [];
    // The destruction plan of an incomplete VM gives its zvols and what is kept.
    const request = { prefixes: [], ids: [vm.id] };
    const { vms: [planned] } = planDestruction(facts.vms, request, facts.journal, removal);
    return planned === undefined ? [] : [{ ...planned, because }];
  });
}

function decide(
  vms: readonly OrphanVm[],
  zvols: readonly OrphanZvol[],
  { facts, kept }: { readonly facts: RemovalFacts; readonly kept: KeptZvols | undefined },
): { readonly vms: readonly OrphanVm[]; readonly zvols: readonly OrphanZvol[] } {
  const refusals = facts.mayDeleteZvols === false ? [NO_RIGHT] : [];
  const items = [
    ...vms.map((vm) => ({ key: String(vm.id), zvols: vm.zvols, refusals: [] })),
    ...zvols.map((zvol) => ({
      key: zvol.name,
      zvols: [zvol],
      refusals: [...refusals, ...[keptReason(kept, zvol) ?? []].flat()],
    })),
  ];
  const decided = planRemovals((blocked) => items.filter(({ key }) => !blocked.has(key)), facts);
  const decisions = new Map(decided.map(({ key, blocked, after }) => [key, { blocked, after }]));
  const decisionOf = (key: string) => decisions.get(key) ?? { blocked: [], after: [] };
  return {
    vms: vms.map((vm) => {
      const { blocked, after } = decisionOf(String(vm.id));
      return { ...vm, blocked, after: after.map(Number).filter(Number.isInteger) };
    }),
    zvols: zvols.map((zvol) => ({ ...zvol, ...decisionOf(zvol.name) })),
  };
}

const NO_RIGHT =
  "the account does not have the role DATASET_DELETE, which removing it requires; grant the role";

function describe(vms: number, zvols: number): string {
  const parts = [
    ...(vms > 0 ? [formatCount(vms, "vm")] : []),
    ...(zvols > 0 || vms === 0 ? [formatCount(zvols, "disk")] : []),
  ];
  return parts.join(" and ");
}

function incompleteReason(vm: Vm, { unfinished, running, kept }: OrphanFacts): string | null {
  if (!isMarked(vm.description) || (vm.uuid !== null && running.uuids.has(vm.uuid))) return null;
  // What a replacement has kept goes with no VM, however incomplete that is.
  const isKept = ({ zvol: name, mark }: Disk) => name !== null && keptReason(kept, { name, mark }) !== null;
  if (vm.disks.some(isKept)) return null;
  if (vm.uuid !== null && unfinished.has(vm.uuid)) return "an operation left it incomplete";
  return vm.displays.length === 0 && vm.disks.length === 0 ? "it has no display and no disk" : null;
}

/** The marked zvols that no VM uses, no running operation creates and no orphan VM takes with it. */
function findZvols(
  zvols: readonly Dataset[],
  { vms, running }: OrphanFacts,
  { vms: orphans, removal }: { readonly vms: readonly OrphanVm[]; readonly removal: RemovalFacts },
): readonly OrphanZvol[] {
  const toDestroy = new Set(orphans.flatMap((vm) => vm.zvols.map(({ name }) => name)));
  return zvols.flatMap(({ name, volsizeBytes, mark }) => {
    if (mark === null || toDestroy.has(name)) return [];
    if (running.operations.has(mark.operation) || running.uuids.has(mark.vm)) return [];
    if (vms.some((vm) => seedDatasetOfVm(vm) === name || vm.disks.some(({ zvol }) => zvol === name))) {
      return [];
    }
    const owner = vms.find(({ uuid }) => uuid === mark.vm);
    // One of its VM's disks is missing; this may be that disk, renamed on the NAS.
    if (owner?.disks.some((disk) => disk.zvol !== null && disk.sizeBytes === null)) return [];
    const zvol = withRelations({ name, sizeBytes: volsizeBytes }, removal, vms);
    return [{ ...zvol, mark, madeFor: owner?.name ?? null, blocked: [], after: [] }];
  });
}

/** The zvols that removing the orphans would remove, before their dependents are known. */
export function orphanZvolNames({ vms, zvols }: OrphanPlan): readonly string[] {
  const unused = zvols.known ? zvols.value : [];
  return [...new Set([...vms.flatMap((vm) => vm.zvols), ...unused].map(({ name }) => name))];
}
