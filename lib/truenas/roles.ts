/** The roles that this program needs. Pure. Source: TrueNAS's role manager and API models. */

/** A role and its purpose. */
export interface NeededRole {
  /** TrueNAS's name: `VM_WRITE`. */
  readonly role: string;
  /** What fails or is skipped without it. */
  readonly for: string;
  /** Whether creating and destroying VMs fails without it. */
  readonly essential: boolean;
}

/** The roles. */
export const NEEDED_ROLES: readonly NeededRole[] = [
  { role: "VM_READ", for: "listing VMs", essential: true },
  { role: "VM_DEVICE_READ", for: "listing bridges and addresses for a plan", essential: false },
  { role: "VM_WRITE", for: "creating, starting, stopping and destroying VMs", essential: true },
  { role: "VM_DEVICE_WRITE", for: "adding devices to VMs", essential: true },
  {
    role: "DATASET_READ",
    for: "checking space and existing disks, and showing their sizes",
    essential: false,
  },
  {
    role: "DATASET_WRITE",
    for: "marking disks, and creating thin ones",
    essential: false,
  },
  {
    role: "DATASET_DELETE",
    for: "removing disks without a VM: after a failed creation, and orphans",
    essential: false,
  },
  { role: "SNAPSHOT_READ", for: "listing snapshots of disks to be removed", essential: false },
  {
    role: "SNAPSHOT_WRITE",
    for: "cloning disks from images, taking checkpoints and, from TrueNAS 25.10 on, rolling back to them",
    essential: false,
  },
  {
    role: "SNAPSHOT_DELETE",
    for: "removing snapshots of disks to be removed, and checkpoints",
    essential: false,
  },
  { role: "FILESYSTEM_ATTRS_READ", for: "checking that the install image exists", essential: false },
  {
    role: "CLOUD_SYNC_WRITE",
    for: "letting the NAS fetch images, for an account that is no full administrator",
    essential: false,
  },
  { role: "REPORTING_READ", for: "showing the load of the NAS above the list", essential: false },
];

/** Roles included in a role. */
const INCLUDED: Readonly<Record<string, readonly string[]>> = {
  VM_WRITE: ["VM_READ"],
  VM_DEVICE_WRITE: ["VM_DEVICE_READ", "VM_WRITE", "VM_READ"],
  DATASET_WRITE: ["DATASET_READ"],
  SNAPSHOT_WRITE: ["SNAPSHOT_READ"],
  CLOUD_SYNC_WRITE: ["CLOUD_SYNC_READ"],
};

/** Whether an account has a role, directly or included in another; null when its roles are unknown. */
export function hasRole(roles: readonly string[] | null, wanted: string): boolean | null {
  if (roles === null) return null;
  return roles.some((role) =>
    role === "FULL_ADMIN" || role === wanted || INCLUDED[role]?.includes(wanted) === true ||
    (role === "READONLY_ADMIN" && wanted.endsWith("_READ"))
  );
}

/** A needed role, and whether the account has it. */
export interface CheckedRole extends NeededRole {
  /** Null while the account's roles are unknown. */
  readonly granted: boolean | null;
}

/** Every needed role, checked. */
export function checkedRoles(roles: readonly string[] | null): readonly CheckedRole[] {
  return NEEDED_ROLES.map((needed) => ({ ...needed, granted: hasRole(roles, needed.role) }));
}

/** The roles an account is missing; empty when its roles are unknown. */
export function missingRoles(roles: readonly string[] | null): readonly NeededRole[] {
  return NEEDED_ROLES.filter(({ role }) => hasRole(roles, role) === false);
}
