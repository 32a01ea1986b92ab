/**
 * The state of the NAS in this program's own types: VMs with their devices, and the readings that plans are checked
 * against. Plain data; `lib/truenas/read_inventory.ts` reads it from a NAS.
 */
import type { ZvolMark } from "./marks.ts";

/** A disk of a VM. */
export interface Disk {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** Path on the NAS: `/dev/zvol/tank/vms/worker01-disk0`, or the file of a RAW device. */
  readonly path: string;
  /** `tank/vms/worker01-disk0`, or null when the disk is not a zvol. */
  readonly zvol: string | null;
  /** Size in bytes; null when the account cannot read it or the zvol no longer exists. */
  readonly sizeBytes: number | null;
  /** Bytes that it takes from the pool, with what is reserved for it and its snapshots; null when unknown. */
  readonly takenBytes?: number | null;
  /** Bytes that its own data takes, without snapshots; null when unknown. */
  readonly usedBytes?: number | null;
  /** Whether the zvol takes space only as data is written; null when unknown. */
  readonly sparse: boolean | null;
  /** The zvol's origin according to this program's properties; null when there are none or they cannot be read. */
  readonly mark: ZvolMark | null;
  /** Further attributes that templates can state, by TrueNAS's names. */
  readonly attributes?: Values;
  /** The bus the guest sees; null when the NAS does not report it. */
  readonly bus: "VIRTIO" | "AHCI" | null;
  /** Boot order: lower boots first. */
  readonly order: number;
}

/** A guest's address as reported by its agent (TrueNAS 27.0 and later). */
export interface GuestAddress {
  /** IPv4. */
  readonly address: string;
  /** When it was last reported, in milliseconds since 1970 (UTC). */
  readonly readAt: number;
}

/** A network card of a VM. */
export interface Nic {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** The bridge or interface it is attached to; null means the NAS's default. */
  readonly attach: string | null;
  /** Lower case with colons; null: a new address at each start (TrueNAS up to 25.10). */
  readonly mac: string | null;
  /** The guest's address while it runs; null when the NAS does not know it. */
  readonly ip: GuestAddress | null;
  /** Further attributes that templates can state, by TrueNAS's names. */
  readonly attributes?: Values;
  /** `VIRTIO` or `E1000`; null when the NAS does not report it. */
  readonly model?: string | null;
}

/** A display of a VM. */
export interface Display {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** `SPICE` or `VNC`. */
  readonly type: string;
  /** The address it listens on. */
  readonly bind: string;
  /** Port of SPICE or VNC. */
  readonly port: number | null;
  /** Port of the web client. */
  readonly webPort: number | null;
  /** Further attributes that templates can state, by TrueNAS's names. */
  readonly attributes?: Values;
}

/** Columns of a VM or attributes of a device, as TrueNAS's API names them. */
export type Values = Readonly<Record<string, string | number | boolean | null>>;

/** A CD-ROM of a VM. */
export interface Cdrom {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** Path of the image under /mnt. */
  readonly path: string;
  /** Boot order: lower boots first. */
  readonly order: number;
}

/** A device that is shown but cannot be changed here: PCI, USB, and device types of later releases. */
export interface OtherDevice {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** TrueNAS's device type: `PCI`, `USB`. */
  readonly dtype: string;
  /** Which device: `pci_0000_01_00_0`; empty when TrueNAS's attributes are not known here. */
  readonly what: string;
}

/** What a VM computes with. */
export interface VmSize {
  /** Sockets × cores × threads, as the guest sees them. */
  readonly vcpus: number;
  /** Memory in MiB. */
  readonly memoryMib: number;
}

/** A VM on the NAS. */
export interface Vm extends VmSize {
  /** The NAS's id. */
  readonly id: number;
  /** Unique on the NAS. */
  readonly name: string;
  /** TrueNAS's state: `RUNNING`, `STOPPED`, `SUSPENDED`, `ERROR`; unknown states are passed through. */
  readonly state: string;
  /** Free text. */
  readonly description: string;
  /** What TrueNAS calls `vcpus`. */
  readonly sockets: number;
  /** Cores per socket. */
  readonly cores: number;
  /** Threads per core. */
  readonly threads: number;
  /** What it runs with until its next start, where its size was changed meanwhile; null when only that is known. */
  readonly runsWith?: VmSize | null;
  /** Whether it starts when the NAS boots. */
  readonly autostart: boolean;
  /** `HOST-PASSTHROUGH`; null when the NAS does not report it. */
  readonly cpuMode?: string | null;
  /** Further settings that templates can state, by TrueNAS's names. */
  readonly columns?: Values;
  /** Whether its arguments tell the guest where its seed is, or a CD-ROM has it; the address itself is kept nowhere. */
  readonly seeded?: boolean;
  /** The uuid, where TrueNAS reports one. */
  readonly uuid: string | null;
  /** Whether it ever ran; null when unknown, which is usual for VMs not created here. */
  readonly everStarted: boolean | null;
  /** Disks, zvols and files. */
  readonly disks: readonly Disk[];
  /** Network cards. */
  readonly nics: readonly Nic[];
  /** Displays. */
  readonly displays: readonly Display[];
  /** CD-ROMs. */
  readonly cdroms: readonly Cdrom[];
  /** The CD-ROM with its first configuration (seed), which is not among the others; null or absent when it has none. */
  readonly seedDisk?: Cdrom | null;
  /** Every other device. */
  readonly others: readonly OtherDevice[];
}

/** A reading's value, or the reason why it could not be read. */
export type Reading<T> = { readonly known: true; readonly value: T } | {
  readonly known: false;
  readonly because: string;
};

