/** What a seed is rendered from, and what comes of it. Plain data. */
import type { PlannedAddress, SeedKey } from "../types.ts";

/** What is known of the VM that the seed is for. */
export interface SeedFacts {
  /** `worker01` */
  readonly name: string;
  /** Its number within its type, from 1. */
  readonly index: number;
  /** Its VM type. */
  readonly type: string;
  /** How many VMs of its type there are. */
  readonly count: number;
  /** Its host name, from `seedHostname`. */
  readonly hostname: string;
  /** Another one is another machine to cloud-init: the VM's uuid, which a VM that is made again does not keep. */
  readonly instanceId: string;
  /** Its first static address, without the prefix; null when all come by DHCP. */
  readonly ip: string | null;
  /** The MAC address of each network card, by network, in order. */
  readonly macs: Readonly<Record<string, string>>;
  /** Static addresses by network; absent networks use DHCP. */
  readonly addresses: Readonly<Record<string, PlannedAddress>>;
  /** Where the guest reports that it is up; null when nobody listens. */
  readonly phoneHomeUrl: string | null;
  /** Linux name of the first disk: `/dev/vda`; null when there is none. */
  readonly installDisk: string | null;
}

/** What a host name is made from. */
export type HostNameFacts = Omit<SeedFacts, "hostname" | "instanceId" | "phoneHomeUrl">;

/** The names by which a guest asks for the parts of its seed. */
export const SEED_FILES = ["user-data", "meta-data", "vendor-data", "network-config"] as const;

/** One of these names. */
export type SeedFileName = typeof SEED_FILES[number];

/** A seed as the guest reads it. It can contain secrets: it is kept nowhere and shown nowhere. */
export interface RenderedSeed {
  /** The parts that there are; `user-data` and `meta-data` always. */
  readonly files: ReadonlyMap<SeedFileName, string>;
}

/** The texts that a type's seeds are rendered from. They can contain secrets. */
export interface SeedTexts {
  /** The files that the section names, by the name it uses. */
  readonly files: ReadonlyMap<string, string>;
  /** The public keys that `ssh_keys` names. */
  readonly keys: readonly SeedKey[];
}

/** Where these texts come from. */
export interface SeedFiles {
  /**
   * The text of a file, which is named relative to config.yaml.
   *
   * @throws {ConfigurationError} when it cannot be read, or is larger than `maxBytes`.
   */
  read(path: string, maxBytes: number): Promise<string>;
  /**
   * The public keys of an account at GitHub, one a line.
   *
   * @throws {ConfigurationError} when they cannot be had.
   */
  keysOf(account: string): Promise<string>;
}
