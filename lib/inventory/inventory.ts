/**
 * What is on the NAS, in the product's own shape: the VMs with their devices, and the readings that plans are
 * checked against. Plain data; reading it from a NAS is `lib/truenas/inventory.ts`'s work.
 */
import type { ZvolMark } from "./marks.ts";

/** A disk of a VM. */
export interface Disk {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** As the NAS has it: `/dev/zvol/tank/vms/worker01-disk0`, or the file of a RAW device. */
  readonly path: string;
  /** `tank/vms/worker01-disk0`, or null when the disk is not a zvol. */
  readonly zvol: string | null;
  /** Bytes; null when the account may not read it, or the zvol is gone. */
  readonly sizeBytes: number | null;
  /** A zvol that takes its space only as it is written; null when not known. */
  readonly sparse: boolean | null;
  /** Where this program's properties say that the zvol is from; null when it has none, or they cannot be read. */
  readonly mark: ZvolMark | null;
  /** How the guest sees it; null when the NAS does not say. */
  readonly bus: "VIRTIO" | "AHCI" | null;
  /** The boot order: lower boots first. */
  readonly order: number;
}

/** A guest's address, as its agent told the NAS (TrueNAS 27.0 and later). */
export interface GuestAddress {
  /** IPv4. */
  readonly address: string;
  /** When it was last told, in milliseconds since 1970 (UTC). */
  readonly readAt: number;
}

/** A network card of a VM. */
export interface Nic {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** The bridge or interface it is attached to; null means the NAS's default. */
  readonly attach: string | null;
  /** Lower-case with colons; null means a new one at each start (TrueNAS up to 25.10). */
  readonly mac: string | null;
  /** What the guest is reached by, while it runs and where the NAS knows it; null otherwise. */
  readonly ip: GuestAddress | null;
}

/** A display of a VM. */
export interface Display {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** `SPICE` or `VNC`. */
  readonly type: string;
  /** The address it listens on. */
  readonly bind: string;
  /** The port of SPICE or VNC. */
  readonly port: number | null;
  /** The port of the web client. */
  readonly webPort: number | null;
}

/** A CD-ROM of a VM. */
export interface Cdrom {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** The image, below /mnt. */
  readonly path: string;
  /** The boot order: lower boots first. */
  readonly order: number;
}

/** A device that is shown and not changed here: PCI, USB, and kinds that later releases bring. */
export interface OtherDevice {
  /** The device's id on the NAS. */
  readonly deviceId: number;
  /** The NAS's word: `PCI`, `USB`. */
  readonly dtype: string;
  /** Which one: `pci_0000_01_00_0`; empty when the NAS's words for it are not known here. */
  readonly what: string;
}

/** A VM as the product shows it. */
export interface Vm {
  /** The NAS's id. */
  readonly id: number;
  /** Unique on the NAS. */
  readonly name: string;
  /** The NAS's own word: `RUNNING`, `STOPPED`, `SUSPENDED`, `ERROR`; other words are passed on. */
  readonly state: string;
  /** Free text. */
  readonly description: string;
  /** The product of sockets, cores and threads: what the guest sees. */
  readonly vcpus: number;
  /** `vcpus` in TrueNAS's words. */
  readonly sockets: number;
  /** Cores per socket. */
  readonly cores: number;
  /** Threads per core. */
  readonly threads: number;
  /** MiB. */
  readonly memoryMib: number;
  /** Started with the NAS. */
  readonly autostart: boolean;
  /** As the NAS tells it. */
  readonly uuid: string | null;
  /** Whether it ran at any time; null when that is not known, which is the rule for VMs that no operation here made. */
  readonly everStarted: boolean | null;
  /** Disks, zvols and files. */
  readonly disks: readonly Disk[];
  /** Network cards. */
  readonly nics: readonly Nic[];
  /** Displays. */
  readonly displays: readonly Display[];
  /** CD-ROMs. */
  readonly cdroms: readonly Cdrom[];
  /** Every other device. */
  readonly others: readonly OtherDevice[];
}

/** A reading that may not have been possible: its value, or why it could not be made. */
export type Reading<T> = { readonly known: true; readonly value: T } | {
  readonly known: false;
  readonly because: string;
};

/** A filesystem or zvol, as far as plans need it. */
export interface Dataset {
  /** `tank/vms`. */
  readonly name: string;
  /** A filesystem, or a zvol. */
  readonly type: "FILESYSTEM" | "VOLUME";
  /** Bytes that can still be used here; for a zvol, what it may still take. */
  readonly availableBytes: number | null;
  /** Bytes; only for a zvol. */
  readonly volsizeBytes: number | null;
  /** Only for a zvol: it has no reservation of its own. */
  readonly sparse: boolean | null;
  /** Where this program's properties say that a zvol is from. */
  readonly mark: ZvolMark | null;
  /** Whether its properties could be read: then a zvol without a mark was not made here. */
  readonly marksVisible: boolean;
  /** An encrypted dataset that is locked cannot be used. */
  readonly locked: boolean;
}

/** A snapshot of a zvol. */
export interface ZvolSnapshot {
  /** `tank/vms/worker01-disk0@daily` */
  readonly name: string;
  /** The tags by which it is held; it cannot be destroyed until they are released. */
  readonly holds: readonly string[];
}

/** A zvol that depends on another one's snapshot. */
export interface ZvolClone {
  /** `tank/vms/web1-disk0` */
  readonly zvol: string;
  /** The snapshot that it is a clone of. */
  readonly origin: string;
}

/** What depends on some zvols: each reading may have been refused to the account. */
export interface ZvolRelations {
  /** Their snapshots. */
  readonly snapshots: Reading<readonly ZvolSnapshot[]>;
  /** Zvols that are clones of those. */
  readonly clones: Reading<readonly ZvolClone[]>;
}

/** The dataset or zvol of a snapshot. */
export function sourceOf(snapshot: string): string {
  return snapshot.split("@")[0] ?? snapshot;
}

/** Which NAS this is. */
export interface NasIdentity {
  /** The host as configured, without credentials: `nas.lan`. */
  readonly host: string;
  /** The NAS's own id, whatever it is reached by (system.host_id); null when the account may not read it. */
  readonly id: string | null;
  /** `25.10.7`, or null when the account may not read it. */
  readonly release: string | null;
  /** The API version in use: `v25.10.5`, `current`, or `legacy` for the older protocol. */
  readonly apiVersion: string;
  /** What to know of the version in use, or null when it is a tested one. */
  readonly notice: string | null;
  /** The account's roles, or null where they cannot be read. */
  readonly roles: readonly string[] | null;
  /** The simulated NAS of the demo. */
  readonly simulated: boolean;
}

/** Everything a plan is made from and checked against. */
export interface Inventory {
  /** Which NAS this is. */
  readonly nas: NasIdentity;
  /** Every VM on it. */
  readonly vms: readonly Vm[];
  /** Datasets and zvols below the pools. */
  readonly datasets: Reading<readonly Dataset[]>;
  /** What a NIC may be attached to: bridges first. */
  readonly nicChoices: Reading<readonly string[]>;
  /** Addresses a display may be bound to. */
  readonly bindChoices: Reading<readonly string[]>;
  /** Whether the configured ISO is there, and those that the wanted VMs have, by path. */
  readonly files: Reading<ReadonlyMap<string, boolean>>;
  /** Bytes of memory that VMs may still be started with. */
  readonly availableMemoryBytes: Reading<number>;
  /** vCPUs at most in one VM (255). */
  readonly maximumVcpus: Reading<number>;
  /** The block size that this pool's zvols should have: `16K`. */
  readonly zvolBlockSize: Reading<string>;
}
