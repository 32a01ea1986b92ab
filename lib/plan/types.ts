/**
 * The plan: what to create, by VM and device, compared with what exists. Pages, command line and runner share it. It
 * contains no secrets; the display password is added when a device is sent.
 */

import type { ZvolClone, ZvolSnapshot } from "../inventory/inventory.ts";
import type { ZvolMark } from "../inventory/marks.ts";
import type { PlannedAddress, PlannedReady, PlannedSeed } from "../first_boot/types.ts";
import type { PlannedImage } from "../images/planned_image.ts";
import type { OnFailure } from "../configuration/on_failure.ts";
import type { PlannedChange } from "./changes.ts";

/**
 * What to do with a VM. `keep` and `blocked` do nothing. `change` and `replace` say what could be done, and are carried out
 * only for VMs that a person selected.
 */
export type PlannedAction = "create" | "keep" | "complete" | "change" | "replace" | "blocked";

/** A rule's result: an error blocks its VMs, a warning is only shown. */
export interface Finding {
  /** An error blocks; a warning does not. */
  readonly severity: "error" | "warning";
  /** Names of the affected VMs; empty when it is about the whole plan. */
  readonly vms: readonly string[];
  /** The configuration's dotted path: `worker.memory`, `worker.network.lan`, `storage.cdrom_path`. */
  readonly field: string;
  /** What is wrong and what is expected; sentence case, no final period. */
  readonly message: string;
  /** Line in config.yaml, counted from 1, when the value comes from there. */
  readonly line?: number;
}

/** A field in which an existing VM differs from the configuration or the templates. */
export interface Difference {
  /** What differs: `memory`, `disk0`, `nic0.model`. */
  readonly field: string;
  /** The configured value. */
  readonly wanted: string;
  /** The value on the NAS. */
  readonly found: string;
  /** Whether a running VM has to be stopped and started before a change takes effect. */
  readonly needsStop: boolean;
  /** Why this program never makes the change; null when it could be made. */
  readonly never: string | null;
  /** The change that settles it; null when it is never made, or only by replacing the VM. */
  readonly change: PlannedChange | null;
  /** Whether only replacing the VM settles it. */
  readonly replaces: boolean;
  /** Hardware that the type promises; a VM that differs only in settings was created as its type says. */
  readonly kind: "hardware" | "setting";
}

/** A VM of a type beyond its count. A creation does not touch it. */
export interface SurplusVm {
  /** The VM's name. */
  readonly name: string;
  /** The VM type. */
  readonly type: string;
  /** How many VMs the type has. */
  readonly count: number;
  /** Id on the NAS. */
  readonly vmId: number;
  /** uuid, where TrueNAS reports one. */
  readonly vmUuid: string | null;
  /** TrueNAS's state. */
  readonly state: string;
  /** Total vCPUs. */
  readonly vcpus: number;
  /** Memory in MiB. */
  readonly memoryMib: number;
}

/** Fields of every planned device. */
export interface PlannedDeviceBase {
  /** Name of the step: `display`, `cdrom`, `nic0`, `disk0`. */
  readonly step: string;
  /** Boot order, unique in the VM, so that the NAS does not renumber; lower boots first. */
  readonly order: number;
}

/** A device to create. */
export type PlannedDevice =
  | (PlannedDeviceBase & {
    readonly dtype: "DISPLAY";
    readonly port: number;
    readonly webPort: number | null;
    readonly bind: string;
  })
  | (PlannedDeviceBase & { readonly dtype: "CDROM"; readonly path: string })
  | (PlannedDeviceBase & {
    readonly dtype: "NIC";
    readonly name: string;
    readonly attach: string;
    readonly mac: string;
    /** The address that the guest gets by its seed; absent with DHCP. */
    readonly ip?: PlannedAddress;
  })
  | (PlannedDeviceBase & {
    readonly dtype: "DISK";
    readonly name: string;
    /** The bus the guest sees. */
    readonly bus: "VIRTIO" | "AHCI";
    readonly zvol: string;
    readonly sizeBytes: number;
    /** Whether the zvol takes space only as data is written; null: TrueNAS's default, which reserves the full size. */
    readonly sparse: boolean | null;
    /** Whether to exceed TrueNAS's recommended size, which only a sparse zvol may. */
    readonly force: boolean;
    /** The pool's recommended block size, such as `16K`; null: TrueNAS chooses. */
    readonly blockSize: string | null;
    /** Whether the zvol exists, created for this VM, so that only the device is created. */
    readonly adopt: boolean;
    /** The image that the zvol still has to get; absent for an empty disk, and for one that has it. */
    readonly image?: PlannedImage;
    /** What the zvol still has to be cloned from; absent for a disk that begins empty or with an image. */
    readonly source?: DiskSource;
  });

