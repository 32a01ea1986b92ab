/**
 * Plans to replace VMs: which zvols go with the old VM, which ones the new VM gets, and what prevents it. The new VM has a new
 * uuid, so that an interrupted replacement can always tell the two apart. Pure.
 */
import { seedDatasetOfVm } from "../../first_boot/iso/seed_dataset.ts";
import type { Disk, Inventory, Vm } from "../../inventory/inventory.ts";
import { withoutMark } from "../../inventory/marks.ts";
import { hasRole } from "../../truenas/roles.ts";
import { MIB } from "../../units.ts";
import { type CreationInput, findDataset } from "../creation_input.ts";
import { foreignReason, NO_EVIDENCE } from "../destruction.ts";
import { preflight } from "../preflight/preflight.ts";
import { resizeStepsOf } from "../reconciling.ts";
import { clonesFirst, planRemovals, type RemovalFacts, withRelations } from "../removal.ts";
import type { PlannedDevice, PlannedVm, ReplacedZvol, Replacement } from "../types.ts";

type PlannedDisk = Extract<PlannedDevice, { dtype: "DISK" }>;
type PlannedNic = Extract<PlannedDevice, { dtype: "NIC" }>;

/** A VM that only replacing settles, and what it is now. */
export interface ToReplace {
  /** As compared with the existing VM. */
  readonly vm: PlannedVm;
  readonly found: Vm;
  /** The existing disk of each configured one, by step. */
  readonly disks: ReadonlyMap<string, Disk>;
}

/** Adds what replacing the VM removes, keeps and creates; a VM that cannot be replaced is blocked. */
export function planReplacement(toReplace: ToReplace, input: CreationInput): PlannedVm {
  const { vm, found } = toReplace;
  const replacement = replacementOf(toReplace, input);
  const blocked = [
    ...refusalsOf(found, replacement, input),
    ...removalRefusals(found, replacement, input.removal),
    ...creationRefusals(toReplace, replacement, input),
  ];
  if (blocked.length === 0) return { ...vm, replacement };
  return { ...vm, replacement, action: "blocked", reasons: [...vm.reasons, ...blocked.map(cannotReplace)] };
}

function cannotReplace(why: string): string {
  return `it cannot be replaced: ${why}`;
}

/** The zvols that replacing VMs of a plan would remove, before their dependents are known; null without such VMs. */
export function zvolsToReplace(vms: readonly PlannedVm[]): readonly string[] | null {
  const replacements = vms.flatMap(({ replacement }) => replacement ?? []);
  if (replacements.length === 0) return null;
  return replacements.flatMap(({ zvols }) => zvols.map(({ name }) => name));
}

function replacementOf({ vm, found, disks }: ToReplace, input: CreationInput): Replacement {
  const goes = (step: string) => vm.differences.some(({ field, replaces }) => replaces && field === step);
  const configured = vm.devices.map((device) => {
    const disk = device.dtype === "DISK" ? disks.get(device.step) : undefined;
    if (device.dtype !== "DISK" || disk === undefined) return device;
    return goes(device.step) ? { ...device, adopt: false } : kept(device, disk);
  });
  const devices = [...configured, ...extraDevices({ vm, found, disks })];
  const { stated } = input.templates(vm.type);
  const zvols = [...disks].flatMap(([step, { zvol: name, sizeBytes, mark }]): ReplacedZvol[] =>
    name === null || !goes(step)
      ? []
      : [{ ...related({ name, sizeBytes }, input), step, mark, takenBytes: takenBytesOf(found, name) }]
  );
  const keeps = devices.filter((device) => device.dtype === "DISK").filter(({ adopt }) => adopt)
    .map(({ step, zvol }) => ({ step, zvol, mark: markOf(zvol, found, input) }));
  const isNew = found.state === "STOPPED" && found.everStarted === false;
  const replacement = {
    // A snapshot of one disk can be the origin of another.
    zvols: inOrder(zvols),
    keeps,
    devices,
    description: vm.description || (stated.description ?? withoutMark(found.description)),
    autostart: vm.autostart ?? stated.autostart ?? found.autostart,
    start: found.state === "RUNNING" || (vm.start && isNew),
    ...oldSeedOf(found),
    resizes: resizeStepsOf(vm, keeps.map(({ zvol }) => zvol)),
  };
  const isAwaited = replacement.start && vm.ready !== undefined && input.waitReady !== false;
  return { ...replacement, steps: [...stepsOf(vm, replacement, found), ...(isAwaited ? ["ready"] : [])] };
}

