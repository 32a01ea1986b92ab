/** Whether what answers is the node that was made, as far as that can be known. Pure. */
import type { GuestSign } from "../types.ts";

/** A guest that is waited for. */
export interface WaitingGuest {
  readonly name: string;
  /** The VM's uuid, which is the instance id of its seed; null when it is not known. */
  readonly uuid: string | null;
  /** MAC addresses of its network cards, lower case with colons. */
  readonly macs: readonly string[];
  /** Static addresses that its seed gives it. */
  readonly addresses: readonly string[];
  /** The node that has told a host key before, by the key; nothing of this guest. */
  readonly ownerOfKey: (key: string) => string | null;
}

type PhoneHome = Extract<GuestSign, { readonly kind: "phone-home" }>;

/** Why a report that cloud-init has finished does not count; null when it does. */
export function strangeHome(
  { name, uuid, ownerOfKey }: WaitingGuest,
  { instanceId, hostKeys = [] }: PhoneHome,
): string | null {
  if (uuid !== null && instanceId != null && instanceId.toLowerCase() !== uuid.toLowerCase()) {
    return `it takes itself for another instance (${
      instanceId.slice(0, MAX_ID_CHARS)
    }), so it has not used the seed of ` +
      `${name}; the image was probably started before. Make it with "cloud-init clean"`;
  }
  const owner = hostKeys.map(ownerOfKey).find((it) => it !== null);
  if (owner === undefined || owner === null) return null;
  return `it has the SSH host key of ${owner}, so the two cannot be told apart; the image has host keys in it. ` +
    `Remove /etc/ssh/ssh_host_* from the image`;
}

/** Instance ids come from a guest. */
const MAX_ID_CHARS = 64;

/** Why an answer from a MAC address does not count; null when it does, or when nobody knows the MAC address. */
export function strangeMac({ name, macs }: WaitingGuest, mac: string | null): string | null {
  if (mac === null || macs.length === 0 || macs.includes(mac)) return null;
  return `${mac} answers there, which is not a network card of ${name}; another machine has its address`;
}
