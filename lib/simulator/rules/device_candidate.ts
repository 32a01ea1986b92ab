/** A device to be checked, and the rule shared by all types with a path. */
import type { Nas } from "../nas.ts";
import { devicesOf, type StoredDevice } from "../store.ts";
import type { Validation } from "../wire/wire_errors.ts";

/** A device to be checked. */
export interface Candidate {
  readonly vmId: number;
  readonly vmName: string;
  readonly attributes: StoredDevice["attributes"];
  /** The row to be updated, which does not conflict with itself; null for a new device. */
  readonly own: StoredDevice | null;
}

/** A file or zvol can be attached to a VM only once. */
export function checkTwice(nas: Nas, candidate: Candidate, path: string, errors: Validation): void {
  const { vmId, vmName, own, attributes: { dtype } } = candidate;
  const isAttached = devicesOf(nas.store, vmId).some((it) => it !== own && it.attributes.path === path);
  if (isAttached) errors.add("attributes.path", nas.profile.texts.attachedTwice(vmName, path, dtype));
}
