/**
 * The plan: what is to be made, VM by VM and device by device, beside what is there already. One value that the
 * page, the command line and the runner share. It holds no secret: the display password joins when a device is sent.
 */

import type { ZvolClone, ZvolSnapshot } from "../inventory/inventory.ts";
import type { OnFailure } from "../configuration/on_failure.ts";

/** What the plan means to do with a VM: `keep` and `blocked` do nothing. */
export type PlannedAction = "create" | "keep" | "complete" | "differs" | "blocked";

/** A rule's verdict: an error blocks the plan, a warning is shown. */
export interface Finding {
  /** Whether it blocks. */
  readonly severity: "error" | "warning";
  /** The VMs it is about, all of one cause; none when it is about the whole plan. */
  readonly vms: readonly string[];
  /** The configuration's dotted path: `worker.memory`, `worker.network.lan`, `storage.cdrom_path`. */
  readonly field: string;
  /** What is wrong and what is wanted; sentence case, no final period. */
  readonly message: string;
  /** 1-based line in config.yaml, where the value comes from there. */
  readonly line?: number;
}

/** A field in which an existing VM is not what the configuration asks for. */
export interface Difference {
  /** What differs: `memory`, `disk0`. */
  readonly field: string;
  /** As the configuration asks for it. */
  readonly wanted: string;
  /** As it is on the NAS. */
  readonly found: string;
}

/** Fields every planned device has. */
export interface PlannedDeviceBase {
  /** The step's name: `display`, `cdrom`, `nic0`, `disk0`. */
  readonly step: string;
  /** Unique within the VM, fixed here so that the NAS need not choose; lower boots first. */
  readonly order: number;
}

/** A device to be made. */
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
  })
  | (PlannedDeviceBase & {
    readonly dtype: "DISK";
    readonly name: string;
    /** How the guest sees it. */
    readonly bus: "VIRTIO" | "AHCI";
    readonly zvol: string;
    readonly sizeBytes: number;
    /** Takes its space only as it is written; null: as TrueNAS makes them, which is all at once. */
    readonly sparse: boolean | null;
    /** Larger than TrueNAS advises, which only a sparse zvol may be. */
    readonly force: boolean;
    /** As the pool wants it, for example `16K`; null: as TrueNAS chooses. */
    readonly blockSize: string | null;
    /** The zvol is there, made for this VM: only the device is to be made. */
    readonly adopt: boolean;
  });

/** One VM of the plan. */
export interface PlannedVm {
  /** The VM's name. */
  readonly name: string;
  /** The VM type: a section of config.yaml. */
  readonly type: string;
  /** What is to be done. */
  readonly action: PlannedAction;
  /** Why it is blocked, or what completing it means; empty for a plain create or keep. */
  readonly reasons: readonly string[];
  /** For `differs`; empty otherwise. */
  readonly differences: readonly Difference[];
  /** The NAS's id when the VM exists. */
  readonly vmId: number | null;
  /** Its uuid when it exists. */
  readonly vmUuid: string | null;
  /** vCPUs in all. */
  readonly vcpus: number;
  /** Cores per socket. */
  readonly cores: number;
  /** Threads per core. */
  readonly threads: number;
  /** MiB. */
  readonly memoryMib: number;
  /** Whether it is started once it is made. */
  readonly start: boolean;
  /** Whether it starts with the NAS; null: as the template says. */
  readonly autostart: boolean | null;
  /** Whether it is started although the NAS's free memory does not suffice. */
  readonly overcommit: boolean;
  /** Free text before the mark; empty: as the template says. */
  readonly description: string;
  /** How many VMs of this type are worked on at once; null: as many as the NAS takes. */
  readonly parallel: number | null;
  /** What is done when it cannot be made. */
  readonly onFailure: OnFailure;
  /** Every device wanted, in the order in which they are made. */
  readonly devices: readonly PlannedDevice[];
  /** The steps that applying the plan takes for this VM, in order; empty for keep, differs and blocked. */
  readonly steps: readonly string[];
}

