/** Nodes of a cluster in the formats of the tools that make one. Pure; each format quotes for its own reader. */
import { toAnsible } from "./ansible.ts";
import { csv } from "./csv.ts";
import type { Exported } from "./exported.ts";
import { escapeControls } from "../command_line/printable.ts";
import type { ClusterNode } from "./nodes.ts";
import { toDnsmasq, toIsc, toKea } from "./reservations.ts";
import { type TalosVersion, toTalos } from "./talos.ts";

/** What may be chosen of a format. */
export interface ExportOptions {
  /** For which version of Talos; default: the newest one that is no preview. */
  readonly version?: TalosVersion;
}

/** A format. */
export interface ExportFormat {
  /** What it is called on a page. */
  readonly label: string;
  /** What its download is called: its only file, or the archive of its files. */
  readonly file: string;
  /** For HTTP. */
  readonly contentType: string;
  /** What it is good for, in a sentence. */
  readonly help: string;
  /** Whether it has a file for each node, which an archive holds together. */
  readonly archive: boolean;
  /** The files for these nodes. */
  readonly write: (nodes: readonly ClusterNode[], options?: ExportOptions) => Exported;
}

/** Every format. */
export const EXPORT_FORMATS = {
  csv: {
    label: "CSV",
    file: "nodes.csv",
    contentType: "text/csv; charset=utf-8",
    help: "One line for each network card, for a spreadsheet.",
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
    help: "Reservations for dnsmasq. Add an address where none is known.",
    archive: false,
    write: toDnsmasq,
  },
  isc: {
    label: "ISC DHCP",
    file: "dhcpd-nodes.conf",
    contentType: "text/plain; charset=utf-8",
    help: "Reservations for dhcpd. Add an address where none is known.",
    archive: false,
    write: toIsc,
  },
  kea: {
    label: "Kea",
    file: "kea-dhcp4.json",
    contentType: "application/json; charset=utf-8",
    help:
      "Reservations for Kea's DHCPv4 server, to merge into its Dhcp4 section. Add an address where none is known.",
    archive: false,
    write: toKea,
  },
  ansible: {
    label: "Ansible",
    file: "inventory.yaml",
    contentType: "application/yaml; charset=utf-8",
    help: "An inventory with a group for each VM type.",
    archive: false,
    write: toAnsible,
  },
  talos: {
    label: "Talos",
    file: "talos-patches.tar",
    contentType: "application/x-tar",
    help:
      "A machine-config patch for each VM, in a file of its own: host name, interfaces by MAC, install disk.",
    archive: true,
    write: toTalos,
  },
} as const satisfies Record<string, ExportFormat>;

/** The name of a format. */
export type ExportName = keyof typeof EXPORT_FORMATS;

/** Every name, in the order in which formats are shown. */
export const EXPORT_NAMES = Object.keys(EXPORT_FORMATS) as readonly ExportName[];

/** Whether a word is a format's name. */
export function isExportName(word: string): word is ExportName {
  return Object.hasOwn(EXPORT_FORMATS, word);
}

function toCsv(nodes: readonly ClusterNode[]): Exported {
  const rows = nodes.flatMap(({ name, type, nics }) =>
    nics.map((
      nic,
      index,
    ) => [
      escapeControls(name),
      type === null ? null : escapeControls(type),
      String(index),
      nic.attach,
      nic.mac,
      nic.ip,
    ])
  );
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
