/** What a guest has shown of itself, in words. Pure. */
import type { GuestSign, ReadyWhen } from "../types.ts";
import { portOf } from "./planned_ready.ts";

/** A sign in a few words: `seed fetched from 10.0.0.21`. */
export function describeSign(sign: GuestSign): string {
  switch (sign.kind) {
    case "seed-fetched":
      return `first configuration fetched by ${sign.address}`;
    case "phone-home":
      return `cloud-init finished at ${sign.address}${
        sign.hostname === null ? "" : `, which calls itself ${sign.hostname}`
      }`;
    case "port":
      return `answers on ${sign.address} port ${sign.port}${
        sign.greeting === undefined ? "" : ` (${sign.greeting})`
      }`;
    case "agent":
      return `guest agent answers, address ${sign.address}`;
    case "console":
      return `cloud-init finished, as its console shows${
        sign.address === null ? "" : `, address ${sign.address}`
      }`;
    case "network":
      return sign.by === "refused"
        ? `reached at ${sign.address}, where the port is still closed`
        : `has the address ${sign.address}, as its ${sign.by} tells`;
    case "stranger":
      return `not the right node at ${sign.address}: ${sign.why}`;
  }
}

/** Whether one sign says nothing that the other has not said. */
export function isSameSign(known: GuestSign, sign: GuestSign): boolean {
  const isSame = known.kind === sign.kind && known.address === sign.address;
  return isSame && (known.kind !== "network" || sign.kind !== "network" || known.by === sign.by);
}

/** What to look at when the sign that was waited for does not come. `fetches`: its seed does not come on a CD-ROM. */
export function describeMissing(when: ReadyWhen, signs: readonly GuestSign[], fetches = true): string {
  if (signs.some(({ kind }) => kind === "stranger")) return "See the log for what answers in its place";
  const hasFetched = signs.some(({ kind }) => kind === "seed-fetched");
  const look = "Look at its console";
  if (when === "phone-home" && !fetches) {
    return `${look} for what cloud-init is doing, and check that guests reach SEED_HOST`;
  }
  if (when === "phone-home") {
    return hasFetched
      ? `Its first configuration was fetched, so it has a network; ${look.toLowerCase()} for what cloud-init is doing`
      : `It has not fetched its first configuration; ${look.toLowerCase()} for whether it boots and gets an address, and check that guests reach SEED_HOST`;
  }
  if (when === "agent") return `${look} for whether it boots, and check that qemu-guest-agent is installed`;
  if (when === "console") {
    return `${look} for what cloud-init is doing; an image that does not write to its serial console shows nothing`;
  }
  const port = portOf(when);
  if (signs.some(({ address }) => address !== null)) {
    return `Its address is known, and port ${port} does not answer there; ${look.toLowerCase()}, and its firewall`;
  }
  return `Its address is not known; ${look.toLowerCase()} for whether it boots and gets one`;
}
