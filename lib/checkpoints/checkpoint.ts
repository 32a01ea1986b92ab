/**
 * A checkpoint: one snapshot of each zvol of some VMs, under one name. Everything about it is in a property of each of its
 * snapshots, so that it survives the loss of this program's own folder. Pure.
 */
import { sourceOf, type Vm } from "../inventory/inventory.ts";

/** Snapshots of checkpoints are called `checkpoint-NAME`. */
const PREFIX = "checkpoint-";

/** The property of a snapshot that makes it part of a checkpoint; TrueNAS requires a colon in its name. */
export const CHECKPOINT_PROPERTY = "truenas-vm-manager:checkpoint";

/** ZFS keeps at most this many bytes of a property. */
const MAX_PROPERTY_BYTES = 8_191;

/** The longest name and note. */
export const MAX_NAME_CHARS = 60;
/** The longest note. */
export const MAX_NOTE_CHARS = 500;

/** ZFS's limit for the name of a snapshot with its dataset. */
export const MAX_SNAPSHOT_CHARS = 255;

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** What is wrong with a checkpoint's name; null when nothing is. */
export function nameProblem(name: string): string | null {
  if (name === "") return "Enter a name, such as before-upgrade";
  if (name.length > MAX_NAME_CHARS) {
    return `A name has at most ${MAX_NAME_CHARS} characters; this one has ${name.length}`;
  }
  if (NAME.test(name)) return null;
  return "A name begins with a letter or digit, and has only letters, digits, dots, hyphens and underscores";
}

/** What is wrong with a note; null when nothing is. */
export function noteProblem(note: string): string | null {
  if (note.length <= MAX_NOTE_CHARS) return null;
  return `A note has at most ${MAX_NOTE_CHARS} characters; this one has ${note.length}`;
}

/** The snapshot of a zvol in a checkpoint: `tank/vms/web01-disk0@checkpoint-before-upgrade`. */
export function snapshotOf(zvol: string, checkpoint: string): string {
  return `${zvol}@${PREFIX}${checkpoint}`;
}

/** The checkpoint that a snapshot may belong to by its name; null for others. */
export function checkpointIn(snapshot: string): string | null {
  const name = snapshot.slice(sourceOf(snapshot).length + 1);
  return name.startsWith(PREFIX) ? name.slice(PREFIX.length) : null;
}

/** Settings of a VM that are recorded with its checkpoint. */
export interface RecordedSettings {
  /** Memory in MiB. */
  readonly memoryMib: number;
  /** What TrueNAS calls `vcpus`. */
  readonly sockets: number;
  /** Cores per socket. */
  readonly cores: number;
  /** Threads per core. */
  readonly threads: number;
  /** Whether it starts when the NAS boots. */
  readonly autostart: boolean;
  /** What each NIC is attached to, with its MAC. */
  readonly nics: readonly string[];
  /** Paths of install images. */
  readonly cdroms: readonly string[];
}

/** What a snapshot's property says about it. */
export interface SnapshotMark {
  /** The checkpoint's name. */
  readonly name: string;
  /** Id of the operation that took it. */
  readonly operation: string;
  readonly note: string;
  /** How many VMs the checkpoint has when it is whole. */
  readonly vms: number;
  /** The VM that the zvol belonged to. */
  readonly vm: { readonly name: string; readonly uuid: string | null };
  /** The VM's zvols at that time, in the order of its disks. */
  readonly zvols: readonly string[];
  /** Whether the VM was running, so that its disks are as after a power failure. */
  readonly running: boolean;
  /** Null when there was no room for them. */
  readonly settings: RecordedSettings | null;
}

/** The settings of a VM that are recorded. */
export function settingsOf(vm: Vm): RecordedSettings {
  const { memoryMib, sockets, cores, threads, autostart } = vm;
  return {
    memoryMib,
    sockets,
    cores,
    threads,
    autostart,
    nics: vm.nics.map(({ attach, mac }) => `${attach ?? "default"} ${mac ?? "random MAC"}`),
    cdroms: vm.cdroms.map(({ path }) => path),
  };
}

