/** Names: of VMs, zvols and MACs, as TrueNAS takes them and as this product makes them. Pure. */
import { sha256Hex } from "../hashes.ts";

/** TrueNAS's rule for the name of a VM, in every version (its vm.create check); the column takes 150 characters. */
const VM_NAME = /^[A-Za-z0-9_]{1,150}$/;

/** Whether TrueNAS takes this as a VM's name. */
export function isVmName(name: string): boolean {
  return VM_NAME.test(name);
}

const COLLATOR = new Intl.Collator("en", { numeric: true });

/** Order of names as a person counts: `worker2` before `worker10`, `a` before `B`. Only equal names compare as 0. */
export function compareNames(a: string, b: string): number {
  return COLLATOR.compare(a, b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** The `n`th VM of a type, from 1: `worker01`. */
export function vmName(type: string, n: number): string {
  return `${type}${String(n).padStart(2, "0")}`;
}

/** The zvol of a VM's `n`th disk, from 0: `tank/vms/worker01-disk0`. */
export function zvolName(poolPath: string, vm: string, n: number): string {
  return `${poolPath}/${vm}-disk${n}`;
}

const ZVOL_DEVICES = "/dev/zvol/";

/** The zvol behind a disk's path, or null when the path is not a zvol's. TrueNAS writes a space as `+` there. */
export function zvolOfPath(path: string): string | null {
  return path.startsWith(ZVOL_DEVICES) ? path.slice(ZVOL_DEVICES.length).replaceAll("+", " ") : null;
}

/** The path of a zvol's device: the other way round. */
export function zvolPath(zvol: string): string {
  return `${ZVOL_DEVICES}${zvol.replaceAll(" ", "+")}`;
}

/** Whether a name is the prefix and a number: `worker` takes worker01 and worker12, not workerold or workers. */
export function matchesPrefix(name: string, prefix: string): boolean {
  return prefix !== "" && name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length));
}

/** The VM type that a name belongs to: `worker` of worker01; null when the name has no number. */
export function typeOf(name: string): string | null {
  return /^(.*[^0-9])[0-9]+$/.exec(name)?.[1] ?? null;
}

/** The port of the first VM type's first display, and how far apart the types start. */
const FIRST_PORT = 5910;
const PORTS_PER_TYPE = 10;

/** Where the displays of a type start: 5910 for controlplane, 5920 for worker, further types in tens as they stand in the file. */
export function firstDisplayPort(type: string, types: readonly string[]): number {
  if (type === "controlplane") return FIRST_PORT;
  if (type === "worker") return FIRST_PORT + PORTS_PER_TYPE;
  const others = types.filter((other) => other !== "controlplane" && other !== "worker");
  return FIRST_PORT + PORTS_PER_TYPE * (2 + Math.max(0, others.indexOf(type)));
}

/**
 * A MAC in the one form that every TrueNAS version and libvirt take (lower case, colons), from colons or hyphens; null
 * when it is none, or a group's (multicast) address.
 */
export function normalizeMac(text: string): string | null {
  if (!/^[0-9a-f]{2}([:-][0-9a-f]{2}){5}$/i.test(text)) return null;
  const mac = text.toLowerCase().replaceAll("-", ":");
  return (Number.parseInt(mac.slice(0, 2), 16) & 1) === 1 ? null : mac;
}

/** What a MAC is derived from. */
export interface MacSeed {
  /** The NAS: its own id, or its address where that cannot be read. */
  readonly nasId: string;
  readonly vm: string;
  /** The network's name in the configuration. */
  readonly nic: string;
}

/**
 * A MAC that is the same whenever the same VM is made again, so that it keeps its DHCP reservation: locally
 * administered, unicast, lower-case with colons (the one form that every TrueNAS version and libvirt take).
 */
export function deriveMac({ nasId, vm, nic }: MacSeed): string {
  const digest = sha256Hex(JSON.stringify([nasId, vm, nic]));
  return ["02", ...(digest.slice(0, 10).match(/../g) ?? [])].join(":");
}
