/** The variables of seed templates. Pure. */
import type { PlannedAddress } from "../types.ts";
import type { HostNameFacts, SeedFacts } from "./seed.ts";
import type { Value, Variables } from "./template.ts";

/** What each variable is, for the documentation; NETWORK is a name under `network`. */
export const SEED_VARIABLES = {
  "vm.name": "The VM's name: worker01",
  "vm.index": "Its number within its type: 1",
  "vm.hostname": "Its host name: worker01",
  "vm.ip": "Its first static address: 10.0.0.21",
  "vm.ip.NETWORK": "Its static address in a network: 10.0.0.21",
  "vm.mac.NETWORK": "The MAC address of its card in a network: 02:00:5e:10:00:01",
  "vm.disk": "Its first disk: /dev/vda",
  "group.name": "Its VM type: worker",
  "group.count": "How many VMs of this type there are: 3",
} as const;

const NO_ADDRESS = "the VM gets its address by DHCP; give its type one under addresses";

/** The variables with the values of a VM; those of a host name do without it. */
export function variablesOf(facts: HostNameFacts | SeedFacts): Variables {
  const { name, index, type, count, ip, macs, addresses, installDisk } = facts;
  const addressOf = (address: PlannedAddress | undefined): Value =>
    address === undefined ? { none: NO_ADDRESS } : { value: address.address };
  return new Map<string, Value>([
    ["vm.name", { value: name }],
    ["vm.index", { value: index }],
    ...("hostname" in facts ? [["vm.hostname", { value: facts.hostname }] as const] : []),
    ["vm.ip", ip === null ? { none: NO_ADDRESS } : { value: ip }],
    ...Object.keys(macs).map((network) => [`vm.ip.${network}`, addressOf(addresses[network])] as const),
    ...Object.entries(macs).map(([network, value]) => [`vm.mac.${network}`, { value }] as const),
    ["vm.disk", installDisk === null ? { none: "the VM has no disk" } : { value: installDisk }],
    ["group.name", { value: type }],
    ["group.count", { value: count }],
  ]);
}

/** The names that there are for a type with these networks. */
export function variableNames(
  networks: readonly string[],
  { hostname }: { readonly hostname: boolean },
): string[] {
  return Object.keys(SEED_VARIABLES).filter((name) => hostname || name !== "vm.hostname").flatMap((name) =>
    name.endsWith(".NETWORK") ? networks.map((network) => name.replace("NETWORK", network)) : [name]
  );
}
