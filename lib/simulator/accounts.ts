/** Accounts of the simulated NAS, and the permissions of their roles. */
import type { MethodSchema } from "./wire/schema_check.ts";

/** An account. */
export interface Account {
  readonly username: string;
  readonly password: string;
  readonly roles: readonly string[];
  /** `<id>-<64 characters>`, or null. */
  readonly apiKey: string | null;
  apiKeyRevoked: boolean;
  readonly apiKeyExpired: boolean;
  /** The required one-time password, or null. */
  readonly otp: string | null;
}

/** Roles included in a role, for VMs and their disks; no role includes *_DELETE. Source: TrueNAS's role manager. */
const INCLUDED: Readonly<Record<string, readonly string[]>> = {
  VM_DEVICE_WRITE: ["VM_DEVICE_READ", "VM_WRITE", "VM_READ"],
  VM_WRITE: ["VM_READ"],
  DATASET_WRITE: ["DATASET_READ"],
  SNAPSHOT_WRITE: ["SNAPSHOT_READ"],
  CLOUD_SYNC_WRITE: ["CLOUD_SYNC_READ"],
};

/** Roles of query methods whose schema does not name them. */
const QUERY_ROLES: Readonly<Record<string, readonly string[]>> = {
  "interface.query": ["NETWORK_INTERFACE_READ"],
};

/** Whether an account has a role, directly or included in another. */
export function hasRole({ roles }: Pick<Account, "roles">, wanted: string): boolean {
  return roles.some((role) => {
    if (role === "FULL_ADMIN" || role === wanted) return true;
    if (role === "READONLY_ADMIN") return wanted.endsWith("_READ");
    return INCLUDED[role]?.includes(wanted) ?? false;
  });
}

/** Whether an account may call a method. */
export function mayCall(account: Account, method: string, schema: MethodSchema): boolean {
  if (schema.authorization_required === false || schema.authentication_required === false) return true;
  const roles = schema.roles ?? QUERY_ROLES[method] ?? [];
  return hasRole(account, "FULL_ADMIN") || roles.some((role) => hasRole(account, role));
}
