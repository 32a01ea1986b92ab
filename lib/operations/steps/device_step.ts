/** The step that creates a device of a VM; for a disk, it creates the zvol first. */
import { zvolOfPath } from "../../inventory/names.ts";
import type { PortAllocator } from "../../plan/allocation.ts";
import { fillDisk, isImageDisk } from "../../images/image_disk.ts";
import type { ImageLibrary } from "../../images/image_library.ts";
import type { DiskSource, PlannedDevice, PlannedVm } from "../../plan/types.ts";
import type { TemplateManager } from "../../template_manager.ts";
import type { DeviceRow } from "../../truenas/method_types.ts";
import { formatBytes } from "../../units.ts";
import type { Evidence } from "../types.ts";
import type { CreatedResources } from "./created_resources.ts";
import type { PlannedDisplay, RefusedPorts } from "./refused_ports.ts";
import type { Step, StepCalls, StepContext } from "./run_step.ts";
import {
  createPlannedZvol,
  isRefusedBeforeEffect,
  type PlannedDisk,
  type ZvolPermission,
} from "./zvol_creation.ts";
import { cloneZvol, growZvol } from "../../images/zvol_clone.ts";

/** What the devices of all VMs share. */
export interface DeviceOptions {
  /** Template values of each VM type, including its overrides. */
  readonly templates: (type: string) => TemplateManager;
  /** The displays' password; sent to the NAS and nowhere else. */
  readonly displayPassword: string;
  /** Display ports that the NAS refused, and replacements. */
  readonly ports: { readonly refused: RefusedPorts; readonly allocator: PortAllocator };
  readonly zvols: ZvolPermission;
  readonly images: ImageLibrary;
}

/** What creating a device needs. */
export interface DeviceContext extends StepContext, DeviceOptions {
  readonly vm: PlannedVm;
  readonly created: CreatedResources;
}

/** Whether creating the device also creates its zvol. */
export function hasNewZvol(device: PlannedDevice): device is PlannedDisk {
  return device.dtype === "DISK" &&
    (!device.adopt || device.image !== undefined || device.source !== undefined);
}

/** Creates a device once `turn` resolves; its zvol is created before. */
export function deviceStep(
  context: DeviceContext,
  planned: PlannedDevice,
  turn: Promise<void> = Promise.resolve(),
): Step<DeviceRow> {
  const { vm, created } = context;
  // A display gets other ports if the NAS refuses the planned ones.
  let device = planned;
  const add = () => created.uuid === null && created.devices.add(device);
  add();
  const { mayCreate } = context.zvols;
  const isThere = device.dtype === "DISK" && created.zvols.get(device.zvol)?.answered === true;
  const zvol = hasNewZvol(device) && !isThere ? device : null;
  if (zvol !== null) created.zvols.set(zvol.zvol, { marked: mayCreate, answered: false });
  return {
    step: device.step,
    method: zvol !== null && mayCreate ? methodOf(zvol) : "vm.device.create",
    makes: describeDevice(device),
    evidence: () => evidenceOf(device, created),
    call: async (calls) => {
      const isJournalled = zvol === null || !context.zvols.mayCreate;
      const owner = created.uuid ?? vm.vmUuid ?? "";
      if (zvol !== null && isImageDisk(zvol)) await fillDisk(context, calls, zvol);
      else if (zvol?.source !== undefined) await copyDisk(context, calls, zvol, zvol.source, owner);
      else if (zvol !== null) await createPlannedZvol(context, calls, zvol, owner);
      await turn.catch((error) => {
        created.devices.delete(device);
        throw error;
      });
      if (!isJournalled) await calls.next("vm.device.create");
      if (device.dtype !== "DISPLAY") return await createDevice(context, calls, device);
      return await createDisplay(context, calls, device, async (other) => {
        device = other;
        add();
        await calls.next("vm.device.create");
      });
    },
    verify: null,
    detail: () => describeCreated(device, planned),
  };
}

/** The id of the VM, which an earlier step created. */
export function vmIdOf({ vmId }: CreatedResources): number {
  if (vmId === null) throw new Error("A step needs the VM, which was not created");
  return vmId;
}

function methodOf({ source }: PlannedDisk) {
  return source === undefined ? "pool.dataset.create" : "pool.snapshot.clone";
}

/** Gives a disk the data of a snapshot. */
async function copyDisk(
  context: DeviceContext,
  calls: StepCalls,
  disk: PlannedDisk,
  { snapshot }: DiskSource,
  owner: string,
): Promise<void> {
  const { zvol } = disk;
  await cloneZvol(context, calls, { zvol, snapshot, owner });
  context.created.zvols.set(zvol, { marked: true, answered: true });
  await growZvol(context, calls, disk);
}

