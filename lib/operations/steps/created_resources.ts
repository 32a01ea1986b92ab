/** What an operation has created for a VM so far, for rollback. */
import type { PlannedDevice } from "../../plan/types.ts";

/** A zvol that may have been created: requested, absent before, and not refused. */
export interface CreatedZvol {
  readonly name: string;
  /** Whether it has our properties, which identify it. */
  readonly marked: boolean;
  /** Whether the NAS confirmed its creation. */
  readonly answered: boolean;
}

/** What an operation has created for one VM so far. */
export interface CreatedResources {
  /** The operation's id. */
  readonly operation: string;
  /** The uuid requested for the VM; null when the VM already existed. */
  readonly uuid: string | null;
  /** Id on the NAS, once known. */
  vmId: number | null;
  /** Devices added to a VM that already existed. */
  readonly devices: PlannedDevice[];
  readonly zvols: CreatedZvol[];
  /** Whether the VM was asked to start. */
  started: boolean;
  /** Finished steps, to be marked as rolled back. */
  readonly doneSteps: string[];
}
