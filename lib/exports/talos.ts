/** Machine config patches for Talos, one file per node: `talosctl apply-config --config-patch @worker01.yaml`. Pure. */
import { commentsOf, type Exported, type LeftOut } from "./exported.ts";
import { stringify } from "../configuration/yaml.ts";
import { TALOS_VERSION, type TalosVersion } from "./names.ts";
import type { ClusterNode, InstallDisk } from "./nodes.ts";
import { type HostName, type Mac, NO_HOST_NAME } from "./values.ts";

interface TalosNode {
  readonly host: HostName;
  readonly macs: readonly Mac[];
  readonly installDisk: InstallDisk | null;
}

/** The documents of a node: host name, interfaces by MAC address (DHCP on the first), and install disk. */
type Documents = (node: TalosNode) => readonly object[];

const DOCUMENTS = {
  "1.11": oneDocument,
  "1.12": (node) => [...networkDocuments(node), ...installDocument(node)],
  "1.13": (node) => [...networkDocuments(node), ...installDocument(node)],
  "1.14": networkDocuments,
  "1.15": networkDocuments,
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
      const macs = nics.flatMap(({ mac }) => mac === null ? [] : [mac]);
      // Quoted, because YAML 1.1 readers take a bare off as a boolean.
      const documents = DOCUMENTS[version]({ host, macs, installDisk }).map((document) =>
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
function oneDocument({ host, macs, installDisk }: TalosNode): readonly object[] {
  const interfaces = macs.map((mac, index) => ({
    deviceSelector: { hardwareAddr: mac },
    dhcp: index === 0,
  }));
  const network = { hostname: host, ...(interfaces.length === 0 ? {} : { interfaces }) };
  const install = installDisk === null ? {} : { install: { disk: installDisk } };
  return [{ version: "v1alpha1", machine: { network, ...install } }];
}

/** From 1.12 on each setting has its own document; links are identified by MAC address. */
function networkDocuments({ host, macs }: TalosNode): readonly object[] {
  const apiVersion = "v1alpha1";
  return [
    // talosctl generates `auto: stable`, which excludes a host name.
    { apiVersion, kind: "HostnameConfig", auto: "off", hostname: host },
    ...macs.flatMap((mac, index) => {
      const name = `net${index}`;
      const selector = { match: `mac(link.permanent_addr) == "${mac}"` };
      return [
        { apiVersion, kind: "LinkAliasConfig", name, selector },
        index === 0
          ? { apiVersion, kind: "DHCPv4Config", name }
          : { apiVersion, kind: "LinkConfig", name, up: true },
      ];
    }),
  ];
}

function installDocument({ installDisk }: TalosNode): readonly object[] {
  return installDisk === null ? [] : [{ version: "v1alpha1", machine: { install: { disk: installDisk } } }];
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
