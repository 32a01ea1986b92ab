/** MAC addresses that the NAS chooses itself. */

/** A MAC as vm.random_mac gives it. */
export function randomMac(): string {
  const bytes = [...crypto.getRandomValues(new Uint8Array(3))].map((byte) =>
    byte.toString(16).padStart(2, "0")
  );
  return ["00", "a0", "98", ...bytes].join(":");
}
