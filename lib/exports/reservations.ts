/** DHCP reservations for several servers. Pure. */
import { commentsOf, type Exported, type LeftOut, sentenceOf } from "./exported.ts";
import { addressConflicts, type ClusterNode } from "./nodes.ts";
import type { Ipv4 } from "../configuration/environment/ip_addresses.ts";
import { type HostName, type Mac, NO_HOST_NAME, parseHostName } from "./values.ts";

/** A reserved name and address of a NIC. */
interface Reservation {
  readonly host: HostName;
  readonly mac: Mac;
  readonly ip: Ipv4 | null;
}

/** Reservations that every DHCP server accepts: host names, MAC addresses and IP addresses are unique. */
interface Reservations {
  readonly reservations: readonly Reservation[];
  readonly leftOut: readonly LeftOut[];
}

/** Reserves every NIC with a MAC address; the first gets the VM's own name. `refuse` returns why a server rejects a host name. */
function reserve(
  nodes: readonly ClusterNode[],
  refuse: (host: HostName) => string | null = () => null,
): Reservations {
  const reservations: Reservation[] = [];
  const leftOut: LeftOut[] = [];
  const taken = new Set<string>();
  const conflict = addressConflicts(nodes);
  for (const { name, host, nics } of nodes) {
    const fixed = nics.flatMap(({ mac, ip }) => mac === null ? [] : [{ mac, ip }]);
    if (fixed.length === 0) leftOut.push({ name, because: "it has no NIC with a fixed MAC address" });
    fixed.forEach(({ mac, ip }, index) => {
      const own = host === null || index === 0 ? host : parseHostName(`${host}-nic${index}`);
      if (own === null) return leftOut.push({ name, because: NO_HOST_NAME });
      const because = refuse(own) ?? clash(taken, own, mac) ?? conflict(ip);
      if (because !== null) return leftOut.push({ name, because });
      taken.add(own).add(mac);
      return reservations.push({ host: own, mac, ip });
    });
  }
  return { reservations, leftOut };
}

function clash(taken: ReadonlySet<string>, ...values: readonly string[]): string | null {
  const value = values.find((it) => taken.has(it));
  return value === undefined ? null : `${value} is already taken by another VM`;
}

/** Words that dnsmasq's dhcp-host reads as a lease time or keyword instead of a host name. */
const DNSMASQ_WORDS = /^(?:infinite|ignore|\d+[smhdw]?)$/;

/** For dnsmasq. */
export function toDnsmasq(nodes: readonly ClusterNode[]): Exported {
  const { reservations, leftOut } = reserve(
    nodes,
    (host) => DNSMASQ_WORDS.test(host) ? `dnsmasq does not accept ${host} as a host name` : null,
  );
  const lines = reservations.map(({ host, mac, ip }) =>
    `dhcp-host=${mac},${ip === null ? "" : `${ip},`}${host}\n`
  );
  return { files: [{ name: "nodes.conf", text: commentsOf(leftOut) + lines.join("") }], leftOut };
}

/** For ISC's dhcpd. */
export function toIsc(nodes: readonly ClusterNode[]): Exported {
  const { reservations, leftOut } = reserve(nodes);
  const blocks = reservations.map(({ host, mac, ip }) => {
    const address = ip === null ? "  # fixed-address ...;\n" : `  fixed-address ${ip};\n`;
    return `host ${host} {\n  hardware ethernet ${mac};\n${address}  option host-name "${host}";\n}\n`;
  });
  const text = [commentsOf(leftOut), ...blocks].filter((it) => it !== "").join("\n");
  return { files: [{ name: "dhcpd-nodes.conf", text }], leftOut };
}

/** For Kea. JSON has no comments, so notices go into the user context, which Kea stores but does not interpret. */
export function toKea(nodes: readonly ClusterNode[]): Exported {
  const { reservations, leftOut } = reserve(nodes);
  const Dhcp4 = {
    ...(leftOut.length === 0 ? {} : { "user-context": { "left-out": leftOut.map(sentenceOf) } }),
    "reservations-global": true,
    "reservations-in-subnet": true,
    "host-reservation-identifiers": ["hw-address"],
    reservations: reservations.map(({ host, mac, ip }) => ({
      hostname: host,
      "hw-address": mac,
      ...(ip === null ? {} : { "ip-address": ip }),
    })),
  };
  return { files: [{ name: "kea-dhcp4.json", text: `${JSON.stringify({ Dhcp4 }, null, 2)}\n` }], leftOut };
}
