/** Initial VMs that were not created by this product, so that a demo looks realistic. */
import type { Nas } from "./nas.ts";
import { macOf } from "./rules/macs.ts";
import { addDataset, devicePathOf, type StoredDevice, type StoredVm } from "./store.ts";
import { checkArguments } from "./wire/schema_check.ts";

interface Kind {
  readonly name: string;
  readonly memoryMib: number;
  readonly cores: number;
  readonly diskGib: number;
  readonly writtenGib: number;
  readonly running: boolean;
}

const KINDS: readonly Kind[] = [
  { name: "homeassistant", memoryMib: 2048, cores: 2, diskGib: 32, writtenGib: 14, running: true },
  { name: "workerold", memoryMib: 4096, cores: 4, diskGib: 40, writtenGib: 9.6, running: false },
  { name: "win11", memoryMib: 8192, cores: 6, diskGib: 128, writtenGib: 61, running: false },
  { name: "pihole", memoryMib: 512, cores: 1, diskGib: 8, writtenGib: 3.2, running: true },
  { name: "ubuntu_dev", memoryMib: 4096, cores: 4, diskGib: 64, writtenGib: 53, running: false },
];

/** First display port of these VMs, far from the first ports that this product assigns. */
const FIRST_PORT = 7_000;

/** Adds this many VMs to the NAS. */
export function addForeignVms(nas: Nas, count: number): void {
  for (let n = 0; n < count; n++) {
    const kind = KINDS[n % KINDS.length];
    if (kind !== undefined) addVm(nas, n < KINDS.length ? kind : { ...kind, name: `${kind.name}${n}` }, n);
  }
}

function addVm(nas: Nas, kind: Kind, n: number): void {
  const { store, profile } = nas;
  const schema = profile.schemas["vm.create"];
  if (schema === undefined) return;
  const [config] = checkArguments(schema, [{ name: kind.name, memory: kind.memoryMib, cores: kind.cores }]);
  const id = ++store.lastVmId;
  store.vms.set(id, {
    id,
    config: {
      ...(config as StoredVm["config"]),
      uuid: crypto.randomUUID(),
      bootloader_ovmf: "OVMF_CODE_4M.fd",
    },
    state: kind.running ? "RUNNING" : "STOPPED",
    everStarted: kind.running,
    agent: true,
  });
  const name = `tank/VMs/${kind.name}-data`;
  addDataset(store, {
    name,
    type: "VOLUME",
    volsizeBytes: kind.diskGib * 1024 ** 3,
    writtenBytes: Math.round(kind.writtenGib * 1024 ** 3),
    sparse: n % 2 === 1,
  });
  const add = (attributes: StoredDevice["attributes"], order: number) => {
    const deviceId = ++store.lastDeviceId;
    store.devices.set(deviceId, { id: deviceId, vm: id, order, attributes });
  };
  const mac = macOf([n >> 16 & 255, n >> 8 & 255, n & 255]);
  const pci = profile.nicPciAddress ? { pci_address: null } : {};
  add({ dtype: "NIC", trust_guest_rx_filters: false, type: "VIRTIO", nic_attach: "br0", mac, ...pci }, 1002);
  add(diskAttributes(name), 1001);
  add({
    dtype: "DISPLAY",
    resolution: "1024x768",
    port: FIRST_PORT + 2 * n,
    web_port: FIRST_PORT + 2 * n + 1,
    bind: "127.0.0.1",
    wait: false,
    password: "someone-elses",
    web: true,
    type: "SPICE",
  }, 1002);
}

function diskAttributes(zvol: string): StoredDevice["attributes"] {
  return {
    dtype: "DISK",
    path: devicePathOf(zvol),
    type: "VIRTIO",
    create_zvol: false,
    zvol_name: null,
    zvol_volsize: null,
    logical_sectorsize: null,
    physical_sectorsize: null,
    iotype: "THREADS",
    serial: zvol.slice(-8).padStart(8, "0"),
  };
}