/** A whole plan. */
export interface CreationPlan {
  /** In the order of the configuration. */
  readonly vms: readonly PlannedVm[];
  /** What the rules found. */
  readonly findings: readonly Finding[];
  /** Sums over the VMs that will be made or completed. */
  readonly totals: {
    readonly vms: number;
    readonly vcpus: number;
    readonly memoryMib: number;
    readonly zvols: number;
    readonly zvolBytes: number;
  };
  /** Changes whenever anything in the plan does: a confirmation names the plan that was shown. */
  readonly fingerprint: string;
}

/** What speaks for a VM having been made here. */
export interface VmMarks {
  /** Its description carries the mark. */
  readonly description: boolean;
  /** Its zvols' properties name it: all of them, some, or none; `unknown` when they cannot be read or there are none. */
  readonly zvols: "all" | "some" | "none" | "unknown";
  /** The journal tells of its making. */
  readonly journal: boolean;
}

/** A zvol that depends on one that is to go. */
export interface ZvolDependant extends ZvolClone {
  /** The VM whose disk it is; null when it is none's. */
  readonly vm: string | null;
}

/** A zvol that goes. */
export interface PlannedZvol {
  /** `tank/vms/worker01-disk0` */
  readonly name: string;
  /** Bytes; null when not known. */
  readonly sizeBytes: number | null;
  /** Its snapshots, which go first; null when they could not be read. */
  readonly snapshots: readonly ZvolSnapshot[] | null;
  /** Its clones, as far as they could be read. */
  readonly dependants: readonly ZvolDependant[];
}

/** A VM that a destruction would remove, with what goes with it. */
export interface DestructionVm {
  /** The NAS's id, which is never given again. */
  readonly id: number;
  /** The VM's name. */
  readonly name: string;
  /** Its uuid, where the NAS tells it. */
  readonly uuid: string | null;
  /** The NAS's word for its state. */
  readonly state: string;
  /** Whether its marks agree that this program made it and its zvols. */
  readonly marked: boolean;
  /** Which marks say so. */
  readonly marks: VmMarks;
  /** The zvols attached to it that go with it. */
  readonly zvols: readonly PlannedZvol[];
  /** Disks that stay: files and zvols shared with another VM, with the reason. */
  readonly keeps: readonly { readonly path: string; readonly because: string }[];
  /** Why it stays although it was asked for, each with what to do; empty when it goes. */
  readonly blocked: readonly string[];
  /** Ids of the VMs that have to be gone before, because their disks depend on its own. */
  readonly after: readonly number[];
}

/** A VM that is left alone. */
export interface SparedVm {
  /** The NAS's id. */
  readonly id: number;
  /** The VM's name. */
  readonly name: string;
  /** The NAS's word for its state. */
  readonly state: string;
  /** Why it is taken for somebody else's. */
  readonly because: string;
}

/** A part of a selection that no VM on the NAS matches. */
export interface MissingSelection {
  /** What it was selected by: the name before a number, the whole name, or the NAS's id. */
  readonly by: "prefix" | "name" | "id";
  /** As asked for. */
  readonly value: string;
}

/** What a destruction would remove: an exact set, frozen by id. */
export interface DestructionPlan {
  /** As asked for. */
  readonly prefixes: readonly string[];
  /** In order of name; those that are blocked stay. */
  readonly vms: readonly DestructionVm[];
  /** What could not be read, and what that means. */
  readonly notices: readonly string[];
  /** VMs that match by name, but whose marks do not agree and that were not chosen: they are left alone. */
  readonly spared: readonly SparedVm[];
  /** What was asked for and matches no VM. */
  readonly missing: readonly MissingSelection[];
  /** Disks stay: only the VMs go. */
  readonly keepDisks: boolean;
  /** Running VMs are asked to shut down first, and powered off only when they do not. */
  readonly shutdown: boolean;
  /** Sums over what goes; bytes of the zvols whose size is known. */
  readonly totals: {
    readonly vms: number;
    readonly zvols: number;
    readonly zvolBytes: number;
    readonly snapshots: number;
  };
  /** What a person types to confirm: `destroy 4 vms`. */
  readonly phrase: string;
  /** Changes whenever the set or its states do. */
  readonly fingerprint: string;
}
