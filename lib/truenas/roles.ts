/** What an account may do, as far as this program needs it. Pure. Source: TrueNAS's role manager and its API models. */

/** A role that this program uses, and for what. */
export interface NeededRole {
  /** TrueNAS's name for it: `VM_WRITE`. */
  readonly role: string;
  /** What fails without it, or what is not checked. */
  readonly for: string;
  /** Without it the main job fails; the others only leave something out. */
  readonly essential: boolean;
}

/** Every role that is used. */
export const NEEDED_ROLES: readonly NeededRole[] = [
  { role: "VM_READ", for: "listing VMs", essential: true },
  { role: "VM_DEVICE_READ", for: "seeing bridges and addresses for a plan", essential: false },
  { role: "VM_WRITE", for: "making, starting, stopping and destroying VMs", essential: true },
  { role: "VM_DEVICE_WRITE", for: "giving VMs their devices", essential: true },
  {
    role: "DATASET_READ",
    for: "checking space and existing zvols, and showing disk sizes",
    essential: false,
  },
  {
    role: "DATASET_WRITE",
    for: "marking zvols, and sparse zvols",
    essential: false,
  },
  {
    role: "DATASET_DELETE",
    for: "removing zvols that are in no VM: of a VM that could not be made, and orphans",
    essential: false,
  },
  { role: "SNAPSHOT_READ", for: "seeing the snapshots of zvols that are to go", essential: false },
  { role: "SNAPSHOT_DELETE", for: "removing the snapshots of zvols that are to go", essential: false },
  { role: "FILESYSTEM_ATTRS_READ", for: "checking that the install image is there", essential: false },
];

/** Roles that come with a role. */
const INCLUDED: Readonly<Record<string, readonly string[]>> = {
  VM_WRITE: ["VM_READ"],
  VM_DEVICE_WRITE: ["VM_DEVICE_READ", "VM_WRITE", "VM_READ"],
  DATASET_WRITE: ["DATASET_READ"],
  SNAPSHOT_WRITE: ["SNAPSHOT_READ"],
};

/** Whether an account has a role, by itself or by another one; null when its roles are not known. */
export function hasRole(roles: readonly string[] | null, wanted: string): boolean | null {
  if (roles === null) return null;
  return roles.some((role) =>
    role === "FULL_ADMIN" || role === wanted || INCLUDED[role]?.includes(wanted) === true ||
    (role === "READONLY_ADMIN" && wanted.endsWith("_READ"))
  );
}

/** The roles that an account lacks; none when its roles are not known. */
export function missingRoles(roles: readonly string[] | null): readonly NeededRole[] {
  return NEEDED_ROLES.filter(({ role }) => hasRole(roles, role) === false);
}
