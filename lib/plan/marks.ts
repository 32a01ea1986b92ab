/** The mark that tells, on the NAS, which VMs this program made. */

/** Ends the description of every VM made here. */
export const MARK = "[truenas-vm-manager]";

/** The description that a VM gets: a person's own words, if any, and the mark. */
export function markedDescription(description: string): string {
  return description === "" ? MARK : `${description} ${MARK}`;
}

/** Whether a VM's description carries the mark. */
export function isMarked(description: string): boolean {
  return description.includes(MARK);
}
