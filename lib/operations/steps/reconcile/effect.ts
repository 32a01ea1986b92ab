/** A change of an existing VM in both directions, and the VM that it is made to. */
import { TrueNASError } from "../../../errors/errors.ts";
import { isMarked } from "../../../inventory/marks.ts";
import type { MethodName, VmRow } from "../../../truenas/method_types.ts";
import type { VersionRules } from "../../../truenas/versions.ts";
import type { StepCalls, StepContext } from "../run_step.ts";
import { findVm } from "../run_vm.ts";

/** The VM as the plan saw it. */
export interface ExistingVm {
  readonly id: number;
  readonly name: string;
  readonly uuid: string | null;
}

/** What changing a VM needs. */
export interface ChangeContext extends StepContext {
  readonly existing: ExistingVm;
  /** The displays' password, for releases that take it with every change of a display. */
  readonly displayPassword: string;
  /** How the NAS takes changes of devices. */
  readonly deviceUpdate: () => VersionRules["deviceUpdate"];
}

/** Which value the NAS has: the one from before, the planned one, parts of both, or another one. */
export type Present = "old" | "new" | "partly" | { readonly other: string };

/** A change in both directions. */
export interface Effect {
  readonly method: MethodName;
  readonly read: () => Promise<Present>;
  readonly apply: (calls: StepCalls) => Promise<unknown>;
  /** null for what cannot be taken back, with the reason. */
  readonly revert: ((calls: StepCalls) => Promise<unknown>) | null;
  readonly stays?: string;
}

/**
 * Reads the VM again.
 *
 * @throws {TrueNASError} when it is gone, was renamed, or no longer has this program's mark.
 */
export async function readOwnVm({ caller, existing }: ChangeContext): Promise<VmRow> {
  const { id, name, uuid } = existing;
  const row = await findVm(caller, { uuid: null, vmId: id });
  if (row === null || (uuid !== null && row.uuid !== uuid)) {
    throw new TrueNASError(`${name} no longer exists. It was not changed`);
  }
  if (row.name !== name) {
    throw new TrueNASError(`${name} was renamed to ${row.name}. It was not changed; plan again`);
  }
  if (!isMarked(row.description ?? "")) {
    throw new TrueNASError(
      `${name} no longer has this program's mark in its description. It was not changed; plan again`,
    );
  }
  return row;
}
