/**
 * The words in which an operation is told: a log of facts, and the fold of that log which a page shows.
 */
import type { Configuration } from "../configuration/configuration.ts";
import type { Outcome } from "../errors/errors.ts";
import type { DestructionVm, PlannedDevice } from "../plan/types.ts";
import type { PlannedMacs, WantedType } from "../plan/creation_input.ts";

/** What an operation does. */
export type OperationKind = "create" | "destroy" | "undo" | "clean" | "act" | "change";

/** Where an operation stands as a whole. `interrupted`: the program that ran it ended before it did. */
export type OperationStatus = "running" | "done" | "failed" | "partly-done" | "cancelled" | "interrupted";

/** Where one step stands. `rolled-back`: it was done, and then undone because a later step of that VM failed. */
export type StepStatus = "pending" | "running" | "done" | "failed" | "skipped" | "rolled-back";

/** What became of one VM at the end of an operation. */
export type VmOutcome =
  | "created"
  | "kept"
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

/** Why a step failed, in words fit for a page: no secret, no trace. */
export interface StepError {
  /** The NAS's own words, or ours where the NAS said nothing. */
  readonly message: string;
  /** The API method that failed, if it was a call. */
  readonly method?: string;
  /** Whether the NAS may have done it all the same. */
  readonly outcome: Outcome;
}

/** What a step made or may have made, by which it is found and undone after a crash. */
export interface Evidence {
  /** The uuid that the VM was asked to have. */
  readonly uuid?: string;
  /** A zvol that was absent before. */
  readonly zvol?: string;
  /** The NAS answered that it made the zvol. */
  readonly answered?: boolean;
  /** It was made with its device, so that it carries no properties of ours. */
  readonly unmarked?: boolean;
  /** A VM that was there before, and to which this device was added, or which was started. */
  readonly vmId?: number;
  /** The device that was added to it. */
  readonly device?: PlannedDevice;
}

/** Whoever asked for something. */
export interface Actor {
  /** `admin` or `viewer` of the dashboard, `command line`. */
  readonly who: string;
  /** The address that it came from; none for the command line. */
  readonly from?: string;
  /** The id of the request, as it stands in the log. */
  readonly request?: string;
}

/** What an operation was asked for, so that it can be taken up again. It holds no secret. */
export type OperationRequest<C = Configuration> =
  | {
    readonly kind: "create";
    readonly configuration: C;
    readonly types: readonly WantedType[];
    /** The MACs of its VMs as planned, by VM and network; earlier journals have none. */
    readonly macs?: Readonly<Record<string, PlannedMacs>>;
  }
  | {
    readonly kind: "destroy";
    readonly vms: readonly DestructionVm[];
    readonly keepDisks: boolean;
    readonly shutdown: boolean;
  };

/** What was done about an operation that did not end as it should. */
export interface Resolution {
  /** The person's choice. */
  readonly how: "resumed" | "rolled-back" | "left";
  /** The operation that does it, where there is one. */
  readonly operation?: string;
}

/** A VM as an operation announces it: its name and the steps it will take, in order. */
export interface AnnouncedVm {
  /** The VM's name. */
  readonly name: string;
  /** Its steps in order, for example `["vm", "display", "cdrom", "nic0", "disk0", "start"]`. */
  readonly steps: readonly string[];
  /** One line on what will be made or removed, for the page: `2 vCPUs, 4 GiB, 1 disk of 20 GiB`. */
  readonly summary: string;
}

/** One fact of an operation, without its place in the log. */
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
    /** What the step is about to make or remove, when it starts: the evidence for looking after a crash. */
    readonly makes?: string;
    /** What it makes or may have made; null when it is certain that it made nothing. */
    readonly evidence?: Evidence | null;
    /** What the step made or found, in a few words: `tank/vms/worker01-disk0, 20 GiB`. */
    readonly detail?: string;
    readonly error?: StepError;
  }
  | {
    /** How far the NAS's job of a step is, in per cent. */
    readonly type: "progress";
    readonly vm: string;
    readonly step: string;
    readonly percent: number;
  }
  | {
    /** A step of several calls goes on: its last call succeeded, and this one is about to be made. */
    readonly type: "call";
    readonly vm: string;
    readonly step: string;
    readonly method: string;
    readonly evidence?: Evidence | null;
  }
  | {
    readonly type: "vm";
    readonly vm: string;
    readonly outcome: VmOutcome;
    /** The NAS's id of the VM, where it has one. */
    readonly vmId?: number;
    /** One sentence: what happened, what state things are in now, what to do. */
    readonly message?: string;
  }
  | {
    readonly type: "finished";
    readonly status: Exclude<OperationStatus, "running">;
    readonly message?: string;
  }
  | ({ readonly type: "resolved" } & Resolution);

/** A fact in the log: `seq` counts from 1 without a gap, `at` is milliseconds since 1970 (UTC). */
export type OperationEvent<C = Configuration> = OperationFact<C> & {
  readonly seq: number;
  readonly at: number;
};

/** One step as a page shows it. */
export interface StepView {
  /** The seq of the latest event about this step; 0 while it is pending. */
  readonly seq: number;
  /** The VM's name. */
  readonly vm: string;
  /** The step's name. */
  readonly step: string;
  /** Where it stands. */
  readonly status: StepStatus;
  /** Milliseconds since 1970 (UTC), or null before it starts. */
  readonly startedAt: number | null;
  /** Milliseconds since 1970 (UTC), or null before it ends. */
  readonly finishedAt: number | null;
  /** The API method it calls, once it has started. */
  readonly method: string | null;
  /** What it is about to make or remove, for looking after a crash; null when it says nothing. */
  readonly makes: string | null;
  /** What it makes or may have made; null when there is none. */
  readonly evidence: Evidence | null;
  /** How far the NAS's job is, in per cent; null without one. */
  readonly percent: number | null;
  /** What it made or found. */
  readonly detail: string | null;
  /** Why it failed, or null. */
  readonly error: StepError | null;
}

/** One VM of an operation as a page shows it. */
export interface OperationVmView {
  /** The VM's name. */
  readonly name: string;
  /** One line on what is made or removed. */
  readonly summary: string;
  /** The NAS's id, where it has one. */
  readonly vmId: number | null;
  /** null while it is not decided. */
  readonly outcome: VmOutcome | null;
  /** What happened, in a sentence, or null. */
  readonly message: string | null;
  /** In the order announced; steps that came later (a rollback's own) follow. */
  readonly steps: readonly StepView[];
}

/** An operation as a page shows it: the fold of its log. */
export interface OperationView {
  /** The operation's id. */
  readonly id: string;
  /** What it does. */
  readonly kind: OperationKind;
  /** `Create 4 VMs` */
  readonly title: string;
  /** Who asked for it; null when that was not said (by the library's caller). */
  readonly by: Actor | null;
  /** Where it stands. */
  readonly status: OperationStatus;
  /** Milliseconds since 1970 (UTC). */
  readonly startedAt: number;
  /** Milliseconds since 1970 (UTC), or null while it runs. */
  readonly finishedAt: number | null;
  /** What went wrong with it as a whole, or null. */
  readonly message: string | null;
  /** Its VMs, in the order announced. */
  readonly vms: readonly OperationVmView[];
  /** What it was asked for; null for one that cannot be taken up again. */
  readonly request: OperationRequest | null;
  /** What was done about it since it ended, or null. */
  readonly resolution: Resolution | null;
  /** The seq of the last event folded in: the stream goes on after it. */
  readonly lastSeq: number;
}
