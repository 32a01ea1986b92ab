/** MAC addresses chosen by the NAS. */

/** A MAC address with TrueNAS's prefix and these three bytes. */
export function macOf(bytes: Iterable<number>): string {
  return ["00", "a0", "98", ...[...bytes].map((byte) => byte.toString(16).padStart(2, "0"))].join(":");
}

/** A MAC address like those of vm.random_mac. */
export function randomMac(): string {
  return macOf(crypto.getRandomValues(new Uint8Array(3)));
}
