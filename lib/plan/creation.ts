/**
 * Plans a creation from configuration, templates and inventory: the VMs to create, their devices, ports and MAC addresses,
 * and what prevents it. Pure: it sends nothing and reads no clock.
 */
import { vmTypeOf } from "../configuration/configuration.ts";
import type { VmTypeSection } from "../configuration/sections.ts";
import { plannedAddress } from "../first_boot/addresses/address_section.ts";
import type { PlannedAddress } from "../first_boot/types.ts";
import type { Vm } from "../inventory/inventory.ts";
import { deriveMac, firstDisplayPort, zvolName } from "../inventory/names.ts";
import { gibToBytes } from "../units.ts";
import { assignOrders, displayPortsOf, type PortAllocator, portAllocator } from "./allocation.ts";
import { isTooLarge, totalBytes } from "./capacity.ts";
import { cdromOf } from "../configuration/sections.ts";
import { needsFile, needsImage, planImage, stateOfDisk } from "../images/planned_image.ts";
import { withSeed } from "../first_boot/planning/plan_seed.ts";
import { withReady } from "../first_boot/readiness/planned_ready.ts";
import { compareVm, matchDisks } from "./comparison/comparison.ts";
import { madeAnew } from "./replacing/anew.ts";
import { fingerprint } from "./fingerprint.ts";
import { preflight } from "./preflight/preflight.ts";
import { findSurplus } from "./comparison/surplus.ts";
import { continueReplacement } from "./replacing/ongoing.ts";
import { planReplacement } from "./replacing/replacement.ts";
import type { CreationPlan, DiskSource, Finding, PlannedDevice, PlannedVm } from "./types.ts";
import { type ComparisonInput, type CreationInput, findDataset, type WantedType } from "./creation_input.ts";
import { wantedNames } from "./wanted.ts";

/** Creates the plan; see the comment at the top of this file. */
export function planCreation(input: CreationInput): CreationPlan {
  const ports = portAllocator([
    ...displayPortsOf(input.inventory.vms),
    ...input.refusedPorts ?? [],
    ...input.claimed?.ports ?? [],
  ]);
  const drafts = input.types.flatMap((wanted) => draftType(input, wanted, ports));
  const findings = preflight(drafts, input);
  const vms = drafts.map((draft) => withReplacement(block(draft, findings), input));
  const totals = sum(vms.filter(({ steps }) => steps.length > 0));
  // VMs beyond a count are not part of what is confirmed, because nothing is done with them.
  const confirmed = fingerprint([vms.map(withoutState), findings]);
  return { vms, surplus: findSurplus(input), findings, totals, fingerprint: confirmed };
}

/** Whether a VM runs matters only where it could be changed. */
function withoutState(vm: PlannedVm): PlannedVm {
  return vm.action === "change" || vm.action === "replace" ? vm : { ...vm, state: null };
}

function draftType(input: CreationInput, wanted: WantedType, ports: PortAllocator): PlannedVm[] {
  const { type, startPort } = wanted;
  const section = vmTypeOf(input.configuration, type);
  return wantedNames(wanted, section).map((name, index) => {
    const ongoing = input.ongoing?.get(name);
    if (ongoing !== undefined) return continueReplacement(ongoing, input);
    const existing = input.inventory.vms.find((vm) => vm.name === name);
    const vm = draftVm({ input, type, section, name, index, startPort, ports, existing });
    const isAwaited = input.awaited?.has(vm.vmUuid ?? "") === true && vm.action === "keep" &&
      vm.state === "RUNNING";
    return withReady(input, withSeed(input, vm, existing, isAwaited), { ready: section.ready, isAwaited });
  });
}

/**
 * What a creation would do with an existing VM of a type, such as `worker02` of `worker`. No rule is checked, because
 * nothing is going to be created.
 *
 * @throws {ConfigurationError} when the configuration does not have the type, or a template is wrong.
 */
export function compareWithType(input: ComparisonInput, type: string, existing: Vm): PlannedVm {
  const { configuration, inventory } = input;
  const { name } = existing;
  return draftVm({
    input,
    type,
    section: vmTypeOf(configuration, type),
    name,
    index: Number(name.slice(type.length)) - 1,
    startPort: firstDisplayPort(type, Object.keys(configuration.types)),
    ports: portAllocator(displayPortsOf(inventory.vms)),
    existing,
  });
}

interface Draft {
  readonly input: ComparisonInput;
  readonly type: string;
  readonly section: VmTypeSection;
  readonly name: string;
  /** Index among the VMs of its type, from 0. */
  readonly index: number;
  readonly startPort: number;
  readonly ports: PortAllocator;
  readonly existing: Vm | undefined;
}