function describeCreated(device: PlannedDevice, planned: PlannedDevice): string {
  const text = describeDevice(device);
  return device === planned
    ? text
    : `${text}, because another service on the NAS uses ${describeDevice(planned)} or its web port`;
}

function evidenceOf(device: PlannedDevice, created: CreatedResources): Evidence | null {
  const zvol = device.dtype === "DISK" ? created.zvols.get(device.zvol) : undefined;
  const isAdded = created.devices.has(device);
  if (zvol === undefined && !isAdded) return null;
  return {
    ...(zvol === undefined || device.dtype !== "DISK" ? {} : { zvol: device.zvol }),
    ...(zvol?.marked === false ? { unmarked: true } : {}),
    ...(zvol?.answered === true ? { answered: true } : {}),
    ...(isAdded ? { vmId: vmIdOf(created), device } : {}),
  };
}

async function createDevice(
  context: DeviceContext,
  { send }: StepCalls,
  device: PlannedDevice,
): Promise<DeviceRow> {
  const { caller, created } = context;
  const spec = { ...deviceSpec(context, device), order: device.order };
  const verify = async () => {
    const rows = await caller.call("vm.device.query", [[["vm", "=", vmIdOf(created)]]]);
    return rows.find((row) => isDevice(row, device)) ?? null;
  };
  try {
    return await send(() => caller.call("vm.device.create", [spec]), verify);
  } catch (error) {
    if (isRefusedBeforeEffect(error)) {
      created.devices.delete(device);
      // A zvol that this call would have created does not exist either; one created before does.
      if (device.dtype === "DISK" && created.zvols.get(device.zvol)?.marked === false) {
        created.zvols.delete(device.zvol);
      }
    }
    throw error;
  }
}

/** Maximum number of port pairs tried for one display. */
const MAX_PORT_TRIES = 50;

/** TrueNAS reports ports used by its own services only when a display is created; then the next free ports are tried. */
async function createDisplay(
  context: DeviceContext,
  calls: StepCalls,
  planned: PlannedDisplay,
  beforeRetry: (device: PlannedDisplay) => Promise<void>,
): Promise<DeviceRow> {
  const { refused, allocator } = context.ports;
  let device = planned;
  for (let tries = 1;; tries++) {
    try {
      return await createDevice(context, calls, device);
    } catch (error) {
      const isRefused = refused.learn(error, device);
      const ports = isRefused && tries < MAX_PORT_TRIES ? allocator.next(device.port) : null;
      if (ports === null) throw error;
      device = { ...device, ...ports };
      await beforeRetry(device);
    }
  }
}

function deviceSpec(context: DeviceContext, device: PlannedDevice) {
  const { vm, created } = context;
  const templates = context.templates(vm.type);
  const vmId = vmIdOf(created);
  switch (device.dtype) {
    case "DISPLAY": {
      const { port, webPort } = device;
      return templates.createDisplayDevice(vmId, port, context.displayPassword, webPort ?? undefined);
    }
    case "CDROM":
      return templates.createCdromDevice(vmId, device.path);
    case "NIC":
      return templates.createNicDevice(vmId, device.attach, device.mac);
    case "DISK":
      return device.adopt || created.zvols.get(device.zvol)?.marked === true
        ? templates.createAttachedDiskDevice(vmId, device.zvol)
        : templates.createDiskDevice(vmId, device.zvol, device.sizeBytes);
  }
}

/** Whether a device on the NAS is the planned one, by its identifying attributes. */
export function isDevice({ attributes }: DeviceRow, device: PlannedDevice): boolean {
  if (attributes.dtype !== device.dtype) return false;
  switch (device.dtype) {
    case "DISPLAY":
      return attributes.port === device.port;
    case "CDROM":
      return attributes.path === device.path;
    case "NIC":
      return attributes.mac === device.mac;
    case "DISK":
      return typeof attributes.path === "string" && zvolOfPath(attributes.path) === device.zvol;
  }
}

function describeDevice(device: PlannedDevice): string {
  switch (device.dtype) {
    case "DISPLAY":
      return `port ${device.port}`;
    case "CDROM":
      return device.path;
    case "NIC":
      return `${device.attach}, ${device.mac}`;
    case "DISK":
      return `${device.zvol}, ${formatBytes(device.sizeBytes)}${device.sparse === true ? " sparse" : ""}`;
  }
}
