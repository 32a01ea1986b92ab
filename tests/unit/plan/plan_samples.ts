/** A small configuration, an inventory that has room for it, and the VMs that come of it, for the tests of the plan. */
import type { Configuration } from "../../../lib/configuration/configuration.ts";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import type { Dataset, Inventory, Vm } from "../../../lib/inventory/inventory.ts";
import { markedDescription } from "../../../lib/inventory/marks.ts";
import type { CreationPlan, PlannedVm } from "../../../lib/plan/types.ts";
import { rulesFor } from "../../../lib/truenas/versions.ts";
import { GIB } from "../../../lib/units.ts";
import type { CreationInput } from "../../../lib/plan/creation_input.ts";

/** What the plan knows of the embedded templates. */
export const TEMPLATES = {
  bind: "0.0.0.0",
  sockets: 1,
  orders: { DISPLAY: 1004, CDROM: 1003, NIC: 1005, DISK: 1001 },
  diskBus: "VIRTIO" as const,
  displayType: "SPICE",
  web: true,
  autostart: true,
  secureBoot: false,
  stated: {
    description: null,
    autostart: true,
    cpuMode: "HOST-PASSTHROUGH",
    bind: "0.0.0.0",
    nicModel: "VIRTIO",
    diskBus: "VIRTIO",
  },
};

/** Two workers with two disks and two NICs each. */
export const WORKER: VmTypeSection = {
  count: 2,
  memory: 2048,
  cpu: 4,
  threads: 2,
  disk: { root: 20, data: 50 },
  network: { lan: "br0", storage: "br1" },
};

/** A configuration of {@link WORKER}. */
export const CONFIG: Configuration = {
  storage: { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" },
  types: { worker: WORKER },
};

/** {@link CONFIG} with other or further VM types. */
export function withTypes(types: Configuration["types"]): Configuration {
  return { ...CONFIG, types: { ...CONFIG.types, ...types } };
}

/** A dataset with a lot of room. */
export function dataset(name: string, fields: Partial<Dataset> = {}): Dataset {
  return {
    name,
    type: "FILESYSTEM",
    availableBytes: 1000 * GIB,
    volsizeBytes: null,
    sparse: null,
    mark: null,
    marksVisible: true,
    locked: false,
    ...fields,
  };
}

/** A NAS on which {@link CONFIG} can be made. */
export function inventory(fields: Partial<Inventory> = {}): Inventory {
  return {
    nas: {
      host: "nas.lan",
      id: "5b3c2e6f0d6a4c1f",
      release: "25.10.7",
      bootId: null,
      apiVersion: "current",
      notice: null,
      roles: null,
      simulated: false,
    },
    vms: [],
    datasets: { known: true, value: [dataset("tank/vms")] },
    nicChoices: { known: true, value: ["br0", "br1"] },
    bindChoices: { known: true, value: ["0.0.0.0"] },
    files: { known: true, value: new Map([["/mnt/tank/iso/debian.iso", true]]) },
    availableMemoryBytes: { known: true, value: 32 * GIB },
    maximumVcpus: { known: true, value: 255 },
    zvolBlockSize: { known: true, value: "16K" },
    ...fields,
  };
}

/** What a plan of {@link CONFIG} is made from. */
export function input(fields: Partial<CreationInput> = {}): CreationInput {
  return {
    configuration: CONFIG,
    types: [{ type: "worker", startPort: 5920 }],
    templates: () => TEMPLATES,
    passwordChars: 6,
    inventory: inventory(),
    rules: rulesFor("25.10.7"),
    ...fields,
  };
}

/** The VM that a plan makes, as the NAS would then have it. */
export function made(planned: PlannedVm, id: number): Vm {
  const of = <D extends PlannedVm["devices"][number]["dtype"]>(dtype: D) =>
    planned.devices.filter((device): device is Extract<PlannedVm["devices"][number], { dtype: D }> =>
      device.dtype === dtype
    );
  return {
    id,
    name: planned.name,
    state: "RUNNING",
    description: markedDescription(""),
    vcpus: planned.vcpus,
    sockets: 1,
    cores: planned.cores,
    threads: planned.threads,
    memoryMib: planned.memoryMib,
    autostart: true,
    cpuMode: "HOST-PASSTHROUGH",
    uuid: `uuid-${id}`,
    everStarted: true,
    disks: of("DISK").map(({ zvol, sizeBytes, order }) => ({
      deviceId: 1,
      path: `/dev/zvol/${zvol}`,
      zvol,
      sizeBytes,
      sparse: false,
      bus: "VIRTIO" as const,
      mark: { vm: `uuid-${id}`, operation: "op" },
      order,
    })),
    nics: of("NIC").map(({ attach, mac }) => ({ deviceId: 2, attach, mac, ip: null, model: "VIRTIO" })),
    displays: of("DISPLAY").map(({ port, webPort, bind }) => ({
      deviceId: 3,
      type: "SPICE",
      bind,
      port,
      webPort,
    })),
    cdroms: of("CDROM").map(({ path, order }) => ({ deviceId: 4, path, order })),
    others: [],
  };
}

/** Every zvol of a plan. */
export function zvolsOf({ vms }: CreationPlan): string[] {
  return vms.flatMap(({ devices }) =>
    devices.flatMap((device) => device.dtype === "DISK" ? [device.zvol] : [])
  );
}

/** A VM of somebody else. */
export const FOREIGN: Vm = {
  id: 0,
  name: "foreign",
  state: "STOPPED",
  description: "",
  vcpus: 1,
  sockets: 1,
  cores: 1,
  threads: 1,
  memoryMib: 512,
  autostart: false,
  uuid: null,
  everStarted: null,
  disks: [],
  nics: [],
  displays: [],
  cdroms: [],
  others: [],
};

/** A reading that the account may not make. */
export const UNKNOWN = { known: false, because: "the account may not" } as const;
