/** Names of VMs and zvols, and MAC addresses. Pure. */
import { sha256Hex } from "../hashes.ts";

/** TrueNAS's rule for VM names in every version (checked by vm.create); the database column holds 150 characters. */
const VM_NAME = /^[A-Za-z0-9_]{1,150}$/;

/** Whether TrueNAS accepts this VM name. */
export function isVmName(name: string): boolean {
  return VM_NAME.test(name);
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** Natural sort order: `worker2` before `worker10`, `a` before `B`. Only equal names compare as 0. */
export function compareNames(a: string, b: string): number {
  return COLLATOR.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** The `n`th VM of a type, counted from 1: `worker01`. */
export function vmName(type: string, n: number): string {
  return `${type}${String(n).padStart(2, "0")}`;
}

/** The zvol of a VM's `n`th disk, counted from 0: `tank/vms/worker01-disk0`. */
export function zvolName(poolPath: string, vm: string, n: number): string {
  return `${poolPath}/${vm}-disk${n}`;
}

const ZVOL_DEVICES = "/dev/zvol/";

/** The dataset that contains a zvol or dataset. */
export function parentOf(dataset: string): string {
  return dataset.split("/").slice(0, -1).join("/");
}

/** The zvol of a disk path, or null when it is not a zvol's path, where TrueNAS writes a space as `+`. */
export function zvolOfPath(path: string): string | null {
  return path.startsWith(ZVOL_DEVICES) ? path.slice(ZVOL_DEVICES.length).replaceAll("+", " ") : null;
}

/** The device path of a zvol; the inverse of {@link zvolOfPath}. */
export function zvolPath(zvol: string): string {
  return `${ZVOL_DEVICES}${zvol.replaceAll(" ", "+")}`;
}

/** Whether a name is the prefix followed by digits: `worker` matches worker01 and worker12, not workerold or workers. */
export function matchesPrefix(name: string, prefix: string): boolean {
  return prefix !== "" && name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));
}

/** The VM type in a name: `worker` for worker01; null when the name does not end in digits. */
export function typeOf(name: string): string | null {
  return /^(.*[^0-9])[0-9]+$/.exec(name)?.[1] ?? null;
}

/** First port of the first VM type, and the distance between types. */
const FIRST_PORT = 5910;
const PORTS_PER_TYPE = 10;

/** First display port of a type: 5910 for controlplane, 5920 for worker, then steps of ten in file order. */
export function firstDisplayPort(type: string, types: readonly string[]): number {
  if (type === "controlplane") return FIRST_PORT;
  if (type === "worker") return FIRST_PORT + PORTS_PER_TYPE;
  const others = types.filter((other) => other !== "controlplane" && other !== "worker");
  return FIRST_PORT + PORTS_PER_TYPE * (2 + Math.max(0, others.indexOf(type)));
}

/**
 * Normalizes a MAC address to lower case with colons, the one form that every TrueNAS version and libvirt accept; null
 * when it is invalid or multicast.
 */
export function normalizeMac(text: string): string | null {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return null;
  const mac = text.toLowerCase().replaceAll("-", ":");
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 ? null : mac;
}

/** A part of a MAC, however its digits are separated, as the NAS writes it; other words as they are. */
export function macOf(word: string): string {
  const digits = word.toLowerCase().replaceAll(/[:.-]/g, "");
  if (!/^[0-9a-f]{4,12}$/.test(digits)) return word;
  return digits.match(/.{1,2}/g)?.join(":") ?? word;
}

/** Input of the MAC derivation. */
export interface MacSeed {
  /** The NAS's own id, or its address when the id cannot be read. */
  readonly nasId: string;
  readonly vm: string;
  /** Name of the network in the configuration. */
  readonly nic: string;
}

/**
 * Derives a MAC address that stays the same when the VM is created again, so it keeps its DHCP reservation: locally
 * administered, unicast, lower case with colons.
 */
export function deriveMac({ nasId, vm, nic }: MacSeed): string {
  const digest = sha256Hex(JSON.stringify([nasId, vm, nic]));
  return ["02", ...(digest.slice(0, 10).match(/../g) ?? [])].join(":");
}