/** A filesystem or zvol, with what plans need. */
export interface Dataset {
  /** `tank/vms`. */
  readonly name: string;
  /** A filesystem, or a zvol. */
  readonly type: "FILESYSTEM" | "VOLUME";
  /** Free space in bytes; for a zvol, what it can still take. */
  readonly availableBytes: number | null;
  /** Volume size in bytes; zvols only. */
  readonly volsizeBytes: number | null;
  /** Space it takes from the pool in bytes, with what is reserved for it, its snapshots and its children. */
  readonly takenBytes?: number | null;
  /** Space that its own data takes in bytes, without snapshots, children and reservations. */
  readonly usedBytes?: number | null;
  /** Whether it has no reservation; zvols only. */
  readonly sparse: boolean | null;
  /** What is reserved for it in bytes; zvols only, null when unknown. */
  readonly reservedBytes?: number | null;
  /** The origin of a zvol, or of a seed's dataset, according to this program's properties. */
  readonly mark: ZvolMark | null;
  /** Whether its properties could be read; only then does a missing mark mean that it was not created here. */
  readonly marksVisible: boolean;
  /** Whether it is encrypted and locked, and thus unusable. */
  readonly locked: boolean;
}

/** A snapshot of a zvol. */
export interface ZvolSnapshot {
  /** `tank/vms/worker01-disk0@daily` */
  readonly name: string;
  /** Tags of its holds; it cannot be destroyed until they are released. */
  readonly holds: readonly string[];
}

/** A zvol that depends on another zvol's snapshot. */
export interface ZvolClone {
  /** `tank/vms/web1-disk0` */
  readonly zvol: string;
  /** The snapshot it was cloned from. */
  readonly origin: string;
}

/** The dependents of zvols; the account may not be allowed to read either list. */
export interface ZvolRelations {
  /** The zvols' snapshots. */
  readonly snapshots: Reading<readonly ZvolSnapshot[]>;
  /** Clones of those snapshots. */
  readonly clones: Reading<readonly ZvolClone[]>;
}

/** The dataset or zvol of a snapshot. */
export function sourceOf(snapshot: string): string {
  return snapshot.split("@")[0] ?? snapshot;
}

/** Identity of the NAS. */
export interface NasIdentity {
  /** The host as configured, without credentials: `nas.lan`. */
  readonly host: string;
  /** The NAS's own id, the same at any address (system.host_id); null when the account cannot read it. */
  readonly id: string | null;
  /** `25.10.7`, or null when the account cannot read it. */
  readonly release: string | null;
  /** Changes when the NAS restarts (system.boot_id); null when it cannot be read. */
  readonly bootId: string | null;
  /** API version in use: `v25.10.5`, `current`, or `legacy` for the legacy protocol. */
  readonly apiVersion: string;
  /** A warning about the version in use, or null when it has been tested. */
  readonly notice: string | null;
  /** The account's roles, or null when they cannot be read. */
  readonly roles: readonly string[] | null;
  /** Whether it is the simulated NAS of the demo. */
  readonly simulated: boolean;
}

/** A bridge or an interface of the NAS. */
export interface NasInterface {
  /** Guests attached to anything else (MACVLAN) do not reach the NAS itself. */
  readonly isBridge: boolean;
  /** Its IPv4 addresses, each with the bits of its network. */
  readonly addresses: readonly { readonly address: string; readonly prefix: number }[];
}

/** Everything a plan is made from and checked against. */
export interface Inventory {
  /** Identity of the NAS. */
  readonly nas: NasIdentity;
  /** Every VM on the NAS. */
  readonly vms: readonly Vm[];
  /** Datasets and zvols of all pools. */
  readonly datasets: Reading<readonly Dataset[]>;
  /** What a NIC can be attached to, bridges first. */
  readonly nicChoices: Reading<readonly string[]>;
  /** Addresses a display can listen on. */
  readonly bindChoices: Reading<readonly string[]>;
  /** Whether each ISO exists, by path: the configured one and those of the planned VMs. */
  readonly files: Reading<ReadonlyMap<string, boolean>>;
  /** Memory in bytes that is free for starting VMs. */
  readonly availableMemoryBytes: Reading<number>;
  /** Maximum vCPUs of one VM (255). */
  readonly maximumVcpus: Reading<number>;
  /** Recommended block size for zvols in this pool: `16K`. */
  readonly zvolBlockSize: Reading<string>;
}

/** Free resources of a NAS, as far as they can be read. */
export interface Capacity {
  /** Memory in bytes that is free for starting VMs. */
  readonly memoryBytes: number | null;
  /** All memory of the NAS in bytes; null when the account cannot read it. */
  readonly totalMemoryBytes: number | null;
  /** A dataset and its free space in bytes. */
  readonly storage: { readonly name: string; readonly bytes: number } | null;
  /** The dataset's pool, with what is taken and free in bytes; null when the account cannot read it. */
  readonly pool: { readonly name: string; readonly takenBytes: number; readonly freeBytes: number } | null;
}

/** The load of the NAS at one moment; what its release does not send is null. */
export interface HostSample {
  /** When it arrived, in milliseconds since 1970 (UTC). */
  readonly at: number;
  /** Of all cores, from 0 to 100. */
  readonly cpuPercent: number | null;
  /** What it is taken by. */
  readonly memory: HostMemory | null;
  /** Bytes per second of all network cards. */
  readonly network: { readonly receivedBytes: number; readonly sentBytes: number } | null;
  /** Bytes per second of all disks. */
  readonly disks: { readonly readBytes: number; readonly writtenBytes: number } | null;
}

/** The memory of the NAS in bytes. */
export interface HostMemory {
  /** All of it. */
  readonly totalBytes: number;
  /** In use, apart from the cache. */
  readonly usedBytes: number;
  /** The file cache (ARC), which shrinks when memory is needed. */
  readonly cacheBytes: number;
}