function draftVm(draft: Draft): PlannedVm {
  const { type, section, name, existing, input } = draft;
  const { sockets } = input.templates(type);
  const threads = section.threads ?? 1;
  const cores = Math.max(1, Math.floor(section.cpu / threads));
  const devices = planDevices(draft);
  const wanted = {
    name,
    type,
    vcpus: sockets * cores * threads,
    cores,
    threads,
    memoryMib: section.memory,
    start: section.start ?? true,
    autostart: section.autostart ?? null,
    overcommit: section.overcommit ?? false,
    description: section.description ?? "",
    parallel: section.parallel ?? null,
    onFailure: section.on_failure ?? "roll-back",
    devices,
  };
  if (existing !== undefined) {
    const { stated } = input.templates(type);
    const refused = input.vmUpdateRefuses ?? input.rules?.vmUpdateRefuses ?? [];
    const compared = compareVm(wanted, existing, stated, refused);
    const vm = input.anew?.has(name) === true ? madeAnew(compared, section) : compared;
    return withImageSteps(input, vm);
  }
  const steps = ["vm", ...devices.map(({ step }) => step), ...(wanted.start ? ["start"] : [])];
  return withImageSteps(input, {
    ...wanted,
    action: "create",
    reasons: [],
    differences: [],
    missing: [],
    vmId: null,
    vmUuid: null,
    state: null,
    replacement: null,
    steps,
  });
}

/** What a disk's image takes comes right before the first device. */
function withImageSteps({ images }: ComparisonInput, vm: PlannedVm): PlannedVm {
  const disk = vm.devices.find(needsImage);
  if (disk === undefined || !vm.steps.includes(disk.step)) return vm;
  const isReady = images?.images.get(disk.image.name)?.found?.isReady === true;
  const isCloned = disk.image.golden !== null;
  const isMade = isCloned && isReady;
  const added = [
    ...(!isMade && needsFile(disk.image) ? ["download"] : []),
    ...(isMade ? [] : ["image"]),
    ...(isCloned ? ["clone"] : []),
  ];
  const at = vm.steps[0] === "vm" ? 1 : 0;
  return { ...vm, steps: [...vm.steps.slice(0, at), ...added, ...vm.steps.slice(at)] };
}

function planDevices(draft: Draft): PlannedDevice[] {
  const { input, type, section, name, index, startPort, ports, existing } = draft;
  const { configuration } = input;
  const templates = input.templates(type);
  const nics = Object.entries(section.network);
  const disks = Object.entries(section.disk);
  const cdrom = cdromOf(section, configuration.storage);
  const orders = assignOrders([
    ...disks.map((_, n) => ({ step: `disk${n}`, rank: templates.orders.DISK })),
    ...(cdrom === null ? [] : [{ step: "cdrom", rank: templates.orders.CDROM }]),
    { step: "display", rank: templates.orders.DISPLAY },
    ...nics.map((_, n) => ({ step: `nic${n}`, rank: templates.orders.NIC })),
  ]);
  const fixed = new Set(Object.values(section.macs ?? {}).map((macs) => macs[index]));
  // A MAC that it had is not kept when another network of the VM is to have it now.
  const unlessFixed = (mac: string | null | undefined) => mac != null && fixed.has(mac) ? null : mac;
  const keptMac = (n: number) => unlessFixed(existing?.nics[n]?.mac);
  // Most existing VMs have all their MACs, which is why the others are not derived before they are asked for.
  const macOf = (nic: string) =>
    unlessFixed(input.plannedMacs?.(name, existing !== undefined)?.[nic]) ??
      deriveMac({ nasId: nasIdOf(draft), vm: name, nic });
  const place = (step: string) => ({ step, order: orders.get(step) ?? 0 });
  const { port, webPort } = displayPorts(existing, ports, startPort);
  return [
    { ...place("display"), dtype: "DISPLAY", port, webPort, bind: templates.bind },
    ...(cdrom === null ? [] : [{ ...place("cdrom"), dtype: "CDROM", path: cdrom } as const]),
    ...nics.map(([nic, attach], n): PlannedDevice => ({
      ...place(`nic${n}`),
      dtype: "NIC",
      name: nic,
      attach,
      mac: section.macs?.[nic]?.[index] ?? keptMac(n) ?? macOf(nic),
      ...addressOf(section, nic, index),
    })),
    ...disks.map(([disk, gib], n): PlannedDevice => ({
      ...place(`disk${n}`),
      dtype: "DISK",
      name: disk,
      bus: templates.diskBus,
      ...planZvol(draft, {
        zvol: zvolName(configuration.storage.pool_path, name, n),
        sizeBytes: gibToBytes(gib),
        isFirst: n === 0,
        source: own(own(input.sources, name), disk),
      }),
    })),
  ];
}

