/** Finds pages, VMs, VM types, operations and actions by words. Pure. */
import type { Vm } from "../lib/inventory/inventory.ts";
import { compareNames, macOf } from "../lib/inventory/names.ts";
import {
  type ActionFacts,
  reasonAgainst,
  VM_ACTION_NAMES,
  VM_ACTIONS,
  type VmActionName,
} from "../lib/inventory/vm_actions.ts";
import type { OperationView } from "../lib/operations/types.ts";
import { formatCount } from "../lib/units.ts";
import { type Found, FOUND_KINDS } from "../templates/pages/search_page.tsx";
import type { IconName } from "../templates/parts/icons.tsx";
import { STATUSES } from "../templates/parts/operation/states.tsx";
import { stateWord } from "../templates/parts/list/vm_row.tsx";
import { paths } from "../templates/paths.ts";

/** What is searched, besides the pages. */
export interface Searched {
  readonly vms: readonly Vm[];
  readonly types: readonly { readonly name: string; readonly count: number }[];
  /** Newest first. */
  readonly operations: readonly OperationView[];
  /** Viewers find nothing that they may not do. */
  readonly mayChange: boolean;
  readonly facts: (vm: string) => ActionFacts;
}

/** Few enough to look through. */
const MAX_FOUND = 20;
/** So that one kind does not displace the others. */
const MAX_OF_KIND = 8;
/** Shown before anything is typed. */
const RECENT_OPERATIONS = 3;

/** The results for what was typed; for nothing, the pages and the latest operations. */
export function find(q: string, searched: Searched): readonly Found[] {
  const words = q.toLowerCase().split(/\s+/u).filter((word) => word !== "");
  const recent = searched.operations.slice(0, RECENT_OPERATIONS).map(operationFound);
  if (words.length === 0) return [...pages(searched), ...recent];
  const ranked = candidates(words, searched).map((found) => ({ found, rank: rankOf(found, words) }))
    .filter(({ rank }) => rank > 0)
    .sort((a, b) => b.rank - a.rank);
  const kinds = Object.keys(FOUND_KINDS);
  const best = kinds.flatMap((kind) =>
    ranked.filter(({ found }) => found.kind === kind).slice(0, MAX_OF_KIND)
  )
    .sort((a, b) => b.rank - a.rank).slice(0, MAX_FOUND);
  // Groups with better results come first, and each group stays together.
  const order = [...new Set(best.map(({ found }) => found.kind))];
  return order.flatMap((kind) => best.filter(({ found }) => found.kind === kind).map(({ found }) => found));
}

/** A result with what it is found by besides its words. */
type Candidate = Found & { readonly also?: string };

function candidates(words: readonly string[], searched: Searched): readonly Candidate[] {
  return [
    ...pages(searched),
    ...searched.vms.toSorted((a, b) => compareNames(a.name, b.name)).map(vmFound),
    ...actions(words, searched),
    ...searched.types.map((type) => typeFound(type, searched)),
    ...searched.operations.map(operationFound),
  ];
}

/** Every word must occur; the beginning of a name counts most, then the beginning of a word. */
function rankOf({ label, detail, also = "" }: Candidate, words: readonly string[]): number {
  const [name, more] = [label.toLowerCase(), `${detail} ${also}`.toLowerCase()];
  const ranks = words.map((word) => {
    if (name === word) return 6;
    if (name.startsWith(word)) return 4;
    if (name.includes(` ${word}`)) return 3;
    if (name.includes(word)) return 2;
    return more.includes(word) || more.includes(macOf(word)) ? 1 : 0;
  });
  return ranks.includes(0) ? 0 : ranks.reduce((sum: number, rank) => sum + rank, 0);
}

