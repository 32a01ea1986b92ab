/** Finds orphans: marked resources that belong to nothing, left by interrupted or kept operations. Pure. */
import type { Dataset, Reading, Vm } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import { type JournalEvidence, planDestruction } from "./destruction.ts";
import { fingerprint } from "./fingerprint.ts";
import { isMarked, type ZvolMark } from "../inventory/marks.ts";
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
  /** The confirmation phrase: `destroy 1 vm and 2 zvols`. */
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
}

/** Finds the orphans. */
export function findOrphans(facts: OrphanFacts): OrphanPlan {
  const { left, removal = NOTHING_READ } = facts;
  const all = findAll(facts, removal);
  const isLeft = ({ name }: { readonly name: string }) => left.includes(name);
  const { vms, zvols } = withFates({
    vms: all.vms.filter((vm) => !isLeft(vm)),
    zvols: all.zvols.known
      ? { known: true, value: all.zvols.value.filter((zvol) => !isLeft(zvol)) }
      : all.zvols,
  }, removal);
  const found = [...all.vms, ...all.zvols.known ? all.zvols.value : []].map(({ name }) => name);
  const missing = left.filter((name) => !found.includes(name));
  const goes = ({ blocked }: { readonly blocked: readonly string[] }) => blocked.length === 0;
  const alone = zvols.known ? zvols.value : [];
  const phrase = `destroy ${describe(vms.filter(goes).length, alone.filter(goes).length)}`;
  const notices = vms.some((vm) => vm.zvols.length > 0) || alone.length > 0 ? describeUnread(removal) : [];
  return { vms, zvols, left, missing, notices, phrase, fingerprint: fingerprint([vms, zvols]) };
}

type Found = Pick<OrphanPlan, "vms" | "zvols">;

function findAll(facts: OrphanFacts, removal: RemovalFacts): Found {
  const vms = facts.vms.flatMap((vm) => {
    const because = halfMadeReason(vm, facts);
    if (because === null) return [];
    // The destruction plan of an incomplete VM gives its zvols and what is kept.
    const { vms: [planned] } = planDestruction(
      facts.vms,
      { prefixes: [], ids: [vm.id] },
      facts.journal,
      removal,
    );
    return planned === undefined ? [] : [{ ...planned, because }];
  });
  const toDestroy = new Set(vms.flatMap((vm) => vm.zvols.map(({ name }) => name)));
  if (!facts.zvols.known) return { vms, zvols: facts.zvols };
  const value = facts.zvols.value.flatMap((zvol) => orphan(zvol, facts, { toDestroy, removal }));
  return { vms, zvols: { known: true, value } };
}

/** Repeats until nothing further is blocked, because whatever is blocked keeps what it depends on. */
function withFates({ vms, zvols }: Found, facts: RemovalFacts): Found {
  const blocked = new Map<string, readonly string[]>();
  const alone = zvols.known ? zvols.value : [];
  const items = [
    ...vms.map((vm) => ({ key: String(vm.id), zvols: vm.zvols })),
    ...alone.map((zvol) => ({ key: zvol.name, zvols: [zvol] })),
  ];
  if (facts.mayDeleteZvols === false) { for (const { name } of alone) blocked.set(name, [NO_RIGHT]); }
  for (;;) {
    const fates = planRemovals(items.filter(({ key }) => !blocked.has(key)), facts);
    const stuck = [...fates].filter(([, fate]) => fate.blocked.length > 0);
    for (const [key, fate] of stuck) blocked.set(key, fate.blocked);
    if (stuck.length > 0) continue;
    const fateOf = (key: string) => ({
      blocked: blocked.get(key) ?? [],
      after: fates.get(key)?.after ?? [],
    });
    const decided = alone.map((zvol) => ({ ...zvol, ...fateOf(zvol.name) }));
    return {
      vms: vms.map((vm) => {
        const { blocked, after } = fateOf(String(vm.id));
        return { ...vm, blocked, after: after.map(Number).filter(Number.isInteger) };
      }),
      zvols: zvols.known ? { known: true, value: decided } : zvols,
    };
  }
}

const NO_RIGHT =
  "the account does not have the role DATASET_DELETE, which removing it requires; grant the role";

function describe(vms: number, zvols: number): string {
  const parts = [
    ...(vms > 0 ? [formatCount(vms, "vm")] : []),
    ...(zvols > 0 || vms === 0 ? [formatCount(zvols, "zvol")] : []),
  ];
  return parts.join(" and ");
}

function halfMadeReason(vm: Vm, { unfinished, running }: OrphanFacts): string | null {
  if (!isMarked(vm.description) || (vm.uuid !== null && running.uuids.has(vm.uuid))) return null;
  if (vm.uuid !== null && unfinished.has(vm.uuid)) return "an operation left it incomplete";
  return vm.displays.length === 0 && vm.disks.length === 0 ? "it has no display and no disk" : null;
}

function orphan(
  { name, volsizeBytes, mark }: Dataset,
  { vms, running }: OrphanFacts,
  { toDestroy, removal }: { readonly toDestroy: ReadonlySet<string>; readonly removal: RemovalFacts },
): OrphanZvol[] {
  if (mark === null || toDestroy.has(name)) return [];
  if (running.operations.has(mark.operation) || running.uuids.has(mark.vm)) return [];
  if (vms.some(({ disks }) => disks.some(({ zvol }) => zvol === name))) return [];
  const owner = vms.find(({ uuid }) => uuid === mark.vm);
  // One of its VM's disks is missing; this may be that disk, renamed on the NAS.
  if (owner?.disks.some((disk) => disk.zvol !== null && disk.sizeBytes === null)) return [];
  const madeFor = owner?.name ?? null;
  const zvol = withRelations({ name, sizeBytes: volsizeBytes }, removal, vms);
  return [{ ...zvol, mark, madeFor, blocked: [], after: [] }];
}

/** The zvols that removing the orphans would remove, before their dependents are known. */
export function orphanZvolNames({ vms, zvols }: OrphanPlan): readonly string[] {
  const alone = zvols.known ? zvols.value : [];
  return [...new Set([...vms.flatMap((vm) => vm.zvols), ...alone].map(({ name }) => name))];
}
