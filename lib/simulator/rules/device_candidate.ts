/** A device that is to be taken, and the rule that all kinds with a path share. */
import type { Nas } from "../nas.ts";
import { devicesOf, type StoredDevice } from "../store.ts";
import type { Validation } from "../wire/wire_errors.ts";

/** The device that is checked. */
export interface Candidate {
  readonly vmId: number;
  readonly vmName: string;
  readonly attributes: StoredDevice["attributes"];
  /** The row that is updated, which does not clash with itself. */
  readonly own: StoredDevice | null;
}

/** A file or zvol is attached to a VM once only. */
export function checkTwice(nas: Nas, candidate: Candidate, path: string, errors: Validation): void {
  const twin = devicesOf(nas.store, candidate.vmId).find((it) =>
    it !== candidate.own && it.attributes.path === path
  );
  if (twin !== undefined) {
    errors.add(
      "attributes.path",
      nas.profile.texts.attachedTwice(candidate.vmName, path, candidate.attributes.dtype),
    );
  }
}
