/** An Ansible inventory with a group per VM type. Pure. */
import { isVmName } from "../inventory/names.ts";
import { commentsOf, type Exported, type LeftOut } from "./exported.ts";
import { stringify } from "../configuration/yaml.ts";
import { addressConflicts, type ClusterNode } from "./nodes.ts";

/** Names that have a special meaning in Ansible. */
const RESERVED: readonly string[] = ["all", "ungrouped", "localhost"];

const UNGROUPED = "ungrouped";

/** Quotes every string, because Ansible reads YAML 1.1, where `52:54:00:12:34:56` and `no` are not strings. */
export function toAnsible(nodes: readonly ClusterNode[]): Exported {
  const { groups, leftOut } = groupsOf(nodes);
  const children = new Map([...groups].map(([group, hosts]) => [group, { hosts }]));
  const text = stringify({ all: { children } }, {
    defaultStringType: "QUOTE_DOUBLE",
    defaultKeyType: "QUOTE_DOUBLE",
    lineWidth: 0,
  });
  return { files: [{ name: "inventory.yaml", text: commentsOf(leftOut) + text }], leftOut };
}

/** What a host's variables are in an inventory. */
type HostVariables = Readonly<Record<string, string>>;

/** The answer of a dynamic inventory, as Ansible expects it from a program that it calls with `--list`. */
export interface DynamicInventory {
  /** By group, with the variables of all hosts, so that Ansible does not ask for each. */
  readonly list: Readonly<Record<string, unknown>>;
  /** The variables of one host; none for a host that is not there. */
  readonly host: (name: string) => HostVariables;
  readonly leftOut: readonly LeftOut[];
}

/** For Ansible's dynamic inventories. */
export function toDynamicInventory(nodes: readonly ClusterNode[]): DynamicInventory {
  const { groups, leftOut } = groupsOf(nodes);
  const hosts = new Map([...groups.values()].flatMap((group) => [...group]));
  const lists = [...groups].map(([group, hosts]) => [group, { hosts: [...hosts.keys()] }] as const);
  return {
    // Entries, because a group can have any name, also that of a property of all objects.
    list: Object.fromEntries([
      ["_meta", { hostvars: Object.fromEntries(hosts) }],
      ["all", { children: [...groups.keys()] }],
      ...lists,
    ]),
    host: (name) => hosts.get(name) ?? {},
    leftOut,
  };
}

/** The hosts by group, each with its variables, and the VMs that Ansible cannot have. */
function groupsOf(nodes: readonly ClusterNode[]) {
  const leftOut: LeftOut[] = [];
  const groups = new Map<string, Map<string, HostVariables>>();
  const taken = new Set<string>();
  const conflict = addressConflicts(nodes);
  for (const { name, type, nics: [first] } of nodes) {
    const because = conflict(first?.ip ?? null) ?? refuse(name, taken);
    if (because !== null) {
      leftOut.push({ name, because });
      continue;
    }
    taken.add(name);
    const group = groupOf(type);
    const hosts = groups.get(group) ?? new Map();
    hosts.set(name, {
      ...(first?.ip ? { ansible_host: first.ip } : {}),
      ...(first?.mac ? { mac: first.mac } : {}),
    });
    groups.set(group, hosts);
  }
  return { groups, leftOut };
}

function refuse(name: string, taken: ReadonlySet<string>): string | null {
  if (!isVmName(name)) {
    return "Ansible only accepts letters, digits and underscores; it reads other characters as patterns";
  }
  if (RESERVED.includes(name.toLowerCase())) return `${name.toLowerCase()} is reserved in Ansible`;
  return taken.has(name) ? "another VM has the same name" : null;
}

/** VMs whose type is not a valid group name are listed without a group. */
function groupOf(type: string | null): string {
  const isGroup = type !== null && /^[A-Za-z_]\w*$/.test(type) && !RESERVED.includes(type.toLowerCase());
  return isGroup ? type : UNGROUPED;
}
