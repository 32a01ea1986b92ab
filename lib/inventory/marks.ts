/** The marks that tell, on the NAS, which VMs and zvols this program made, and for which VM. */

/** Ends the description of every VM made here. */
export const MARK = "[truenas-vm-manager]";

/** ZFS user properties of every zvol made here (TrueNAS wants a colon in the name). */
export const ZVOL_PROPERTIES = {
  /** The uuid of the VM that it was made for. */
  vm: "truenas-vm-manager:vm",
  /** The id of the operation that made it. */
  operation: "truenas-vm-manager:operation",
} as const;

/** What a zvol's properties say of its origin. */
export interface ZvolMark {
  /** The uuid of the VM that it was made for. */
  readonly vm: string;
  /** The id of the operation that made it. */
  readonly operation: string;
}

/** A zvol's properties, as TrueNAS takes them, that say for which VM and by which operation it was made. */
export function ownerProperties(vmUuid: string, operation: string): readonly ZvolProperty[] {
  return [
    { key: ZVOL_PROPERTIES.vm, value: vmUuid },
    { key: ZVOL_PROPERTIES.operation, value: operation },
  ];
}

/** A ZFS user property, as TrueNAS takes it. */
export interface ZvolProperty {
  /** With a colon. */
  readonly key: string;
  readonly value: string;
}

/** The description that a VM gets: a person's own words, if any, and the mark. */
export function markedDescription(description: string): string {
  return description === "" ? MARK : `${description} ${MARK}`;
}

/** Whether a VM's description carries the mark. */
export function isMarked(description: string): boolean {
  return description.includes(MARK);
}
