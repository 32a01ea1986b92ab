/**
 * First boot: what a VM's first configuration (its seed) is made from, how it comes to the guest, which addresses the guest
 * gets, and how it is known that it answers. Plain data, shared by configuration, plans, steps and pages.
 */

/** Which program in the guest reads the seed. */
export type SeedKind = "cloud-init" | "talos" | "ignition";

/** The section `seed` of a VM type. Files are named relative to config.yaml, below its folder. */
export interface SeedSection {
  /** Which program reads it. */
  readonly kind: SeedKind;
  /** Host name; a template such as `{{ vm.name }}`, which is the default. */
  readonly hostname?: string | undefined;
  /** The user that is created, who may use sudo. */
  readonly user?: string | undefined;
  /** Public keys: a key itself, a file of keys, or `github:NAME`. */
  readonly ssh_keys?: readonly string[] | undefined;
  /** `Europe/Berlin` */
  readonly timezone?: string | undefined;
  /** Packages that are installed at the first boot. */
  readonly packages?: readonly string[] | undefined;
  /** Commands that run once, at the end of the first boot. */
  readonly run?: readonly string[] | undefined;
  /** A file with cloud-init's user data, instead of or beside the values above. */
  readonly user_data?: string | undefined;
  /** A file with cloud-init's network configuration. */
  readonly network?: string | undefined;
  /** The machine configuration of Talos, or the Ignition file. */
  readonly config?: string | undefined;
  /** Talos: files that are merged over the machine configuration. */
  readonly patches?: readonly string[] | undefined;
  /** Talos: `1.13`; default: the newest that is known. */
  readonly version?: string | undefined;
}

/** The addresses of a type's VMs in one network: by DHCP, or a static one for each VM in order. */
export type AddressSection = "dhcp" | {
  /** `10.0.0.21-29/24` */
  readonly range?: string | undefined;
  /** `[10.0.0.21/24, 10.0.0.25/24]` */
  readonly list?: readonly string[] | undefined;
  readonly gateway?: string | undefined;
  readonly dns?: readonly string[] | undefined;
};

/** How it is known that a VM answers; `tcp:22` is a port of its address. */
export type ReadyWhen = "phone-home" | "talos" | "agent" | "console" | "none" | `tcp:${number}`;

/** What is done with a VM that does not answer in time. */
export type ReadyOtherwise = "keep" | "roll-back" | "stop";

/** The section `ready` of a VM type. */
export interface ReadySection {
  /** What shows that it answers; default: what cloud-init reports where it is fetched from here, and nothing otherwise. */
  readonly when?: ReadyWhen | undefined;
  /** `10m`, the default; `90s`, `1h`. */
  readonly timeout?: string | undefined;
  /** Default `keep`. */
  readonly otherwise?: ReadyOtherwise | undefined;
}

/** A static address of a network card. */
export interface PlannedAddress {
  /** IPv4: `10.0.0.21` */
  readonly address: string;
  /** Bits of the network: 24. */
  readonly prefix: number;
  /** The router: `10.0.0.1`; null for none. */
  readonly gateway: string | null;
  /** The DNS servers. */
  readonly dns: readonly string[];
}

/** A public key that a guest gets. */
export interface SeedKey {
  /** `ssh-ed25519 AAAA… name` */
  readonly key: string;
  /** Where it was named: `inline`, `keys/ops.pub`, `github:NAME`. */
  readonly from: string;
}

/** How the seed comes to the guest. */
export type SeedWay = "url" | "disk";

/** The seed of a planned VM, without its contents, which can have secrets. */
export interface PlannedSeed {
  /** Which program reads it. */
  readonly kind: SeedKind;
  /** The name that the guest gets. */
  readonly hostname: string;
  /** How it comes to the guest. */
  readonly way: SeedWay;
  /** Why this way, as a sentence without a period. */
  readonly reason: string;
  /** The files that it is made from. */
  readonly files: readonly string[];
  /** The public keys that it contains. */
  readonly keys: readonly SeedKey[];
  /** SHA-256 over everything it is made from, so that another content is another plan. */
  readonly digest: string;
}

/** How it is found out whether a planned VM answers. */
export interface PlannedReady {
  /** What shows that it answers. */
  readonly when: ReadyWhen;
  /** How long it has, in milliseconds. */
  readonly timeoutMs: number;
  /** What is done when it does not answer in time. */
  readonly otherwise: ReadyOtherwise;
}

/** What a guest has shown of itself, in the order in which it comes. */
export type GuestSign =
  | { readonly kind: "seed-fetched"; readonly at: number; readonly address: string }
  | {
    readonly kind: "phone-home";
    readonly at: number;
    readonly address: string;
    readonly hostname: string | null;
    /** What the guest takes itself for: the uuid of the VM that its seed was made for. */
    readonly instanceId?: string | null;
    /** Its public host keys, as it sent them: `ssh-ed25519 AAAA…`. */
    readonly hostKeys?: readonly string[];
  }
  | {
    readonly kind: "port";
    readonly at: number;
    readonly address: string;
    readonly port: number;
    /** What the service says of itself, such as `SSH-2.0-OpenSSH_9.2`. */
    readonly greeting?: string;
  }
  | { readonly kind: "agent"; readonly at: number; readonly address: string }
  | { readonly kind: "console"; readonly at: number; readonly address: string | null }
  | {
    /** Its address is known, and nothing more. */
    readonly kind: "network";
    readonly at: number;
    readonly address: string;
    /** How: something refused a connection there, its agent or its console named it. */
    readonly by: "refused" | "agent" | "console";
  }
  | {
    /** Something answers in its place, so that it does not count as ready. */
    readonly kind: "stranger";
    readonly at: number;
    readonly address: string;
    /** What is wrong with it, as a sentence without a period. */
    readonly why: string;
  };

/** Whether a VM answers, as the list shows it. */
export interface Readiness {
  /** `waiting`: it has not answered yet; `lost`: it does not answer any longer. */
  readonly state: "ready" | "waiting" | "lost" | "unknown";
  /** IPv4; null when it is not known. */
  readonly address: string | null;
  /** What showed it: `phone-home`, `tcp:22`, `talos`, `agent`, `console`; null when nothing has yet. */
  readonly by: string | null;
  /** When it was last shown, in milliseconds since 1970 (UTC). */
  readonly at: number | null;
}