const PAGES: readonly (Omit<Found, "kind" | "href"> & {
  readonly href: () => string;
  readonly changes?: boolean;
})[] = [
  { label: "VMs", detail: "Every VM on the NAS", icon: "vm", href: () => paths.home() },
  { label: "Create VMs", detail: "From the VM types", icon: "plus", href: paths.create, changes: true },
  { label: "VM types", detail: "What Create makes", icon: "chip", href: () => paths.types(), changes: true },
  {
    label: "Create one VM",
    detail: "A form of one screen, without a VM type",
    icon: "plus",
    href: () => paths.createOne(),
    changes: true,
  },
  { label: "Destroy VMs…", detail: "Choose, then confirm", icon: "bin", href: paths.destroy, changes: true },
  { label: "Images", detail: "What VMs are made from", icon: "image", href: () => paths.images() },
  {
    label: "Add an image",
    detail: "From an address, by upload, or from the NAS",
    icon: "plus",
    href: () => paths.newImage(),
    changes: true,
  },
  {
    label: "Activity",
    detail: "Operations and their steps",
    icon: "activity",
    href: () => paths.operations(),
  },
  { label: "Orphans", detail: "What operations left behind", icon: "disk", href: () => paths.orphans() },
  { label: "Audit log", detail: "Who did what", icon: "shield", href: () => paths.audit() },
  { label: "Export VMs", detail: "CSV, DHCP, Ansible, Talos", icon: "export", href: () => paths.export() },
  { label: "Connection", detail: "The NAS and the account's roles", icon: "nas", href: paths.connection },
];

function pages({ mayChange }: Searched): readonly Found[] {
  return PAGES.filter(({ changes }) => mayChange || !changes).map(({ label, detail, icon, href }) => ({
    kind: "page",
    label,
    detail,
    icon,
    href: href(),
  }));
}

function vmFound({ id, name, state, nics, disks }: Vm): Candidate {
  const address = nics.find(({ ip }) => ip !== null)?.ip?.address;
  const detail = address === undefined ? stateWord(state) : `${stateWord(state)} · ${address}`;
  const also = [
    ...nics.flatMap(({ mac, ip }) => [mac ?? "", ip?.address ?? ""]),
    ...disks.map(({ zvol, path }) => zvol ?? path),
  ].join(" ");
  return { kind: "vm", label: name, detail, href: paths.vm(id), icon: "vm", also };
}

function typeFound({ name, count }: Searched["types"][number], { mayChange }: Searched): Found {
  const detail = count === 0 ? "None configured" : `${formatCount(count, "VM")} configured`;
  const href = mayChange ? paths.editType(name) : paths.home({ type: name });
  return { kind: "type", label: name, detail, href, icon: "chip" };
}

function operationFound({ id, title, status, by }: OperationView): Found {
  const detail = [STATUSES[status].word, by?.who ?? "", id].filter((it) => it !== "").join(" · ");
  return { kind: "operation", label: title, detail, href: paths.operation(id), icon: "activity" };
}

const ACTION_ICONS = {
  start: "start",
  stop: "power",
  restart: "restart",
  suspend: "pause",
  resume: "start",
  reset: "restart",
  poweroff: "power",
  detach: "close",
} as const satisfies Record<VmActionName, IconName>;

/** What can be done now to VMs, for words that begin with a verb: `start worker01`. */
function actions(words: readonly string[], { vms, mayChange, facts }: Searched): readonly Found[] {
  const [first = ""] = words;
  if (!mayChange || first.length < 2) return [];
  const verbs = VM_ACTION_NAMES.filter((action) => VM_ACTIONS[action].verb.toLowerCase().startsWith(first));
  const acts = verbs.flatMap((action) =>
    vms.filter((vm) => reasonAgainst(action, vm, facts(vm.name)) === null).map(({ id, name }): Found => ({
      kind: "action",
      label: `${VM_ACTIONS[action].verb} ${name}`,
      detail: "Asks first",
      href: paths.act(action, [id]),
      icon: ACTION_ICONS[action],
    }))
  );
  const others = vms.flatMap(({ id, name, displays }): Found[] => [
    {
      kind: "action",
      label: `Console of ${name}`,
      detail: displays.length === 0 ? "Serial" : "Screen",
      href: displays.length === 0 ? paths.vmSerial(id) : paths.vmConsole(id),
      icon: "console",
    },
    {
      kind: "action",
      label: `Destroy ${name}…`,
      detail: "Asks first",
      href: paths.vmDestroy(id),
      icon: "bin",
    },
  ]);
  return [...acts, ...others.filter(({ label }) => label.toLowerCase().startsWith(first))];
}
