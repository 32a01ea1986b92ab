/**
 * Plans what is left to do of a replacement that was interrupted. Only zvols that name the old VM, or a VM that the
 * replacement created, are adopted or removed; whatever somebody else created under their names is left alone. Pure.
 */
import type { Dataset, Vm } from "../../inventory/inventory.ts";
import type { ZvolMark } from "../../inventory/marks.ts";
import { type CreationInput, findDataset, type OngoingReplacement } from "../creation_input.ts";
import type { PlannedDevice, PlannedVm, ReplacedZvol, Replacement } from "../types.ts";
import { removalSteps } from "./replacement.ts";

type PlannedDisk = Extract<PlannedDevice, { dtype: "DISK" }>;

/** A replacement, and what of it is on the NAS. */
interface Present {
  readonly confirmed: PlannedVm;
  readonly replacement: Replacement;
  readonly input: CreationInput;
  /** The new VM; undefined when it does not exist. */
  readonly successor: Vm | undefined;
  /** The old VM's uuid, and those requested for the new one. */
  readonly uuids: readonly (string | null)[];
}

/** What is left to do for the VM. Blocked with the reason when its name or a disk belongs to something else by now. */
export function continueReplacement(
  { confirmed, successors }: OngoingReplacement,
  input: CreationInput,
): PlannedVm {
  const { replacement, name, vmUuid } = confirmed;
  const { vms } = input.inventory;
  // The old VM is still there: everything remains to be done, and is checked against what was shown.
  if (replacement === null || vms.some(({ uuid }) => uuid === vmUuid)) return confirmed;
  const successor = vms.find(({ uuid }) => uuid !== null && successors.includes(uuid));
  const present = { confirmed, replacement, input, successor, uuids: [vmUuid, ...successors] };
  const stranger = vms.find((vm) => vm.name === name && vm !== successor);
  const reasons = [
    ...(stranger === undefined
      ? []
      : [`another VM was named ${name} meanwhile; rename it, and resume again`]),
    ...replacement.devices.flatMap((device) => device.dtype === "DISK" ? diskProblem(device, present) : []),
    ...replacement.zvols.flatMap((zvol) => removalProblem(zvol, present)),
  ];
  const vm = { ...confirmed, vmId: successor?.id ?? null, vmUuid: successor?.uuid ?? null };
  if (reasons.length > 0) return { ...vm, action: "blocked", reasons: [...new Set(reasons)] };
  return { ...vm, replacement: remaining(present) };
}

function remaining(present: Present): Replacement {
  const { replacement, successor } = present;
  const devices = replacement.devices.map((device) =>
    device.dtype === "DISK" ? { ...device, adopt: device.adopt || isCreated(device, present) } : device
  );
  const zvols = replacement.zvols.filter(({ name }) => isOld(present, find(present, name)));
  const missing = devices.filter((device) => successor === undefined || !hasDevice(successor, device));
  const unmarked = devices.filter((device) => device.dtype === "DISK" && needsMark(device, present));
  const steps = [
    ...(replacement.seed === undefined ? [] : ["remove-seed"]),
    ...removalSteps(zvols),
    ...(successor === undefined ? ["vm"] : []),
    ...missing.map(({ step }) => step),
    ...(needsSeed(present) ? ["seed"] : []),
    ...unmarked.map(({ step }) => `mark-${step}`),
    ...(replacement.start && successor?.state !== "RUNNING" ? ["start"] : []),
    ...(replacement.steps.includes("ready") ? ["ready"] : []),
  ];
  return { ...replacement, devices, zvols, steps };
}

/** The new VM is given its seed until it has started; one that has it already has it served again. */
function needsSeed({ replacement: { steps }, successor }: Present): boolean {
  return steps.includes("seed") && (successor === undefined || successor.state === "STOPPED");
}

function find({ input }: Present, zvol: string): Dataset | undefined {
  return findDataset(input, zvol);
}

function isOld({ confirmed }: Present, zvol: Dataset | undefined): boolean {
  return zvol?.mark?.vm !== undefined && zvol.mark.vm === confirmed.vmUuid;
}

/** Whether the zvol of a new disk was created by the interrupted replacement. */
function isCreated({ zvol }: PlannedDisk, present: Present): boolean {
  const mark = find(present, zvol)?.mark ?? null;
  return mark !== null && !isOld(present, find(present, zvol)) && present.uuids.includes(mark.vm);
}

/** Only zvols that can be marked are; see {@link Replacement}. */
function needsMark(device: PlannedDisk, present: Present): boolean {
  const mark = find(present, device.zvol)?.mark ?? null;
  if (mark === null || mark.vm === present.successor?.uuid) return false;
  return device.adopt || isCreated(device, present);
}

function hasDevice({ displays, cdroms, nics, disks }: Vm, device: PlannedDevice): boolean {
  switch (device.dtype) {
    case "DISPLAY":
      return displays.length > 0;
    case "CDROM":
      return cdroms.some(({ path }) => path === device.path);
    case "NIC":
      return nics.some(({ mac }) => mac === device.mac);
    case "DISK":
      return disks.some(({ zvol }) => zvol === device.zvol);
  }
}

/** Why the zvol of a disk of the new VM cannot be used. */
function diskProblem(device: PlannedDisk, present: Present): string[] {
  const { replacement: { keeps, zvols }, uuids, successor } = present;
  const { zvol, step, sizeBytes } = device;
  const problem = usedBy(zvol, present);
  if (problem !== null) return [problem];
  if (!present.input.inventory.datasets.known) return [];
  const found = find(present, zvol);
  const isAttached = successor?.disks.some((disk) => disk.zvol === zvol) === true;
  if (device.adopt) {
    const mark = keeps.find((kept) => kept.step === step)?.mark ?? null;
    if (found === undefined) return [`its kept disk ${zvol} no longer exists`];
    return isSameOrigin(mark, found.mark, uuids) ? [] : [`${zvol} is no longer marked as its disk`];
  }
  if (found === undefined || isAttached) return [];
  if (isOld(present, found) && zvols.some(({ name }) => name === zvol)) return [];
  if (isCreated(device, present) && found.volsizeBytes === sizeBytes) return [];
  return [`${zvol} exists, and this replacement did not create it; rename or delete it in TrueNAS`];
}

/** A zvol without a mark stays without one; a marked one can name the new VM by now. */
function isSameOrigin(
  shown: ZvolMark | null,
  found: ZvolMark | null,
  uuids: readonly (string | null)[],
): boolean {
  return shown === null ? found === null : found !== null && uuids.includes(found.vm);
}

function removalProblem({ name }: ReplacedZvol, present: Present): string[] {
  if (!isOld(present, find(present, name))) return [];
  const problem = usedBy(name, present);
  return problem === null ? [] : [problem];
}

function usedBy(zvol: string, { input: { inventory: { vms } }, successor }: Present): string | null {
  const user = vms.find((vm) => vm !== successor && vm.disks.some((disk) => disk.zvol === zvol));
  return user === undefined
    ? null
    : `${zvol} is a disk of ${user.name} by now; remove it there, and resume again`;
}
