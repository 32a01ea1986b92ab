/** The export formats. Pure; each format quotes values for its own reader. */
import { toAnsible } from "./ansible.ts";
import { csv } from "./csv.ts";
import type { Exported } from "./exported.ts";
import { escapeControls } from "../command_line/terminal/printable.ts";
import type { ExportName, TalosVersion } from "./names.ts";
import type { ClusterNode } from "./nodes.ts";
import { toDnsmasq, toIsc, toKea } from "./reservations.ts";
import { toTalos } from "./talos.ts";

/** Options of an export. */
export interface ExportOptions {
  /** Talos version; default: the newest stable one. */
  readonly version?: TalosVersion;
}

/** A format. */
export interface ExportFormat {
  /** Its label on pages. */
  readonly label: string;
  /** Name of its download: the only file, or an archive. */
  readonly file: string;
  /** The HTTP content type. */
  readonly contentType: string;
  /** Its purpose, as a sentence. */
  readonly help: string;
  /** Whether it writes one file per node, downloaded as an archive. */
  readonly archive: boolean;
  /** Creates the files for these nodes. */
  readonly write: (nodes: readonly ClusterNode[], options?: ExportOptions) => Exported;
}

/** Every format. */
export const EXPORT_FORMATS = {
  csv: {
    label: "CSV",
    file: "nodes.csv",
    contentType: "text/csv; charset=utf-8",
    help: "For spreadsheets. One row per NIC.",
    archive: false,
    write: toCsv,
  },
  json: {
    label: "JSON",
    file: "nodes.json",
    contentType: "application/json; charset=utf-8",
    help: "For scripts.",
    archive: false,
    write: toJson,
  },
  dnsmasq: {
    label: "dnsmasq",
    file: "nodes.conf",
    contentType: "text/plain; charset=utf-8",
    help: "Reservations for dnsmasq. Add an address where it is missing.",
    archive: false,
    write: toDnsmasq,
  },
  isc: {
    label: "ISC DHCP",
    file: "dhcpd-nodes.conf",
    contentType: "text/plain; charset=utf-8",
    help: "Reservations for dhcpd. Add an address where it is missing.",
    archive: false,
    write: toIsc,
  },
  kea: {
    label: "Kea",
    file: "kea-dhcp4.json",
    contentType: "application/json; charset=utf-8",
    help:
      "Reservations for Kea's DHCPv4 server. Merge them into its Dhcp4 section, and add an address where it is missing.",
    archive: false,
    write: toKea,
  },
  ansible: {
    label: "Ansible",
    file: "inventory.yaml",
    contentType: "application/yaml; charset=utf-8",
    help: "An inventory with one group per VM type.",
    archive: false,
    write: toAnsible,
  },
  talos: {
    label: "Talos",
    file: "talos-patches.tar",
    contentType: "application/x-tar",
    help:
      "One machine config patch per VM, each in its own file: host name, interfaces by MAC address, install disk.",
    archive: true,
    write: toTalos,
  },
} as const satisfies Record<ExportName, ExportFormat>;

function toCsv(nodes: readonly ClusterNode[]): Exported {
  const rows = nodes.flatMap(({ name, type, nics }) => {
    const vm = [escapeControls(name), type === null ? null : escapeControls(type)];
    return nics.map(({ attach, mac, ip }, index) => [...vm, String(index), attach, mac, ip]);
  });
  const text = csv([["name", "type", "nic", "network", "mac", "ip"], ...rows]);
  return { files: [{ name: "nodes.csv", text }], leftOut: [] };
}

function toJson(nodes: readonly ClusterNode[]): Exported {
  const shown = nodes.map(({ host: _host, ...node }) => node);
  return {
    files: [{ name: "nodes.json", text: `${JSON.stringify({ nodes: shown }, null, 2)}\n` }],
    leftOut: [],
  };
}
