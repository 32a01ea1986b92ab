/** What a plan can change in a VM that exists, and which of it a person selected. */

import type { Values } from "../inventory/inventory.ts";

export type { Values };

/** One change of a VM that exists, with the value it has now; it is made only while the VM still has that value. */
export type PlannedChange =
  | {
    /** Columns of vm.update. All of a VM's are sent in one call. */
    readonly kind: "settings";
    readonly set: Values;
    readonly was: Values;
  }
  | {
    /** Attributes of a device. */
    readonly kind: "device";
    /** The device as its step is named: `nic0`. */
    readonly device: string;
    readonly deviceId: number;
    /** TrueNAS's device type: `NIC`. */
    readonly dtype: string;
    readonly set: Values;
    readonly was: Values;
  }
  | {
    /** Detaches a CD-ROM; a disk is never removed. */
    readonly kind: "remove-device";
    readonly device: string;
    readonly deviceId: number;
    readonly dtype: "CDROM";
    readonly was: Values;
    readonly order: number;
  }
  | {
    /** The boot order of disks and CD-ROMs. */
    readonly kind: "order";
    readonly devices: readonly { readonly deviceId: number; readonly order: number; readonly was: number }[];
  }
  | {
    /** Makes a disk's zvol larger. */
    readonly kind: "grow";
    readonly device: string;
    readonly zvol: string;
    readonly sizeBytes: number;
    readonly wasBytes: number;
    /** Whether to exceed TrueNAS's recommended size, which only a sparse zvol may. */
    readonly force: boolean;
  }
  | {
    /** Reserves a disk's full size in the pool, or nothing. */
    readonly kind: "reservation";
    readonly device: string;
    readonly zvol: string;
    readonly sparse: boolean;
    readonly wasSparse: boolean;
    /** The disk's configured size. */
    readonly sizeBytes: number;
    /** What was reserved; absent until the NAS was read again. */
    readonly wasReservedBytes?: number;
  };

/** What a creation does about VMs that exist and differ; a VM that is not named stays as it is. */
export interface Reconciling {
  /** Names of VMs to change. */
  readonly change: readonly string[];
  /** What is done about those of them that are not stopped: changed for their next start, or restarted. */
  readonly running: "at-next-start" | "restart";
  /** How many running VMs of a type are restarted at once. */
  readonly atATime: number;
  /** Names of VMs to replace. */
  readonly replace: readonly string[];
  /** Names of VMs that an earlier try of this operation has shut down; they are started at the end. */
  readonly wereRunning?: readonly string[];
}

/** Changes nothing that exists. */
export const NOTHING_CHANGED: Reconciling = { change: [], running: "at-next-start", atATime: 1, replace: [] };
