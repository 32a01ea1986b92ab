/**
 * The marks on the NAS that show which VMs and zvols this program created, and for which VM: how they are written and
 * recognised. Whether the marks suffice to destroy something is decided in lib/plan/destruction.ts.
 */

/** Appended to the description of every VM created here. */
export const MARK = "[truenas-vm-manager]";

/** ZFS user properties of every zvol created here; TrueNAS requires a colon in their names. */
export const ZVOL_PROPERTIES = {
  /** uuid of the VM the zvol was created for. */
  vm: "truenas-vm-manager:vm",
  /** Id of the operation that created it. */
  operation: "truenas-vm-manager:operation",
} as const;

/** The origin of a zvol, according to its properties. */
export interface ZvolMark {
  /** uuid of the VM it was created for. */
  readonly vm: string;
  /** Id of the operation that created it. */
  readonly operation: string;
}

/** Properties for a new zvol that name its VM and operation, in TrueNAS's format. */
export function ownerProperties(vmUuid: string, operation: string): readonly ZvolProperty[] {
  return [
    { key: ZVOL_PROPERTIES.vm, value: vmUuid },
    { key: ZVOL_PROPERTIES.operation, value: operation },
  ];
}

/** The mark in a zvol's user properties; null unless both are set, because one alone proves nothing. */
export function zvolMarkOf(valueOf: (property: string) => string | null | undefined): ZvolMark | null {
  const vm = valueOf(ZVOL_PROPERTIES.vm);
  const operation = valueOf(ZVOL_PROPERTIES.operation);
  return vm && operation ? { vm, operation } : null;
}

/** A ZFS user property in TrueNAS's format. */
export interface ZvolProperty {
  /** Contains a colon. */
  readonly key: string;
  readonly value: string;
}

/** A VM's description: the user's text, if any, and the mark. */
export function markedDescription(description: string): string {
  return description === "" ? MARK : `${description} ${MARK}`;
}

/** What a person wrote in a description: all but the mark. */
export function withoutMark(description: string): string {
  return description.replace(MARK, "").trim();
}

/** Whether a description contains the mark. */
export function isMarked(description: string): boolean {
  return description.includes(MARK);
}
