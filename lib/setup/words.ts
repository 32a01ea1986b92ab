/** What went wrong during set-up, and what to do: connections, sign-ins and missing roles. Pure. */
import { type NasAddress, portOf } from "../configuration/environment/nas_address.ts";
import type { ConnectionFailure } from "../errors/errors.ts";

/** Explains a failed connection or sign-in to somebody who is setting the program up. */
export function explainFailure(failure: ConnectionFailure, address: NasAddress, message: string): string {
  return WORDS[failure]?.(placeOf(address)) ?? `${message}.`;
}

/** Where the program has tried to connect. */
interface Place {
  readonly host: string;
  /** ` at port 443`, because people seldom type it; empty for a socket. */
  readonly atPort: string;
}

function placeOf(address: NasAddress): Place {
  const port = portOf(address);
  return { host: address.host, atPort: port === null ? "" : ` at port ${port}` };
}

const PRIVILEGES = "In TrueNAS, open Credentials, Groups, Privileges";

const WORDS: Readonly<Partial<Record<ConnectionFailure, (place: Place) => string>>> = {
  dns: ({ host }) => `${host} has no address in DNS. Check the spelling, or enter the NAS's IP address.`,
  refused: ({ host, atPort }) =>
    `Nothing answers at ${host}${
      atPort.replace(" at", ",")
    }. Check the address and port, that the NAS is running, and that no firewall is in between.`,
  timeout: ({ host, atPort }) =>
    `${host} did not answer${atPort} within 10 seconds. Check the address, that the NAS is running, and that no firewall is in between.`,
  tls: ({ host, atPort }) => `${host} answers${atPort}, but without TLS. Check the port.`,
  "not-truenas": ({ host, atPort }) =>
    `${host} answers${atPort}, but it is not TrueNAS. Enter the address and port at which you open TrueNAS in the browser.`,
  starting: ({ host, atPort }) =>
    `${host} answers${atPort}, but TrueNAS behind its web server does not yet. Wait until the NAS has started, then try again.`,
  "not-allowed": ({ host }) =>
    `${host} refuses connections from this machine. In TrueNAS, open System, Advanced Settings, Allowed IP Addresses and add it.`,
  "no-vm-api": () =>
    "TrueNAS 25.04.0 and 25.04.1 have no VM API. Update the NAS to 25.04.2 or later, then try again.",
  "tls-pin-mismatch": ({ host }) =>
    `${host} now answers with another certificate than the one you accepted. Nothing was sent. Compare the new one.`,
  login: () => "The NAS does not accept this user name and password. Check both.",
  expired: () => "This password or API key has expired or was revoked. Make a new one in TrueNAS.",
  "rate-limited": () => "The NAS refuses further sign-ins for a minute. Wait, then try again.",
  denied: () =>
    `The account may not use VMs. ${PRIVILEGES} and give one of its groups the roles VM_WRITE and VM_DEVICE_WRITE, then try again.`,
  standby: ({ host }) => `${host} is the standby controller. Enter the address of the active one.`,
  lost: ({ host }) => `The connection to ${host} was lost. Check that the NAS is running, then try again.`,
};

/** Something that accounts may do. */
export interface Ability {
  readonly roles: readonly string[];
  /** As the end of "What this account may do". */
  readonly label: string;
  /** What happens without it, as a sentence. */
  readonly without: string;
}

/** What an account needs, in order of importance. */
export const ABILITIES: readonly Ability[] = [
  { roles: ["VM_READ"], label: "See VMs", without: "No VM is shown." },
  {
    roles: ["VM_WRITE"],
    label: "Create, start and destroy VMs",
    without: "VMs cannot be created, started, stopped or destroyed.",
  },
  {
    roles: ["VM_DEVICE_READ"],
    label: "See networks",
    without: "Plans cannot check bridges, and you type their names.",
  },
  {
    roles: ["VM_DEVICE_WRITE"],
    label: "Add disks and networks",
    without: "VMs cannot be created, and their disks and networks cannot be changed.",
  },
  {
    roles: ["DATASET_READ"],
    label: "See space and disks",
    without: "Plans cannot check free space, and you type the dataset.",
  },
  {
    roles: ["DATASET_WRITE"],
    label: "Make thin disks",
    without: "Disks take all their space at once, and are not marked with their VM.",
  },
  {
    roles: ["DATASET_DELETE"],
    label: "Remove disks left behind",
    without: "Disks left by a failed creation stay until you remove them in TrueNAS.",
  },
  {
    roles: ["SNAPSHOT_READ", "SNAPSHOT_DELETE"],
    label: "Remove snapshots of disks",
    without: "VMs whose disks have snapshots cannot be destroyed.",
  },
  {
    roles: ["SNAPSHOT_WRITE"],
    label: "Take checkpoints, clone images",
    without: "Checkpoints cannot be taken, and each disk is converted from its image by itself.",
  },
  {
    roles: ["FILESYSTEM_ATTRS_READ"],
    label: "See install images",
    without: "Plans cannot check the install image, and you type its path.",
  },
  {
    roles: ["CLOUD_SYNC_WRITE"],
    label: "Fetch images",
    without: "Only a full administrator can bring images to the NAS.",
  },
  {
    roles: ["REPORTING_READ"],
    label: "See the load of the NAS",
    without: "The list shows no charts of the NAS's CPU, memory, network and disks.",
  },
];