/** A snapshot that a new disk gets its data from. */
export interface DiskSource {
  /** `tank/vms/web01-disk0@checkpoint-before-upgrade` */
  readonly snapshot: string;
  /** Size of the disk that it was taken of in bytes; 0 when unknown. The new disk can be larger, but not smaller. */
  readonly sizeBytes: number;
}

/** What the disks of new VMs are copied from, by the VM's and the disk's name. */
export type DiskSources = Readonly<Record<string, Readonly<Record<string, DiskSource>>>>;

/** One VM of the plan. */
export interface PlannedVm {
  /** The VM's name. */
  readonly name: string;
  /** The VM type: a section of config.yaml. */
  readonly type: string;
  /** What to do with it. */
  readonly action: PlannedAction;
  /** Why it is blocked, or what completing it involves; empty for a plain create or keep. */
  readonly reasons: readonly string[];
  /** Differences from the configuration and the templates, if the VM exists. */
  readonly differences: readonly Difference[];
  /** The steps of the devices that an existing VM does not have: `disk1`. */
  readonly missing: readonly string[];
  /** Id on the NAS, if the VM exists. */
  readonly vmId: number | null;
  /** uuid, if the VM exists. */
  readonly vmUuid: string | null;
  /** TrueNAS's state, if the VM exists. */
  readonly state: string | null;
  /** What replacing it would remove, keep and create; null unless only replacing it settles what differs. */
  readonly replacement: Replacement | null;
  /** Total vCPUs. */
  readonly vcpus: number;
  /** Cores per socket. */
  readonly cores: number;
  /** Threads per core. */
  readonly threads: number;
  /** Memory in MiB. */
  readonly memoryMib: number;
  /** Whether to start it after creation. */
  readonly start: boolean;
  /** Whether it starts when the NAS boots; null: as in the template. */
  readonly autostart: boolean | null;
  /** Whether to start it even if the NAS is short of memory. */
  readonly overcommit: boolean;
  /** Free text before the mark; empty: as in the template. */
  readonly description: string;
  /** How many VMs of this type to work on in parallel; null: the NAS's limit. */
  readonly parallel: number | null;
  /** What to do when it cannot be created. */
  readonly onFailure: OnFailure;
  /** Its first configuration; absent for a VM that gets none. */
  readonly seed?: PlannedSeed;
  /** How it is found out whether it answers; absent where nobody asks. */
  readonly ready?: PlannedReady;
  /** All configured devices, in creation order. */
  readonly devices: readonly PlannedDevice[];
  /** Steps that run without being selected, in order: those of a creation, or of missing devices; empty for others. */
  readonly steps: readonly string[];
}

/** A whole plan. */
export interface CreationPlan {
  /** In configuration order. */
  readonly vms: readonly PlannedVm[];
  /** VMs of the planned types beyond their counts, which stay as they are. */
  readonly surplus: readonly SurplusVm[];
  /** Findings of the checks. */
  readonly findings: readonly Finding[];
  /** Sums over the VMs to create or complete. */
  readonly totals: {
    readonly vms: number;
    readonly vcpus: number;
    readonly memoryMib: number;
    readonly zvols: number;
    readonly zvolBytes: number;
  };
  /** Changes whenever the plan changes, so that a confirmation applies to the plan that was shown. */
  readonly fingerprint: string;
}

/** Evidence that a VM was created here. */
export interface VmMarks {
  /** Whether its description contains the mark. */
  readonly description: boolean;
  /** Whether its zvols' properties name it; `unknown` when they cannot be read or there are no zvols. */
  readonly zvols: "all" | "some" | "none" | "unknown";
  /** Whether the journal recorded its creation. */
  readonly journal: boolean;
}

/** A zvol that depends on a zvol to be removed. */
export interface ZvolDependant extends ZvolClone {
  /** Name of the VM that uses it as a disk; null when none does. */
  readonly vm: string | null;
}

/** A zvol to remove. */
export interface PlannedZvol {
  /** `tank/vms/worker01-disk0` */
  readonly name: string;
  /** Size in bytes; null when unknown. */
  readonly sizeBytes: number | null;
  /** Its snapshots, which are removed first; null when they could not be read. */
  readonly snapshots: readonly ZvolSnapshot[] | null;
  /** Its clones, as far as they could be read. */
  readonly dependants: readonly ZvolDependant[];
}

