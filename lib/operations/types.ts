/** The events of an operation, and the view of them that pages show. */
import type { Configuration } from "../configuration/configuration.ts";
import type { Outcome } from "../errors/errors.ts";
import type { GuestSign, PlannedReady } from "../first_boot/types.ts";
import type { PlannedChange, Reconciling } from "../plan/changes.ts";
import type { DestructionVm, DiskSources, PlannedDevice, PlannedVm } from "../plan/types.ts";
import type { PlannedMacs, WantedType } from "../plan/creation_input.ts";
import type { CheckpointKind, CheckpointOperation } from "../checkpoints/requests.ts";

/** What an operation does. */
export type OperationKind =
  | "create"
  | "destroy"
  | "undo"
  | "clean"
  | "act"
  | "change"
  | "image"
  | "remove-image"
  | CheckpointKind;

/**
 * Status of an operation. `waiting`: it goes on when the NAS answers again. `interrupted`: the program ended while it was
 * running, or nobody waited for the NAS any longer.
 */
export type OperationStatus =
  | "running"
  | "waiting"
  | "done"
  | "failed"
  | "partly-done"
  | "cancelled"
  | "interrupted";

/** The status of an operation that has ended. */
export type FinalStatus = Exclude<OperationStatus, "running" | "waiting">;

/** Status of a step. `rolled-back`: it was done, and undone because a later step of the VM failed. */
export type StepStatus = "pending" | "running" | "done" | "failed" | "skipped" | "rolled-back";

/** The result of an operation for one VM. */
export type VmOutcome =
  | "created"
  | "not-ready"
  | "kept"
  | "changed"
  | "replaced"
  | "rolled-back"
  | "left-behind"
  | "destroyed"
  | "already-gone"
  | "failed"
  | "cancelled"
  | "cancelled-kept"
  | "interrupted"
  | "done"
  | "out-of-memory";

/** Why a step failed, to be shown to users: without secrets and stack traces. */
export interface StepError {
  /** What happened, with TrueNAS's reason where it gave one. */
  readonly message: string;
  /** The API method that failed; absent when the error was not a call's. */
  readonly method?: string;
  /** Whether the NAS may have done it nevertheless. */
  readonly outcome: Outcome;
}

/** What a step created or may have created, so that it can be found and undone after a crash. */
export interface Evidence {
  /** The uuid requested for the VM. */
  readonly uuid?: string;
  /** A zvol that did not exist before, such as `tank/vms/worker01-disk0`. */
  readonly zvol?: string;
  /** The NAS confirmed that it created the zvol. */
  readonly answered?: boolean;
  /** The zvol is an image's, which belongs to no VM once it is whole. */
  readonly image?: boolean;
  /** The dataset of an image's file that is not whole. */
  readonly dataset?: string;
  /** The name of the credentials with which the NAS fetches an image's file from this program. */
  readonly credentials?: string;
  /** The zvol was created together with its device, so it has none of this program's properties. */
  readonly unmarked?: boolean;
  /** Id of an existing VM to which the device was added, or which was started. */
  readonly vmId?: number;
  /** The device that was added. */
  readonly device?: PlannedDevice;
  /** What is changed in an existing VM, with the values from before. */
  readonly changed?: PlannedChange;
  /** The uuid of the existing VM, where TrueNAS reports one. */
  readonly ofUuid?: string;
  /** Snapshots of a checkpoint, by their full names. */
  readonly snapshots?: readonly string[];
  /** Where a guest that got its seed by disk says that it has started. */
  readonly home?: PhonesHome;
}

/** Where a guest says that it has started. The path is a secret; a program that is asked for it compares hashes. */
export interface PhonesHome {
  /** `10.0.0.5:8081` */
  readonly server: string;
  /** SHA-256 of the path, which has 256 random bits. */
  readonly pathHash: string;
}

/** Who requested something. */
export interface Actor {
  /** `admin` or `viewer` of the dashboard, `command line`. */
  readonly who: string;
  /** The client's IP address; absent for the command line. */
  readonly from?: string;
  /** The id of the HTTP request in the log. */
  readonly request?: string;
}

