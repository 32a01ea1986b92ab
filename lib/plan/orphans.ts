/** What carries this program's marks and belongs to nothing: leftovers of what was interrupted or kept. Pure. */
import type { Dataset, Reading, Vm } from "../inventory.ts";
import { formatCount } from "../units.ts";
import { type JournalEvidence, planDestruction } from "./destruction.ts";
import { fingerprint } from "./fingerprint.ts";
import { isMarked, type ZvolMark } from "../marks.ts";
import type { DestructionVm } from "./types.ts";

/** A zvol that was made here and that no VM uses. */
export interface OrphanZvol {
  /** `tank/vms/worker01-disk0` */
  readonly name: string;
  /** Bytes; null when not known. */
  readonly sizeBytes: number | null;
  /** For which VM, and by which operation, it was made. */
  readonly mark: ZvolMark;
  /** The VM that it was made for, when that is there without it. */
  readonly madeFor: string | null;
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
  /** Names that a person leaves out. */
  readonly left: readonly string[];
}

/** Finds them. */
export function findOrphans(facts: OrphanFacts): OrphanPlan {
  const { left } = facts;
  const all = findAll(facts);
  const isLeft = ({ name }: { readonly name: string }) => left.includes(name);
  const vms = all.vms.filter((vm) => !isLeft(vm));
  const zvols = all.zvols.known
    ? { known: true, value: all.zvols.value.filter((zvol) => !isLeft(zvol)) } as const
    : all.zvols;
  const found = [...all.vms, ...all.zvols.known ? all.zvols.value : []].map(({ name }) => name);
  const missing = left.filter((name) => !found.includes(name));
  const phrase = `destroy ${describe(vms.length, zvols.known ? zvols.value.length : 0)}`;
  return { vms, zvols, left, missing, phrase, fingerprint: fingerprint([vms, zvols]) };
}

function findAll(facts: OrphanFacts): Pick<OrphanPlan, "vms" | "zvols"> {
  const vms = facts.vms.flatMap((vm) => {
    const because = whyHalfMade(vm, facts);
    if (because === null) return [];
    // By its whole name: of a VM that is half made, the plan of a destruction tells the zvols and what stays.
    const [planned] = planDestruction(facts.vms, { prefixes: [], ids: [vm.id] }, facts.journal).vms;
    return planned === undefined ? [] : [{ ...planned, because }];
  });
  const going = new Set(vms.flatMap((vm) => vm.zvols.map(({ name }) => name)));
  const zvols = facts.zvols.known
    ? { known: true, value: facts.zvols.value.flatMap((zvol) => orphan(zvol, facts, going)) } as const
    : facts.zvols;
  return { vms, zvols };
}

function describe(vms: number, zvols: number): string {
  const parts = [
    ...(vms > 0 ? [formatCount(vms, "vm")] : []),
    ...(zvols > 0 || vms === 0 ? [formatCount(zvols, "zvol")] : []),
  ];
  return parts.join(" and ");
}

function whyHalfMade(vm: Vm, { unfinished, running }: OrphanFacts): string | null {
  if (!isMarked(vm.description) || (vm.uuid !== null && running.uuids.has(vm.uuid))) return null;
  if (vm.uuid !== null && unfinished.has(vm.uuid)) return "an operation left it unfinished";
  return vm.displays.length === 0 && vm.disks.length === 0 ? "it has neither display nor disk" : null;
}

function orphan(
  { name, volsizeBytes, mark }: Dataset,
  { vms, running }: OrphanFacts,
  going: ReadonlySet<string>,
): OrphanZvol[] {
  if (mark === null || going.has(name)) return [];
  if (running.operations.has(mark.operation) || running.uuids.has(mark.vm)) return [];
  if (vms.some(({ disks }) => disks.some(({ zvol }) => zvol === name))) return [];
  const owner = vms.find(({ uuid }) => uuid === mark.vm);
  // A disk of its VM is nowhere to be found: this may be it, renamed on the NAS.
  if (owner?.disks.some((disk) => disk.zvol !== null && disk.sizeBytes === null)) return [];
  const madeFor = owner?.name ?? null;
  return [{ name, sizeBytes: volsizeBytes, mark, madeFor }];
}
