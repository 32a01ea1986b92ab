/** The plans about checkpoints, as people confirm them. Plain data. */
import type { RecordedSettings } from "../checkpoint.ts";
import type { PlanProblem } from "./facts.ts";

/** A VM in a plan about checkpoints. */
export interface PlannedCheckpointVm {
  /** Id on the NAS. */
  readonly id: number;
  /** Its name. */
  readonly name: string;
  /** Its uuid, where TrueNAS reports one. */
  readonly uuid: string | null;
  /** TrueNAS's state when the plan was made. */
  readonly state: string;
  /** Memory in MiB. */
  readonly memoryMib: number;
  /** Why nothing is done with it; empty when something is. */
  readonly blocked: readonly string[];
}

/** A snapshot that is removed. */
export interface SnapshotToRemove {
  /** Its name. */
  readonly name: string;
  /** ZFS's transaction, by which it is known again. */
  readonly createtxg: number;
}

/** A VM of which a checkpoint is taken. */
export interface VmToCheckpoint extends PlannedCheckpointVm {
  /** Its zvols. */
  readonly zvols: readonly string[];
  /** Disks that are no zvols, which cannot be part of it. */
  readonly left: readonly string[];
  /** Settings that are recorded. */
  readonly settings: RecordedSettings;
  /** Whether it is shut down first and started afterwards. */
  readonly stops: boolean;
  /** Snapshots of earlier checkpoints that expire afterwards. */
  readonly expired: readonly SnapshotToRemove[];
}

/** A plan to take a checkpoint. */
export interface CheckpointPlan {
  /** Its name. */
  readonly name: string;
  /** Free text. */
  readonly note: string;
  /** Whether running VMs are shut down first and started afterwards. */
  readonly shutdown: boolean;
  /** The VMs. */
  readonly vms: readonly VmToCheckpoint[];
  /** Why nothing can be done at all; empty when something can. */
  readonly problems: readonly PlanProblem[];
  /** What people should know. */
  readonly notices: readonly string[];
  /** Changes whenever what is confirmed changes. */
  readonly fingerprint: string;
}

/** A zvol that is rolled back. */
export interface ZvolToRollBack extends SnapshotToRemove {
  /** `tank/vms/web01-disk0` */
  readonly zvol: string;
  /** Later snapshots, which go, the newest first. */
  readonly newer: readonly SnapshotToRemove[];
}

/** A VM that is rolled back. */
export interface VmToRollBack extends PlannedCheckpointVm {
  /** Its zvols. */
  readonly zvols: readonly ZvolToRollBack[];
  /** What has changed since, and is not rolled back. */
  readonly changes: readonly string[];
  /** Whether the checkpoint was taken while it ran. */
  readonly running: boolean;
  /** Whether it is shut down first and started afterwards. */
  readonly stops: boolean;
}

/** A plan to roll VMs back to a checkpoint. */
export interface RollbackPlan {
  /** The checkpoint's name. */
  readonly checkpoint: string;
  /** The VMs. */
  readonly vms: readonly VmToRollBack[];
  /** Whether later snapshots may go. */
  readonly discardNewer: boolean;
  /** How many later snapshots would go. */
  readonly newer: number;
  /** Why nothing can be done; empty when something can. */
  readonly problems: readonly PlanProblem[];
  /** What people should know. */
  readonly notices: readonly string[];
  /** What is typed to confirm it: `roll back 3 vms`. */
  readonly phrase: string;
  /** Changes whenever what is confirmed changes. */
  readonly fingerprint: string;
}

/** A VM's part of a checkpoint that is removed. */
export interface VmToForget {
  /** Its name. */
  readonly name: string;
  /** Its snapshots. */
  readonly snapshots: readonly SnapshotToRemove[];
  /** Why nothing is done with it; empty when something is. */
  readonly blocked: readonly string[];
}

/** A plan to remove a checkpoint. */
export interface CheckpointRemovalPlan {
  /** The checkpoint's name. */
  readonly checkpoint: string;
  /** The VMs. */
  readonly vms: readonly VmToForget[];
  /** Bytes that become free at least; null when unknown. */
  readonly freesBytes: number | null;
  /** Why nothing can be done; empty when something can. */
  readonly problems: readonly PlanProblem[];
  /** What is typed to confirm it: `remove before-upgrade`. */
  readonly phrase: string;
  /** Changes whenever what is confirmed changes. */
  readonly fingerprint: string;
}