function oldSeedOf(found: Vm): Pick<Replacement, "seed"> {
  const dataset = seedDatasetOfVm(found);
  return dataset === null || found.uuid === null ? {} : { seed: { dataset, uuid: found.uuid } };
}

function inOrder(zvols: readonly ReplacedZvol[]): readonly ReplacedZvol[] {
  return clonesFirst(zvols).flatMap(({ name }) => zvols.find((zvol) => zvol.name === name) ?? []);
}

function related(
  zvol: { readonly name: string; readonly sizeBytes: number | null },
  { removal, inventory }: CreationInput,
) {
  return removal === undefined
    ? { ...zvol, snapshots: null, dependants: [] }
    : withRelations(zvol, removal, inventory.vms);
}

function takenBytesOf({ disks }: Vm, zvol: string): number {
  return disks.find((disk) => disk.zvol === zvol)?.takenBytes ?? 0;
}

/** The disk that the VM has, under its present name. */
function kept({ image: _image, ...device }: PlannedDisk, { zvol }: Disk): PlannedDisk {
  return { ...device, zvol: zvol ?? device.zvol, adopt: true };
}

function markOf(zvol: string, { disks }: Vm, input: CreationInput) {
  const disk = disks.find((it) => it.zvol === zvol);
  return (disk === undefined ? findDataset(input, zvol)?.mark : disk.mark) ?? null;
}

/** Disks and NICs that the configuration does not have, such as one added on the VM's page, come along. */
function extraDevices({ vm: { devices }, found, disks }: ToReplace): readonly PlannedDevice[] {
  const matched = [...disks.values()];
  const count = (dtype: PlannedDevice["dtype"]) => devices.filter((device) => device.dtype === dtype).length;
  const last = Math.max(0, ...devices.map(({ order }) => order));
  const [diskCount, nicCount] = [count("DISK"), count("NIC")];
  const extraDisks = found.disks.filter((disk) => !matched.includes(disk) && disk.zvol !== null)
    .map((disk, n): PlannedDisk => ({
      step: `disk${diskCount + n}`,
      order: last + 1 + n,
      dtype: "DISK",
      name: "",
      bus: disk.bus ?? "VIRTIO",
      zvol: disk.zvol ?? "",
      sizeBytes: disk.sizeBytes ?? 0,
      sparse: disk.sparse,
      force: false,
      blockSize: null,
      adopt: true,
    }));
  const extraNics = found.nics.slice(nicCount).map(({ attach, mac }, n): PlannedNic => ({
    step: `nic${nicCount + n}`,
    order: last + 1 + extraDisks.length + n,
    dtype: "NIC",
    name: "",
    attach: attach ?? "",
    mac: mac ?? "",
  }));
  return [...extraNics, ...extraDisks];
}

/** `stop` is skipped for a VM that is off. */
function stepsOf(
  { seed }: PlannedVm,
  { zvols, keeps, devices, start, seed: oldSeed, resizes }: Omit<Replacement, "steps">,
  { state }: Pick<Vm, "state">,
): readonly string[] {
  return [
    "verify",
    ...(state === "RUNNING" ? ["stop"] : []),
    // A refusal comes before anything is lost.
    ...resizes.map(({ step }) => step),
    "remove",
    ...(oldSeed === undefined ? [] : ["remove-seed"]),
    ...removalSteps(zvols),
    "vm",
    ...devices.map(({ step }) => step),
    ...(seed === undefined ? [] : ["seed"]),
    ...keeps.filter(({ mark }) => mark !== null).map(({ step }) => `mark-${step}`),
    ...(start ? ["start"] : []),
  ];
}

/** The steps that remove zvols, after the VM that used them. */
export function removalSteps(zvols: readonly ReplacedZvol[]): readonly string[] {
  const hasSnapshots = zvols.some(({ snapshots }) => (snapshots ?? []).length > 0);
  return [...(hasSnapshots ? ["snapshots"] : []), ...zvols.map(({ step }) => `remove-${step}`)];
}