/** What an operation was requested to do, so that it can be resumed. Contains no secrets. */
export type OperationRequest<C = Configuration> =
  | {
    readonly kind: "create";
    readonly configuration: C;
    readonly types: readonly WantedType[];
    /** The planned MACs, by VM and network; absent in journals of earlier versions. */
    readonly macs?: Readonly<Record<string, PlannedMacs>>;
    /** What is done about VMs that exist and differ; absent when nothing is. */
    readonly reconcile?: Reconciling;
    /** The VMs that are replaced, as they were confirmed; absent when none is. */
    readonly replaced?: readonly PlannedVm[];
    /** What the disks of new VMs are copied from; absent when nothing is copied. */
    readonly sources?: DiskSources;
    /** Whether VMs are waited for until they answer; absent: they are. */
    readonly waitReady?: boolean;
  }
  | {
    readonly kind: "destroy";
    readonly vms: readonly DestructionVm[];
    readonly keepDisks: boolean;
    readonly shutdown: boolean;
  }
  | {
    readonly kind: "image";
    /** The dataset of images. */
    readonly dataset: string;
    readonly name: string;
    readonly url: string;
    readonly sha256: string;
  }
  | CheckpointOperation;

/** How much of a file was transferred. */
export interface Transfer {
  /** Bytes that were received from where it comes from. */
  readonly bytes: number;
  /** All of them; null when unknown. */
  readonly totalBytes: number | null;
  /** Over the last seconds. */
  readonly bytesPerSecond: number;
}

/** What was done about an operation that did not succeed. */
export interface Resolution {
  /** The user's choice. */
  readonly how: "resumed" | "rolled-back" | "left";
  /** Id of the operation that carried it out; absent for `left`. */
  readonly operation?: string;
}

/** A VM at the start of its operation. */
export interface AnnouncedVm {
  /** The VM's name. */
  readonly name: string;
  /** The planned steps in order, such as `["vm", "display", "cdrom", "nic0", "disk0", "start"]`. */
  readonly steps: readonly string[];
  /** What will be created or removed, in one line: `2 vCPUs, 4 GiB, 1 disk of 20 GiB`. */
  readonly summary: string;
}

/** An event of an operation, without its position in the log. */
export type OperationFact<C = Configuration> =
  | {
    readonly type: "started";
    readonly kind: OperationKind;
    readonly title: string;
    readonly by?: Actor;
    readonly vms: readonly AnnouncedVm[];
    readonly request?: OperationRequest<C>;
  }
  | {
    readonly type: "step";
    readonly vm: string;
    readonly step: string;
    readonly status: StepStatus;
    /** The API method that the step calls, when it starts: `vm.device.create`. */
    readonly method?: string;
    /** What the step is about to create or remove, when it starts: `tank/vms/worker01-disk0, 20 GiB`. */
    readonly makes?: string;
    /** What it creates or may have created; null when it certainly created nothing. */
    readonly evidence?: Evidence | null;
    /** The result in a few words: `tank/vms/worker01-disk0, 20 GiB`. */
    readonly detail?: string;
    readonly error?: StepError;
    /** What a step waits for that waits for the guest, when it starts. */
    readonly awaits?: PlannedReady;
  }
  | {
    /** The guest has shown something of itself to the step that waits for it. */
    readonly type: "sign";
    readonly vm: string;
    readonly step: string;
    readonly sign: GuestSign;
  }
  | {
    /** Progress of a step's TrueNAS job or transfer, in percent. */
    readonly type: "progress";
    readonly vm: string;
    readonly step: string;
    readonly percent: number;
    /** What was transferred so far; absent for a job that tells only percents. */
    readonly transfer?: Transfer;
  }
  | {
    /** A step of several calls continues: the previous call succeeded, and this one is about to be sent. */
    readonly type: "call";
    readonly vm: string;
    readonly step: string;
    readonly method: string;
    readonly evidence?: Evidence | null;
  }
  | {
    /** A call of a step did not succeed at once: its effect was found on the NAS, or it is sent again. */
    readonly type: "healed";
    readonly vm: string;
    readonly step: string;
    /** How often the call has been sent so far. */
    readonly tries: number;
    /** What happened and what was done about it. */
    readonly message: string;
    /** After how many milliseconds it is sent again; absent when its effect was found. */
    readonly againInMs?: number;
  }
  | {
    /** The NAS is away; no call is sent until it answers. */
    readonly type: "waiting";
    readonly message: string;
    /** When the operation gives up, in milliseconds since 1970 (UTC). */
    readonly until: number;
  }
  | {
    /** The waiting is over. */
    readonly type: "back";
    readonly waitedMs: number;
    /** Whether the NAS has restarted since the operation began. */
    readonly restarted?: boolean;
    /** Why it is over although the NAS did not answer. */
    readonly gaveUp?: string;
  }
  | {
    readonly type: "vm";
    readonly vm: string;
    readonly outcome: VmOutcome;
    /** The VM's id on the NAS, if it has one. */
    readonly vmId?: number;
    /** What happened, the present state, and what to do. */
    readonly message?: string;
  }
  | {
    readonly type: "finished";
    readonly status: FinalStatus;
    readonly message?: string;
  }
  | ({ readonly type: "resolved" } & Resolution);

