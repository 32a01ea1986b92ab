/** Reads what a Linux executable needs from a machine. */

/** The architectures of NAS hosts, as `uname -m` names them. */
export const ARCHITECTURES = ["x86_64", "aarch64"] as const;

/** What `uname -m` prints. */
export type Architecture = typeof ARCHITECTURES[number];

/** The field e_machine of an ELF header. */
const MACHINES = new Map<number, Architecture>([[62, "x86_64"], [183, "aarch64"]]);
const MAGIC = "\x7fELF";
const MACHINE_OFFSET = 18;

/** The architecture of an executable; null when it is another one, or no executable of Linux. */
export function architectureOf(executable: Uint8Array): Architecture | null {
  const magic = String.fromCharCode(...executable.subarray(0, MAGIC.length));
  if (magic !== MAGIC || executable.length < MACHINE_OFFSET + 2) return null;
  const view = new DataView(executable.buffer, executable.byteOffset);
  return MACHINES.get(view.getUint16(MACHINE_OFFSET, true)) ?? null;
}

/** Throws unless an executable is for the wanted architecture. */
export function expectArchitecture(executable: Uint8Array, wanted: Architecture, name: string): void {
  const found = architectureOf(executable);
  if (found === wanted) return;
  throw new Error(`${name} is for ${found ?? "no known architecture"}, not for ${wanted}`);
}

/** The oldest version 2.x of the GNU C library that an executable runs with; x. */
export function oldestLibc(executable: Uint8Array): number {
  // Symbols name the version that introduced them; the newest of these is what the executable needs.
  const names = new TextDecoder("latin1").decode(executable).matchAll(/GLIBC_2\.(\d+)/g);
  const versions = [...names].map(([, minor]) => Number(minor));
  if (versions.length === 0) throw new Error("The runtime names no version of the C library");
  return Math.max(...versions);
}
