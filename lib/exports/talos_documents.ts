/** The documents of a Talos machine configuration that differ from node to node, by version. Pure. */
import { stringify } from "../configuration/yaml.ts";
import type { PlannedAddress } from "../first_boot/types.ts";
import type { TalosVersion } from "./names.ts";
import type { InstallDisk } from "./nodes.ts";
import type { HostName, Mac } from "./values.ts";

/** A node, as its machine configuration describes it. */
export interface TalosNode {
  readonly host: HostName;
  readonly links: readonly TalosLink[];
  /** null to leave out where it is installed to. */
  readonly installDisk: InstallDisk | null;
}

/** A NIC with a fixed MAC address. */
export interface TalosLink {
  readonly mac: Mac;
  /** Its static address; null with DHCP. */
  readonly planned: PlannedAddress | null;
}

/**
 * The documents of a node: host name, interfaces by MAC address (with their static addresses, and otherwise DHCP on the
 * first), and install disk.
 */
type Documents = (node: TalosNode) => readonly object[];

const DOCUMENTS = {
  "1.11": oneDocument,
  "1.12": (node) => [...networkDocuments(node), ...machineDocument(node, nameserversOf(node))],
  "1.13": (node) => [...networkDocuments(node), ...resolverDocument(node), ...machineDocument(node)],
  "1.14": (node) => [...networkDocuments(node), ...resolverDocument(node)],
  "1.15": (node) => [...networkDocuments(node), ...resolverDocument(node)],
} as const satisfies Record<TalosVersion, Documents>;

/** The documents of a node, each a text of YAML. */
export function talosDocuments(version: TalosVersion, node: TalosNode): readonly string[] {
  // Quoted, because YAML 1.1 readers take a bare off as a boolean.
  return DOCUMENTS[version](node).map((document) =>
    stringify(document, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 })
  );
}

/** Up to 1.11 a single document contains everything. */
function oneDocument(node: TalosNode): readonly object[] {
  const { host, links, installDisk } = node;
  const nameservers = nameserversOf(node);
  const interfaces = links.map(({ mac, planned }, index) => ({
    deviceSelector: { hardwareAddr: mac },
    dhcp: planned === null && index === 0,
    ...(planned === null ? {} : { addresses: [cidrOf(planned)] }),
    ...(planned === null || planned.gateway === null
      ? {}
      : { routes: [{ network: "0.0.0.0/0", gateway: planned.gateway }] }),
  }));
  const network = {
    hostname: host,
    ...(interfaces.length === 0 ? {} : { interfaces }),
    ...(nameservers.length === 0 ? {} : { nameservers }),
  };
  const install = installDisk === null ? {} : { install: { disk: installDisk } };
  return [{ version: "v1alpha1", machine: { network, ...install } }];
}

/** From 1.12 on each setting has its own document; links are identified by MAC address. */
function networkDocuments({ host, links }: TalosNode): readonly object[] {
  return [
    // talosctl generates `auto: stable`, which excludes a host name.
    { apiVersion, kind: "HostnameConfig", auto: "off", hostname: host },
    ...links.flatMap(({ mac, planned }, index) => {
      const name = `net${index}`;
      const selector = { match: `mac(link.permanent_addr) == "${mac}"` };
      return [
        { apiVersion, kind: "LinkAliasConfig", name, selector },
        planned === null && index === 0 ? { apiVersion, kind: "DHCPv4Config", name } : {
          apiVersion,
          kind: "LinkConfig",
          name,
          up: true,
          ...(planned === null ? {} : addressed(planned)),
        },
      ];
    }),
  ];
}

const apiVersion = "v1alpha1";

/** A route without a destination is the default route. */
function addressed(planned: PlannedAddress): object {
  const { gateway } = planned;
  return {
    addresses: [{ address: cidrOf(planned) }],
    ...(gateway === null ? {} : { routes: [{ gateway }] }),
  };
}

/** From 1.13 on the DNS servers have their own document. */
function resolverDocument(node: TalosNode): readonly object[] {
  const nameservers = nameserversOf(node).map((address) => ({ address }));
  return nameservers.length === 0 ? [] : [{ apiVersion, kind: "ResolverConfig", nameservers }];
}

function nameserversOf({ links }: TalosNode): readonly string[] {
  return [...new Set(links.flatMap(({ planned }) => planned?.dns ?? []))];
}

function cidrOf({ address, prefix }: PlannedAddress): string {
  return `${address}/${prefix}`;
}

/** What has no document of its own. */
function machineDocument({ installDisk }: TalosNode, nameservers: readonly string[] = []): readonly object[] {
  const machine = {
    ...(nameservers.length === 0 ? {} : { network: { nameservers } }),
    ...(installDisk === null ? {} : { install: { disk: installDisk } }),
  };
  return Object.keys(machine).length === 0 ? [] : [{ version: "v1alpha1", machine }];
}
