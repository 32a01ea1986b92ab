/** Rules about the roles of the account. */
import { hasRole } from "../../truenas/roles.ts";
import type { Finding } from "../types.ts";
import { type Context, type Rule, warning } from "./rule.ts";

/** The rules. */
export const RIGHTS_RULES: readonly Rule[] = [checkRollback, checkRoles];

/** Removing a zvol that got no device requires a role of its own. */
function checkRollback({ active, inventory: { nas: { roles } } }: Context): Finding[] {
  const createsZvols = active.some(({ devices }) => devices.some((it) => it.dtype === "DISK" && !it.adopt));
  const canOnlyCreate = hasRole(roles, "DATASET_WRITE") === true &&
    hasRole(roles, "DATASET_DELETE") === false;
  if (!createsZvols || !canOnlyCreate) return [];
  const message =
    "If creating a VM fails, its zvols can remain on the NAS because the account does not have the role " +
    "DATASET_DELETE (DATASET_WRITE does not include it). Grant the role so that they can be removed";
  return [warning("", message)];
}

/** Warns before TrueNAS refuses the first call for each VM. */
function checkRoles({ inventory: { nas: { roles } } }: Context): Finding[] {
  const missing = ["VM_WRITE", "VM_DEVICE_WRITE"].filter((role) => hasRole(roles, role) === false);
  if (missing.length === 0) return [];
  const message = "TrueNAS will refuse to create VMs because the account does not have " +
    `${missing.length === 1 ? "the role" : "the roles"} ${missing.join(" and ")}. ` +
    "Grant them in TrueNAS under Credentials, Groups, Privileges";
  return [warning("", message)];
}
