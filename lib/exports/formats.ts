/** Nodes of a cluster in the formats of the tools that make one. Pure; whatever stands in a value stays one value. */
import type { ClusterNode, NodeNic } from "./nodes.ts";

/** A format. */
export interface ExportFormat {
  /** What it is called on a page. */
  readonly label: string;
  /** The file's name. */
  readonly file: string;
  /** For HTTP. */
  readonly contentType: string;
  /** What it is good for, in a sentence. */
  readonly help: string;
  /** The text for these nodes. */
  readonly write: (nodes: readonly ClusterNode[]) => string | Promise<string>;
}

/** Every format. */
export const EXPORT_FORMATS = {
  csv: {
    label: "CSV",
    file: "nodes.csv",
    contentType: "text/csv; charset=utf-8",
    help: "One line a NIC, for a spreadsheet.",
    write: toCsv,
  },
  json: {
    label: "JSON",
    file: "nodes.json",
    contentType: "application/json; charset=utf-8",
    help: "For scripts.",
    write: (nodes) => `${JSON.stringify({ nodes }, null, 2)}\n`,
  },
  dnsmasq: {
    label: "dnsmasq",
    file: "nodes.conf",
    contentType: "text/plain; charset=utf-8",
    help: "Reservations for dnsmasq; where no address is known, write one in.",
    write: toDnsmasq,
  },
  isc: {
    label: "ISC DHCP",
    file: "dhcpd-nodes.conf",
    contentType: "text/plain; charset=utf-8",
    help: "Reservations for dhcpd; where no address is known, write one in.",
    write: toIsc,
  },
  ansible: {
    label: "Ansible",
    file: "inventory.yaml",
    contentType: "application/yaml; charset=utf-8",
    help: "An inventory with a group for each VM type.",
    write: toAnsible,
  },
  talos: {
    label: "Talos",
    file: "talos-patches.yaml",
    contentType: "application/yaml; charset=utf-8",
    help: "A machine-config patch for each VM: host name, the interface by its MAC, and the install disk.",
    write: toTalos,
  },
} as const satisfies Record<string, ExportFormat>;

/** The name of a format. */
export type ExportName = keyof typeof EXPORT_FORMATS;

/** Whether a word is a format's name. */
export function isExportName(word: string): word is ExportName {
  return Object.hasOwn(EXPORT_FORMATS, word);
}

/** Spreadsheets take a value that begins so for a formula. */
const FORMULA = /^[=+\-@\t\r]/;

function csvValue(value: string | null): string {
  const text = value ?? "";
  const safe = FORMULA.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

function toCsv(nodes: readonly ClusterNode[]): string {
  const rows = nodes.flatMap(({ name, type, nics }) =>
    nics.map((nic, index) => [name, type, String(index), nic.attach, nic.mac, nic.ip])
  );
  return csv([["name", "type", "nic", "network", "mac", "ip"], ...rows]);
}

/** Rows as CSV (RFC 4180); no cell is a formula to a spreadsheet. */
export function csv(rows: readonly (readonly (string | null)[])[]): string {
  return rows.map((row) => `${row.map(csvValue).join(",")}\r\n`).join("");
}

/** NICs with a MAC, and the host name that each reserves: the first has the VM's own. */
function reservations({ name, nics }: ClusterNode): { readonly host: string; readonly nic: NodeNic }[] {
  const fixed = nics.filter(({ mac }) => mac !== null);
  return fixed.map((nic, index) => ({ host: hostName(index === 0 ? name : `${name}-nic${index}`), nic }));
}

/** Only these formats need it: a dashboard that exports nothing goes without. */
function loadYaml(): Promise<typeof import("../yaml.ts")> {
  return import("../yaml.ts");
}

/** Host names have no underscores. */
function hostName(name: string): string {
  return name.toLowerCase().replaceAll(/[^a-z0-9-]/g, "-");
}

function toDnsmasq(nodes: readonly ClusterNode[]): string {
  const lines = nodes.flatMap(reservations).map(({ host, nic }) =>
    `dhcp-host=${nic.mac},${nic.ip === null ? "" : `${nic.ip},`}${host}\n`
  );
  return lines.join("");
}

function toIsc(nodes: readonly ClusterNode[]): string {
  const blocks = nodes.flatMap(reservations).map(({ host, nic }) => {
    const address = nic.ip === null ? "  # fixed-address …;\n" : `  fixed-address ${nic.ip};\n`;
    return `host ${host} {\n  hardware ethernet ${nic.mac};\n${address}  option host-name "${host}";\n}\n`;
  });
  return blocks.join("\n");
}

async function toAnsible(nodes: readonly ClusterNode[]): Promise<string> {
  const { stringify } = await loadYaml();
  const groups = new Map<string, Record<string, Record<string, string>>>();
  for (const node of nodes) {
    const group = node.type ?? "ungrouped";
    const [first] = node.nics;
    const hosts = groups.get(group) ?? {};
    hosts[node.name] = {
      ...(first?.ip ? { ansible_host: first.ip } : {}),
      ...(first?.mac ? { mac: first.mac } : {}),
    };
    groups.set(group, hosts);
  }
  const children = Object.fromEntries([...groups].map(([group, hosts]) => [group, { hosts }]));
  return stringify({ all: { children } });
}

async function toTalos(nodes: readonly ClusterNode[]): Promise<string> {
  const { stringify } = await loadYaml();
  const patches = nodes.map(({ name, nics, installDisk }) => {
    const interfaces = nics.filter(({ mac }) => mac !== null).map(({ mac }, index) => ({
      deviceSelector: { hardwareAddr: mac },
      ...(index === 0 ? { dhcp: true } : {}),
    }));
    const patch = {
      machine: {
        ...(installDisk === null ? {} : { install: { disk: installDisk } }),
        network: { hostname: hostName(name), ...(interfaces.length === 0 ? {} : { interfaces }) },
      },
    };
    return `# ${hostName(name)}\n${stringify(patch)}`;
  });
  return patches.join("---\n");
}