/** A zvol that goes with the VM that is replaced. */
export interface ReplacedZvol extends PlannedZvol {
  /** The step of its disk: `disk0`. */
  readonly step: string;
  /** Its origin according to its properties; null when there are none or they cannot be read. */
  readonly mark: ZvolMark | null;
  /** Bytes that it takes from the pool. */
  readonly takenBytes: number;
}

/** A zvol that the new VM gets from the one that it replaces. */
export interface KeptZvol {
  /** The step of its disk: `disk1`. */
  readonly step: string;
  /** `tank/vms/worker01-disk1` */
  readonly zvol: string;
  /** Its origin; one that names the old VM is changed to name the new one. */
  readonly mark: ZvolMark | null;
}

/** What replacing a VM removes besides the VM, and the new VM where it is not as configured. */
export interface Replacement {
  /** The zvols that go, in this order, with the snapshots to remove first. */
  readonly zvols: readonly ReplacedZvol[];
  /** The zvols that stay. */
  readonly keeps: readonly KeptZvol[];
  /** All devices of the new VM, in creation order: with the old MACs and ports, and with devices added by hand. */
  readonly devices: readonly PlannedDevice[];
  /** Free text before the mark. */
  readonly description: string;
  /** Whether it starts when the NAS boots. */
  readonly autostart: boolean;
  /** Whether it is started, because the old one ran or was never started. */
  readonly start: boolean;
  /** The dataset of the old VM's first configuration (seed), and the uuid that it names; absent when it has none. */
  readonly seed?: { readonly dataset: string; readonly uuid: string };
  /** Kept disks that become larger, or are reserved differently, while the old VM is off. */
  readonly resizes: readonly {
    readonly step: string;
    readonly change: PlannedChange;
    /** In words: `disk1 50 GiB → 60 GiB`. */
    readonly what: readonly string[];
  }[];
  /** The steps of replacing it, in order. */
  readonly steps: readonly string[];
}

/** A VM to destroy, with its disks. */
export interface DestructionVm {
  /** Id on the NAS, which is never reused. */
  readonly id: number;
  /** The VM's name. */
  readonly name: string;
  /** uuid, where TrueNAS reports one. */
  readonly uuid: string | null;
  /** TrueNAS's state. */
  readonly state: string;
  /** Whether all marks show that this program created it and its zvols. */
  readonly marked: boolean;
  /** The evidence. */
  readonly marks: VmMarks;
  /** The zvols to remove with it. */
  readonly zvols: readonly PlannedZvol[];
  /** The dataset of its first configuration (seed) on a CD-ROM, which goes too; absent when it has none. */
  readonly seed?: string;
  /** Disks that are kept, with the reason: files, and zvols shared with another VM. */
  readonly keeps: readonly { readonly path: string; readonly because: string }[];
  /** Why it is kept although it was selected, each with what to do; empty when it will be destroyed. */
  readonly blocked: readonly string[];
  /** Ids of the VMs that must be destroyed first because their disks depend on its disks. */
  readonly after: readonly number[];
}

/** A VM that is kept because this program did not create it. */
export interface SparedVm {
  /** Id on the NAS. */
  readonly id: number;
  /** The VM's name. */
  readonly name: string;
  /** TrueNAS's state. */
  readonly state: string;
  /** Why it is considered foreign. */
  readonly because: string;
}

/** A selector that matches no VM on the NAS. */
export interface MissingSelection {
  /** Selected by name prefix, whole name or id. */
  readonly by: "prefix" | "name" | "id";
  /** The value as given. */
  readonly value: string;
}

/** What a destruction removes: an exact set, fixed by id. */
export interface DestructionPlan {
  /** The prefixes as given. */
  readonly prefixes: readonly string[];
  /** Sorted by name; blocked VMs are kept. */
  readonly vms: readonly DestructionVm[];
  /** Readings that failed, and their consequences. */
  readonly notices: readonly string[];
  /** VMs that match by name but not by marks and were not selected explicitly; they are kept. */
  readonly spared: readonly SparedVm[];
  /** Selectors without a matching VM. */
  readonly missing: readonly MissingSelection[];
  /** Whether only VMs are destroyed and disks are kept. */
  readonly keepDisks: boolean;
  /** Whether running VMs are shut down first, and powered off only if they do not respond. */
  readonly shutdown: boolean;
  /** Sums over what is removed; bytes of the zvols whose size is known. */
  readonly totals: {
    readonly vms: number;
    readonly zvols: number;
    readonly zvolBytes: number;
    readonly snapshots: number;
  };
  /** The confirmation phrase: `destroy 4 vms`. */
  readonly phrase: string;
  /** Changes whenever the set or its states change. */
  readonly fingerprint: string;
}
