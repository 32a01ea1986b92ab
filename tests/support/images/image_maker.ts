/** An account that is no full administrator and may bring images to the NAS by letting it fetch them. */
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

const ROLES = [
  "VM_DEVICE_WRITE",
  "DATASET_WRITE",
  "DATASET_DELETE",
  "SNAPSHOT_WRITE",
  "CLOUD_SYNC_WRITE",
  "FILESYSTEM_ATTRS_READ",
];

/** Adds it to the simulated NAS; how to sign in as it. */
export function addImageMaker(
  { store }: Pick<Simulator, "store">,
  without: readonly string[] = [],
): Pick<VMManagerOptions, "username" | "password"> {
  store.accounts.push({
    username: "maker",
    password: "secret",
    roles: ROLES.filter((role) => !without.includes(role)),
    apiKey: null,
    apiKeyRevoked: false,
    apiKeyExpired: false,
    otp: null,
  });
  return { username: "maker", password: "secret" };
}
