/** What the program is called where it is installed. */
export const PROGRAM = "truenas-vm-manager";
