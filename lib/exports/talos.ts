/** Machine config patches for Talos, one file per node: `talosctl apply-config --config-patch @worker01.yaml`. Pure. */
import { commentsOf, type Exported, type LeftOut } from "./exported.ts";
import { stringify } from "../configuration/yaml.ts";
import { TALOS_VERSION, type TalosVersion } from "./names.ts";
import type { PlannedAddress } from "../first_boot/types.ts";
import type { ClusterNode, InstallDisk } from "./nodes.ts";
import { type HostName, type Mac, NO_HOST_NAME } from "./values.ts";

interface TalosNode {
  readonly host: HostName;
  readonly links: readonly TalosLink[];
  readonly installDisk: InstallDisk | null;
}

/** A NIC with a fixed MAC address. */
interface TalosLink {
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

/** For Talos. */
export function toTalos(
  nodes: readonly ClusterNode[],
  { version = TALOS_VERSION }: { readonly version?: TalosVersion } = {},
): Exported {
  const leftOut: LeftOut[] = [];
  const texts = new Map<HostName, string>();
  for (const { name, host, nics, installDisk } of nodes) {
    if (host === null) leftOut.push({ name, because: NO_HOST_NAME });
    else if (texts.has(host)) leftOut.push({ name, because: `${host} is already taken by another VM` });
    else {
      const links = nics.flatMap(({ mac, planned = null }) => mac === null ? [] : [{ mac, planned }]);
      // Quoted, because YAML 1.1 readers take a bare off as a boolean.
      const documents = DOCUMENTS[version]({ host, links, installDisk }).map((document) =>
        stringify(document, { defaultStringType: "QUOTE_DOUBLE", defaultKeyType: "PLAIN", lineWidth: 0 })
      );
      const hints = installHint(version, installDisk).map((line) => `# ${line}\n`).join("");
      texts.set(host, `# ${host}, for Talos ${version}\n${hints}${documents.join("---\n")}`);
    }
  }
  const files = [...texts].map(([host, text]) => ({ name: `${host}.yaml`, text }));
  const note = leftOut.length === 0 ? [] : [{ name: "left-out.txt", text: commentsOf(leftOut) }];
  const disks = new Set(nodes.map(({ installDisk }) => installDisk));
  const notices = [...disks].flatMap((disk) => installHint(version, disk));
  return { files: [...files, ...note], leftOut, notices };
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

/**
 * From 1.14 on the install disk is in machine.install or in an UnattendedInstallConfig, and Talos refuses both together.
 * Which one the patched configuration has is unknown here.
 */
function installHint(version: TalosVersion, installDisk: InstallDisk | null): readonly string[] {
  const isInDocument = version === "1.11" || version === "1.12" || version === "1.13";
  if (isInDocument || installDisk === null) return [];
  return [
    `To install Talos ${version} to ${installDisk}, generate the configuration with: talosctl gen config --install-disk ${installDisk}`,
  ];
}
