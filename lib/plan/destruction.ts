/** Which VMs and zvols a destruction would remove: an exact set, frozen by id. Pure. */
import type { Disk, Vm } from "../inventory.ts";
import { compareNames, matchesPrefix } from "../names.ts";
import { formatCount } from "../units.ts";
import { fingerprint } from "./fingerprint.ts";
import { isMarked } from "../marks.ts";
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
  const doomed = matching.filter(goes);
  const spared = matching.filter((vm) => !goes(vm)).map((vm) => ({
    id: vm.id,
    name: vm.name,
    state: vm.state,
    because: whyNotOurs(vm, journal) ?? "",
  }));
  const staying = vms.filter((vm) => !doomed.includes(vm));
  const planned = doomed.map((vm) => planVm(vm, { staying, keepDisks, journal }));
  // By name: a zvol that two of these VMs share goes once.
  const zvols = new Map(planned.flatMap((vm) => vm.zvols.map(({ name, sizeBytes }) => [name, sizeBytes])));
  const totals = {
    vms: planned.length,
    zvols: zvols.size,
    zvolBytes: [...zvols.values()].reduce<number>((total, sizeBytes) => total + (sizeBytes ?? 0), 0),
  };
  const phrase = `destroy ${formatCount(planned.length, "vm")}`;
  const set = fingerprint([planned, keepDisks, shutdown]);
  return { prefixes, vms: planned, spared, missing, keepDisks, shutdown, totals, phrase, fingerprint: set };
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
  readonly staying: readonly Vm[];
  readonly keepDisks: boolean;
  readonly journal: JournalEvidence;
}

function planVm(vm: Vm, fate: Fate): DestructionVm {
  const fates = vm.disks.map((disk) => ({ disk, because: whyItStays(disk, fate) }));
  return {
    id: vm.id,
    name: vm.name,
    uuid: vm.uuid,
    state: vm.state,
    marked: whyNotOurs(vm, fate.journal) === null,
    marks: marksOf(vm, fate.journal),
    zvols: fates.flatMap(({ disk, because }) =>
      because === null && disk.zvol !== null ? [{ name: disk.zvol, sizeBytes: disk.sizeBytes }] : []
    ),
    keeps: fates.flatMap(({ disk, because }) => because === null ? [] : [{ path: disk.path, because }]),
  };
}

function whyItStays(disk: Disk, { staying, keepDisks }: Fate): string | null {
  if (disk.zvol === null) return "it is not a zvol";
  if (keepDisks) return "the disks are kept";
  const other = staying.find(({ disks }) => disks.some(({ zvol }) => zvol === disk.zvol));
  return other === undefined ? null : `${other.name} uses it too`;
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