/** An event in the log: `seq` counts from 1 without gaps, `at` is in milliseconds since 1970 (UTC). */
export type OperationEvent<C = Configuration> = OperationFact<C> & {
  readonly seq: number;
  readonly at: number;
};

/** A step as pages show it. */
export interface StepView {
  /** The seq of the latest event about this step; 0 while it is pending. */
  readonly seq: number;
  /** The VM's name. */
  readonly vm: string;
  /** The step's name. */
  readonly step: string;
  /** Its status. */
  readonly status: StepStatus;
  /** Milliseconds since 1970 (UTC), or null before it starts. */
  readonly startedAt: number | null;
  /** Milliseconds since 1970 (UTC), or null before it ends. */
  readonly finishedAt: number | null;
  /** The API method of its latest call; null before it starts. */
  readonly method: string | null;
  /** What it creates or removes; null when unknown. */
  readonly makes: string | null;
  /** What it created or may have created; null when nothing. */
  readonly evidence: Evidence | null;
  /** Progress of its TrueNAS job, in percent; null without a job. */
  readonly percent: number | null;
  /** What was transferred so far; null when nothing is. */
  readonly transfer: Transfer | null;
  /** Its result in a few words; null until it is done. */
  readonly detail: string | null;
  /** Why it failed; null when it has not failed. */
  readonly error: StepError | null;
  /** How often a call was sent before it succeeded or its effect was found; 0 when the first answer was good. */
  readonly healed: number;
  /** What happened and what was done about it; null when nothing. */
  readonly healing: string | null;
  /** The tries after which a call was sent again. */
  readonly failedTries: readonly FailedTry[];
  /** What it waits for, if it waits for the guest. */
  readonly awaits?: PlannedReady;
  /** What the guest has shown of itself so far; absent while it has shown nothing. */
  readonly signs?: readonly GuestSign[];
}

/** A try of a call that failed, and after which the call was sent again. */
export interface FailedTry {
  /** When it had failed, in milliseconds since 1970 (UTC). */
  readonly at: number;
  /** After how many milliseconds the call was sent again. */
  readonly againInMs: number;
}

/** A VM of an operation as pages show it. */
export interface OperationVmView {
  /** The VM's name. */
  readonly name: string;
  /** What is created or removed, in one line. */
  readonly summary: string;
  /** Its id on the NAS; null when it has none. */
  readonly vmId: number | null;
  /** The result; null until it is known. */
  readonly outcome: VmOutcome | null;
  /** What happened, the present state, and what to do; null when there is nothing to add. */
  readonly message: string | null;
  /** The planned steps in order, then others such as those of a rollback. */
  readonly steps: readonly StepView[];
}

/** A wait for a NAS that is away. */
export interface Waiting {
  /** Milliseconds since 1970 (UTC). */
  readonly since: number;
  /** When the operation gives up, in milliseconds since 1970 (UTC). */
  readonly until: number;
  /** Why the NAS cannot be reached. */
  readonly message: string;
}

/** A time at which the NAS was away. */
export interface Outage {
  /** Milliseconds since 1970 (UTC). */
  readonly since: number;
  /** When it was over or nobody waited any longer; null while it lasts. */
  readonly until: number | null;
}

/** Whether an operation has not ended. */
export function isActive({ status }: Pick<OperationView, "status">): boolean {
  return status === "running" || status === "waiting";
}

/** An operation as pages show it, folded from its events. */
export interface OperationView {
  /** The operation's id. */
  readonly id: string;
  /** What it does. */
  readonly kind: OperationKind;
  /** `Create 4 VMs` */
  readonly title: string;
  /** Who requested it; null when the library's caller did not say. */
  readonly by: Actor | null;
  /** Its status. */
  readonly status: OperationStatus;
  /** Milliseconds since 1970 (UTC). */
  readonly startedAt: number;
  /** Milliseconds since 1970 (UTC), or null while it runs. */
  readonly finishedAt: number | null;
  /** The wait for the NAS that is going on; null while the NAS answers. */
  readonly waiting: Waiting | null;
  /** When the NAS was away, the present wait included. */
  readonly outages: readonly Outage[];
  /** Whether it ended because nobody waited for the NAS any longer. */
  readonly gaveUp: boolean;
  /** What went wrong with the operation as a whole; null when nothing did. */
  readonly message: string | null;
  /** Its VMs, in the order of the plan. */
  readonly vms: readonly OperationVmView[];
  /** What it was requested to do; null when it cannot be resumed. */
  readonly request: OperationRequest | null;
  /** What was done about it after it ended; null when nothing was. */
  readonly resolution: Resolution | null;
  /** The `seq` of the last event included; a stream continues after it. */
  readonly lastSeq: number;
}