/** A snapshot's properties. What there is no room for is left out, settings first. */
export function markProperties(mark: SnapshotMark): Readonly<Record<string, string>> {
  const forms = [mark, { ...mark, settings: null }, { ...mark, settings: null, note: "" }];
  const texts = forms.map((form) => JSON.stringify(form));
  const fits = (text: string) => new TextEncoder().encode(text).length <= MAX_PROPERTY_BYTES;
  return {
    [CHECKPOINT_PROPERTY]: texts.find(fits) ??
      JSON.stringify({ ...mark, settings: null, note: "", zvols: [] }),
  };
}

/**
 * The mark of a snapshot; null for one that is not this program's. A snapshot shows properties of its zvol too, and
 * a replica has those of its original, so the mark counts only if it names the snapshot itself and its zvol.
 */
export function markOf(
  { name, own }: { readonly name: string; readonly own: Readonly<Record<string, string>> },
): SnapshotMark | null {
  const mark = parsed(own[CHECKPOINT_PROPERTY]);
  if (mark === null || checkpointIn(name) !== mark.name) return null;
  return mark.zvols.length === 0 || mark.zvols.includes(sourceOf(name)) ? mark : null;
}

function parsed(text: string | undefined): SnapshotMark | null {
  if (text === undefined) return null;
  try {
    const value: unknown = JSON.parse(text);
    return isMark(value) ? { ...value, zvols: value.zvols ?? [], settings: value.settings ?? null } : null;
  } catch {
    // Anybody can write a property, so one that cannot be read is nobody's.
    return null;
  }
}

function isMark(value: unknown): value is SnapshotMark {
  if (typeof value !== "object" || value === null) return false;
  const { name, operation, note, vms, vm, zvols, running } = value as Partial<
    Record<keyof SnapshotMark, unknown>
  >;
  return typeof name === "string" && typeof operation === "string" && typeof note === "string" &&
    typeof vms === "number" && typeof running === "boolean" && Array.isArray(zvols) &&
    zvols.every((zvol) => typeof zvol === "string") && isMarkedVm(vm);
}

function isMarkedVm(vm: unknown): boolean {
  if (typeof vm !== "object" || vm === null) return false;
  const { name, uuid } = vm as { name?: unknown; uuid?: unknown };
  return typeof name === "string" && (uuid === null || typeof uuid === "string");
}

/** A snapshot of a checkpoint. */
export interface CheckpointSnapshot {
  /** `tank/vms/web01-disk0@checkpoint-before-upgrade` */
  readonly name: string;
  /** `tank/vms/web01-disk0` */
  readonly zvol: string;
  /** ZFS's transaction, by which this snapshot is known again. */
  readonly createtxg: number;
  /** Bytes that only it refers to; null when the NAS did not say. */
  readonly usedBytes: number | null;
  /** Tags of its holds. */
  readonly holds: readonly string[];
  /** Zvols that were cloned from it. */
  readonly clones: readonly string[];
}

/** A VM in a checkpoint. */
export interface CheckpointVm {
  /** Its name at that time. */
  readonly name: string;
  /** Its uuid, where TrueNAS reports one. */
  readonly uuid: string | null;
  /** Id of the VM on the NAS; null when it no longer exists. */
  readonly vmId: number | null;
  /** Its name on the NAS now; null when it no longer exists. */
  readonly nameNow: string | null;
  /** Whether it was running when the checkpoint was taken. */
  readonly running: boolean;
  /** Its snapshots. */
  readonly snapshots: readonly CheckpointSnapshot[];
  /** What has changed since, each in a few words. */
  readonly changes: readonly string[];
}

/** A checkpoint. */
export interface Checkpoint {
  /** Its name. */
  readonly name: string;
  /** Free text. */
  readonly note: string;
  /** Id of the operation that took it. */
  readonly operation: string;
  /** Milliseconds since 1970 (UTC); null when the NAS did not say. */
  readonly takenAt: number | null;
  /** Bytes that only its snapshots refer to; null when the NAS did not say. */
  readonly usedBytes: number | null;
  /** How many VMs it has when it is whole. */
  readonly wanted: number;
  /** Whether every VM and every disk has its snapshot. */
  readonly isWhole: boolean;
  /** The VMs. */
  readonly vms: readonly CheckpointVm[];
}
