/** What an operation has made of a VM so far, so that it can be rolled back. */
import type { PlannedDevice } from "../../plan/types.ts";

/** A zvol that may have been made: asked for, absent before, and not refused. */
export interface CreatedZvol {
  readonly name: string;
  /** It carries our properties, by which it is known again. */
  readonly marked: boolean;
  /** The NAS answered that it was made. */
  readonly answered: boolean;
}

/** What an operation has made of one VM so far. */
export interface CreatedResources {
  /** The operation's id. */
  readonly operation: string;
  /** The uuid that the VM was asked to have; null when the VM was there before. */
  readonly uuid: string | null;
  /** The NAS's id once it is known. */
  vmId: number | null;
  /** Devices that were added to a VM that was there before. */
  readonly devices: PlannedDevice[];
  readonly zvols: CreatedZvol[];
  /** The VM was asked to start. */
  started: boolean;
  /** Steps that were done, to be marked when they are rolled back. */
  readonly doneSteps: string[];
}