/** Nothing for a network with DHCP. */
function addressOf(
  { addresses }: VmTypeSection,
  nic: string,
  index: number,
): { readonly ip?: PlannedAddress } {
  const ip = plannedAddress(own(addresses, nic), index);
  return ip === null ? {} : { ip };
}

/**
 * A VM keeps its way of deriving MAC addresses: if its NICs have addresses derived from the NAS's address, as in earlier
 * versions of this program, missing ones are derived from it as well.
 */
function nasIdOf({ input, section, name, existing }: Draft): string {
  const { id, host } = input.inventory.nas;
  const isByHost = Object.keys(section.network).some((nic, n) =>
    existing?.nics[n]?.mac === deriveMac({ nasId: host, vm: name, nic })
  );
  return id === null || isByHost ? host : id;
}

/** Names that people choose can be those of Object's own properties. */
function own<T>(values: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return values !== undefined && Object.hasOwn(values, name) ? values[name] : undefined;
}

interface WantedZvol {
  readonly zvol: string;
  readonly sizeBytes: number;
  /** Whether it is the VM's first disk, which gets the image. */
  readonly isFirst: boolean;
  readonly source: DiskSource | undefined;
}

function planZvol({ input, section, existing }: Draft, { zvol, sizeBytes, isFirst, source }: WantedZvol) {
  const { nas, vms, zvolBlockSize } = input.inventory;
  const found = findDataset(input, zvol);
  const isUsed = vms.some(({ disks }) => disks.some((disk) => disk.zvol === zvol));
  const ours = existing !== undefined && existing.uuid !== null && found?.mark?.vm === existing.uuid;
  const { images, configuration, rules } = input;
  const facts = images?.images.get(section.image ?? "");
  const image = isFirst && rules !== undefined
    ? planImage(section, { configuration, facts, roles: nas.roles, rules })
    : null;
  const state = image === null ? "filled" : stateOfDisk(image, images?.disks.get(zvol));
  const hasSize = found?.volsizeBytes === sizeBytes;
  // A clone that was not grown yet is grown.
  const isClone = (state === "cloned" || source !== undefined) && (found?.volsizeBytes ?? 0) <= sizeBytes;
  const adopt = ours && !isUsed && (hasSize || isClone) && state !== "other";
  const isDone = adopt && hasSize && state !== "empty";
  const freeBytes = findDataset(input, input.configuration.storage.pool_path)?.availableBytes ?? null;
  const toFill = {
    ...(image === null || isDone ? {} : { image }),
    ...(source === undefined || isDone ? {} : { source }),
  };
  // A clone takes space only for what differs from its image or snapshot.
  const sparse = (image?.golden != null || source !== undefined) && !isUsed ? true : section.sparse ?? null;
  return {
    zvol,
    sizeBytes,
    sparse,
    force: sparse === true && freeBytes !== null && isTooLarge(sizeBytes, freeBytes),
    blockSize: zvolBlockSize.known ? zvolBlockSize.value : null,
    adopt,
    ...toFill,
  };
}

/** An existing VM keeps its ports. Port 0 means that none is left, which preflight reports. */
function displayPorts(
  existing: Vm | undefined,
  ports: PortAllocator,
  startPort: number,
): { port: number; webPort: number | null } {
  const display = existing?.displays[0];
  if (display?.port) return { port: display.port, webPort: display.webPort };
  return ports.next(startPort) ?? { port: 0, webPort: null };
}

/** A VM that only replacing settles: what goes and what stays, unless an earlier plan has decided that. */
function withReplacement(vm: PlannedVm, input: CreationInput): PlannedVm {
  const found = input.inventory.vms.find(({ id }) => id === vm.vmId);
  if (vm.action !== "replace" || vm.replacement !== null || found === undefined) return vm;
  return planReplacement({ vm, found, disks: matchDisks(vm.devices, found) }, input);
}

/** Blocks a VM that has an error; the others continue. */
function block(vm: PlannedVm, findings: readonly Finding[]): PlannedVm {
  if (vm.steps.length === 0 && vm.action !== "change") return vm;
  const errors = findings.filter((finding) => finding.severity === "error" && finding.vms.includes(vm.name));
  if (errors.length === 0) return vm;
  return { ...vm, action: "blocked", reasons: errors.map(({ message }) => message), steps: [] };
}

function sum(vms: readonly PlannedVm[]): CreationPlan["totals"] {
  const zvols = vms.flatMap(({ devices, steps }) =>
    devices.filter((device) => device.dtype === "DISK").filter(({ step, adopt }) =>
      steps.includes(step) && !adopt
    )
  );
  return {
    vms: vms.length,
    vcpus: vms.reduce((total, vm) => total + vm.vcpus, 0),
    memoryMib: vms.reduce((total, vm) => total + vm.memoryMib, 0),
    zvols: zvols.length,
    zvolBytes: totalBytes(zvols),
  };
}
