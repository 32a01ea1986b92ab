/** The first boot of a type's VMs in a form: what is typed, what can be chosen, and what the folded part says. */
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import type { AddressSection, ReadyOtherwise, SeedKind } from "../../../lib/first_boot/types.ts";
import { formatCount } from "../../../lib/units.ts";

/** The values of a seed that are typed as text; lists have a line, or a word, for each entry. */
export const SEED_TEXTS = [
  "hostname",
  "user",
  "ssh_keys",
  "timezone",
  "packages",
  "run",
  "user_data",
  "network",
  "config",
  "patches",
  "version",
] as const;

/** The name of such a value, as in config.yaml. */
export type SeedText = typeof SEED_TEXTS[number];

/** What can be typed about the first boot, as typed. */
export interface FirstBootForm {
  /** Empty: none. */
  readonly kind: string;
  readonly seed: Readonly<Record<SeedText, string>>;
  /** {@link PORT} for a port, which is typed beside it; empty: not said. */
  readonly when: string;
  readonly port: string;
  readonly timeout: string;
  readonly otherwise: string;
  readonly quorum: boolean;
}

/** The addresses of one network, as typed. */
export interface AddressRow {
  /** A range or a list; empty: by DHCP. */
  readonly addresses: string;
  readonly gateway: string;
  readonly dns: string;
}

/** A network and its addresses, as typed. */
export interface AddressedNetwork {
  readonly name: string;
  /** Absent where the form has no fields for it. */
  readonly address?: AddressRow;
}

/** The value of `ready.when` that stands for a port. */
export const PORT = "tcp";

/** The kinds of seeds, in words. */
export const KIND_CHOICES = {
  "": "None: as the image or the installer leaves it",
  "cloud-init": "cloud-init, for cloud images",
  talos: "Talos machine configuration",
  ignition: "Ignition, for Flatcar and Fedora CoreOS",
} as const satisfies Record<SeedKind | "", string>;

/** How it can be known that a VM answers, in words. */
export const WHEN_CHOICES = {
  "": "Usual: cloud-init that was fetched from here reports it",
  "phone-home": "Its cloud-init reports that it has finished",
  [PORT]: "A port of its address answers",
  talos: "Talos answers on port 50000",
  agent: "Its guest agent answers",
  console: "Its console shows that cloud-init has finished",
  none: "Nobody waits: done once it was started",
} as const;

/** What can happen to a VM that does not answer in time, in words. */
export const OTHERWISE_CHOICES = {
  keep: "Keep it",
  "roll-back": "Remove it again",
  stop: "Remove it again, and start no more VMs",
} as const satisfies Record<ReadyOtherwise, string>;

const WHEN_WORDS: Readonly<Record<string, string>> = {
  "phone-home": "ready when cloud-init reports it",
  talos: "ready when Talos answers",
  agent: "ready when its agent answers",
  console: "ready when its console says so",
  none: "nobody waits until it is ready",
};

/** What was typed, in a few words; empty where nothing was. */
export function describeFirstBoot(
  { kind, seed, when, port, quorum }: FirstBootForm,
  networks: readonly AddressedNetwork[],
): readonly string[] {
  const keys = linesOf(seed.ssh_keys).length;
  const fixed = networks.filter(({ address }) => (address?.addresses ?? "") !== "").map(({ name }) => name);
  return [
    ...(kind === "" ? [] : [kind === "talos" ? "Talos" : kind === "ignition" ? "Ignition" : kind]),
    ...(kind === "" || kind === "talos" || seed.user === "" ? [] : [`user ${seed.user}`]),
    ...(kind === "" || kind === "talos" || keys === 0 ? [] : [formatCount(keys, "SSH key")]),
    ...(fixed.length === 0 ? [] : [`static addresses in ${fixed.join(" and ")}`]),
    ...(when === "" ? [] : [when === PORT ? `ready when port ${port} answers` : WHEN_WORDS[when] ?? when]),
    ...(quorum ? ["keeps a majority running"] : []),
  ];
}

/** The entries of a list that has one on each line. */
export function linesOf(text: string): readonly string[] {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line !== "");
}

/** What a section says of the first boot. */
export type FirstBootSections = Pick<VmTypeSection, "seed" | "addresses" | "ready" | "quorum">;

/** Lists whose entries stand on one line; the others have a line each. */
export const ON_ONE_LINE: readonly SeedText[] = ["packages"];

/** The form as a section fills it in. */
export function firstBootForm({ seed, ready, quorum = false }: FirstBootSections): FirstBootForm {
  const when = ready?.when ?? "";
  const isPort = when.startsWith(`${PORT}:`);
  return {
    kind: seed?.kind ?? "",
    seed: textsOf((key) => textOf(key, seed?.[key])),
    when: isPort ? PORT : when,
    port: isPort ? when.slice(PORT.length + 1) : "",
    timeout: ready?.timeout ?? "",
    otherwise: ready?.otherwise ?? "keep",
    quorum,
  };
}

function textOf(key: SeedText, value: string | readonly string[] | undefined): string {
  if (value === undefined) return "";
  return typeof value === "string" ? value : value.join(ON_ONE_LINE.includes(key) ? " " : "\n");
}

/** A text for each of them. */
export function textsOf<T>(of: (key: SeedText) => T): Record<SeedText, T> {
  return Object.fromEntries(SEED_TEXTS.map((key) => [key, of(key)])) as Record<SeedText, T>;
}

/** The addresses of a network, as its section fills them in. */
export function addressRow(section: AddressSection | undefined): AddressRow {
  if (section === undefined || section === "dhcp") return { addresses: "", gateway: "", dns: "" };
  const { range, list = [], gateway = "", dns = [] } = section;
  return { addresses: range ?? list.join(" "), gateway, dns: dns.join(" ") };
}

/** What a section says, in a few words. */
export function firstBootSaid(
  section: FirstBootSections & Pick<VmTypeSection, "network">,
): readonly string[] {
  const networks = Object.keys(section.network).map((name) => ({
    name,
    address: addressRow(section.addresses?.[name]),
  }));
  return describeFirstBoot(firstBootForm(section), networks);
}