/** What about the VM itself prevents it. */
function refusalsOf(found: Vm, { keeps, devices }: Replacement, input: CreationInput): string[] {
  const { evidence = NO_EVIDENCE, inventory: { nas: { roles } } } = input;
  const foreign = foreignReason(found, evidence);
  const isMarked = keeps.some(({ mark }) => mark !== null);
  return [
    ...(found.uuid === null ? ["TrueNAS reports no uuid for it"] : []),
    ...(foreign === null ? [] : [foreign]),
    ...(found.state === "SUSPENDED" ? ["it is suspended; resume it or power it off first"] : []),
    ...lostDevices(found, devices),
    ...(isMarked && hasRole(roles, "DATASET_WRITE") === false
      ? [`the account cannot mark the kept disks for the new VM without the role DATASET_WRITE; ${GRANT}`]
      : []),
  ];
}

const GRANT = "grant the role";

/** Devices that this program could not give to the new VM. */
function lostDevices({ others, disks, displays }: Vm, devices: readonly PlannedDevice[]): string[] {
  const lost = [
    ...others.map(({ dtype, what }) => what === "" ? `a ${dtype} device` : `the ${dtype} device ${what}`),
    ...disks.filter(({ zvol }) => zvol === null).map(({ path }) => `the disk ${path}`),
    ...displays.slice(1).map(({ type }) => `a second display (${type})`),
    ...devices.filter((device) => device.dtype === "NIC" && (device.attach === "" || device.mac === ""))
      .map(() => "a NIC that has no bridge or no MAC address of its own"),
  ];
  if (lost.length === 0) return [];
  return [`the new VM would not have ${lost.join(", ")}; remove it from the VM first`];
}

/** What prevents the removal of the zvols. */
function removalRefusals(found: Vm, { zvols }: Replacement, facts: RemovalFacts | undefined): string[] {
  if (facts === undefined) return [];
  const { mayDeleteZvols, relations: { snapshots, clones } } = facts;
  const [decided] = planRemovals((blocked) => blocked.size > 0 ? [] : [{ key: found.name, zvols }], facts);
  const names = zvols.map(({ name }) => name).join(", ");
  const refusals = decided?.blocked ?? [];
  if (zvols.length === 0) return [...refusals];
  const unread = [snapshots, clones].find(({ known }) => !known);
  return [
    ...refusals,
    ...(mayDeleteZvols === false
      ? [`the account cannot remove ${names} without the role DATASET_DELETE; ${GRANT}`]
      : []),
    // Once the VM is gone, it is too late to find out that a disk cannot be removed.
    ...(unread === undefined || unread.known
      ? []
      : [`snapshots and clones of ${names} could not be read because ${unread.because}`]),
  ];
}

/** What would prevent the creation of the new VM, once the old one and its zvols are gone. */
function creationRefusals(
  { vm, found }: ToReplace,
  { zvols, devices, steps, start }: Replacement,
  input: CreationInput,
): string[] {
  const inventory = without(input.inventory, found, zvols);
  const draft: PlannedVm = { ...vm, vmId: null, devices, start, steps };
  return preflight([draft], { ...input, inventory }).filter(({ severity }) => severity === "error")
    .map(({ message }) => message);
}

/** The NAS after the VM and the zvols have been removed. */
function without(inventory: Inventory, found: Vm, zvols: readonly ReplacedZvol[]): Inventory {
  const { vms, datasets, availableMemoryBytes: memory } = inventory;
  const freed = (dataset: string) =>
    zvols.filter(({ name }) => name.startsWith(`${dataset}/`))
      .reduce((sum, { takenBytes }) => sum + takenBytes, 0);
  const usedBytes = found.state === "STOPPED" ? 0 : (found.runsWith?.memoryMib ?? found.memoryMib) * MIB;
  return {
    ...inventory,
    vms: vms.filter(({ id }) => id !== found.id),
    datasets: datasets.known
      ? {
        known: true,
        value: datasets.value.filter(({ name }) => !zvols.some((zvol) => zvol.name === name)).map((it) =>
          it.availableBytes === null ? it : { ...it, availableBytes: it.availableBytes + freed(it.name) }
        ),
      }
      : datasets,
    availableMemoryBytes: memory.known ? { known: true, value: memory.value + usedBytes } : memory,
  };
}
