/** What carries this program's marks and belongs to nothing: leftovers of what was interrupted or kept. Pure. */
import type { Dataset, Reading, Vm } from "../inventory/inventory.ts";
import { formatCount } from "../units.ts";
import { type JournalEvidence, planDestruction } from "./destruction.ts";
import { fingerprint } from "./fingerprint.ts";
import { isMarked, type ZvolMark } from "../inventory/marks.ts";
import { describeUnread, NOTHING_READ, planRemovals, type RemovalFacts, withRelations } from "./removal.ts";
import type { DestructionVm, PlannedZvol } from "./types.ts";

/** A zvol that was made here and that no VM uses. */
export interface OrphanZvol extends PlannedZvol {
  /** For which VM, and by which operation, it was made. */
  readonly mark: ZvolMark;
  /** The VM that it was made for, when that is there without it. */
  readonly madeFor: string | null;
  /** Why it stays, each with what to do; empty when it goes. */
  readonly blocked: readonly string[];
  /** What has to be gone before: names of orphan zvols, and ids of half-made VMs, whose disks are clones of it. */
  readonly after: readonly string[];
}

/** A half-made VM of this program. */
export interface OrphanVm extends DestructionVm {
  /** Why it is taken for half-made. */
  readonly because: string;
}

/** Everything that was found, and what removing it would mean. */
export interface OrphanPlan {
  /** In order of name. */
  readonly vms: readonly OrphanVm[];
  /** In order of name; when they cannot be read, why. */
  readonly zvols: Reading<readonly OrphanZvol[]>;
  /** Names that a person left out. */
  readonly left: readonly string[];
  /** What could not be read, and what that means. */
  readonly notices: readonly string[];
  /** Those of them that are no orphans: a mistyped one would not be left out. */
  readonly missing: readonly string[];
  /** What a person types to confirm: `destroy 1 vm and 2 zvols`. */
  readonly phrase: string;
  /** Changes whenever the set does. */
  readonly fingerprint: string;
}

/** What orphans are found by. */
export interface OrphanFacts {
  readonly vms: readonly Vm[];
  /** Zvols that carry our properties. */
  readonly zvols: Reading<readonly Dataset[]>;
  /** uuids of VMs that an operation left unfinished. */
  readonly unfinished: ReadonlySet<string>;
  /** Ids of operations that are under way, and the uuids of their VMs: what they make or remove is no orphan. */
  readonly running: { readonly operations: ReadonlySet<string>; readonly uuids: ReadonlySet<string> };
  readonly journal: JournalEvidence;
  /** What depends on the zvols; default: not read. */
  readonly removal?: RemovalFacts;
  /** Names that a person leaves out. */
  readonly left: readonly string[];
}

/** Finds them. */
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
    // Of a VM that is half made, the plan of a destruction tells the zvols and what stays.
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

/** What is blocked stays, and what it depends on as well: until nothing is blocked any more. */
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

const NO_RIGHT = "the account lacks the role DATASET_DELETE, without which it cannot be removed: grant it";

function describe(vms: number, zvols: number): string {
  const parts = [
    ...(vms > 0 ? [formatCount(vms, "vm")] : []),
    ...(zvols > 0 || vms === 0 ? [formatCount(zvols, "zvol")] : []),
  ];
  return parts.join(" and ");
}

function halfMadeReason(vm: Vm, { unfinished, running }: OrphanFacts): string | null {
  if (!isMarked(vm.description) || (vm.uuid !== null && running.uuids.has(vm.uuid))) return null;
  if (vm.uuid !== null && unfinished.has(vm.uuid)) return "an operation left it unfinished";
  return vm.displays.length === 0 && vm.disks.length === 0 ? "it has neither display nor disk" : null;
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
  // A disk of its VM is nowhere to be found: this may be it, renamed on the NAS.
  if (owner?.disks.some((disk) => disk.zvol !== null && disk.sizeBytes === null)) return [];
  const madeFor = owner?.name ?? null;
  const zvol = withRelations({ name, sizeBytes: volsizeBytes }, removal, vms);
  return [{ ...zvol, mark, madeFor, blocked: [], after: [] }];
}

/** The zvols that a removal of orphans would take, as far as that can be said without knowing what depends on them. */
export function orphanZvolNames({ vms, zvols }: OrphanPlan): readonly string[] {
  const alone = zvols.known ? zvols.value : [];
  return [...new Set([...vms.flatMap((vm) => vm.zvols), ...alone].map(({ name }) => name))];
}
