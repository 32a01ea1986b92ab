/** The first boot of a VM type's VMs between a form and a section of config.yaml. */
import { keysOfSeed } from "../../lib/first_boot/sections.ts";
import type { AddressSection } from "../../lib/first_boot/types.ts";
import {
  type AddressRow,
  type FirstBootForm,
  linesOf,
  ON_ONE_LINE,
  PORT,
  SEED_TEXTS,
  type SeedText,
  textsOf,
} from "../../templates/parts/type_form/first_boot.ts";
import type { CreateFormType } from "../../templates/parts/type_form/form.ts";

const LISTS: readonly SeedText[] = ["ssh_keys", "packages", "run", "patches"];

/** What was typed; null when the form has no fields for it. */
export function typedFirstBoot(fields: URLSearchParams, prefix: string): FirstBootForm | null {
  if (!fields.has(`${prefix}seed.kind`)) return null;
  const typed = (name: string) => (fields.get(prefix + name) ?? "").replaceAll("\r\n", "\n").trim();
  return {
    kind: typed("seed.kind"),
    seed: textsOf((key) => typed(`seed.${key}`)),
    when: typed("ready.when"),
    port: typed("ready.port"),
    timeout: typed("ready.timeout"),
    otherwise: typed("ready.otherwise") || "keep",
    quorum: fields.getAll(`${prefix}quorum`).includes("yes"),
  };
}

/** What a section is to say; empty when the form has no fields for it. */
export function firstBootValues({ firstBoot, networks }: CreateFormType) {
  if (firstBoot === null) return {};
  const addresses = networks.flatMap(({ name, address }): [string, AddressSection][] => {
    const section = address === undefined ? null : addressSectionOf(address);
    return section === null || name === "" ? [] : [[name, section]];
  });
  return {
    seed: seedOf(firstBoot),
    addresses: addresses.length === 0 ? undefined : Object.fromEntries(addresses),
    ready: readyOf(firstBoot),
    quorum: firstBoot.quorum ? true : undefined,
  };
}

type Plain = Readonly<Record<string, string | readonly string[]>>;

/** Values of another kind, whose fields are not shown, are left out. */
function seedOf({ kind, seed }: FirstBootForm): Plain | undefined {
  if (kind === "") return undefined;
  const keys = keysOfSeed(kind);
  const values = SEED_TEXTS.filter((key) => keys.includes(key) && seed[key] !== "").map((key) => [
    key,
    !LISTS.includes(key) ? seed[key] : ON_ONE_LINE.includes(key) ? wordsOf(seed[key]) : linesOf(seed[key]),
  ]);
  return { kind, ...Object.fromEntries(values) };
}

function addressSectionOf({ addresses, gateway, dns }: AddressRow): Exclude<AddressSection, "dhcp"> | null {
  if (addresses === "" && gateway === "" && dns === "") return null;
  const words = wordsOf(addresses);
  const isRange = words.length === 1 && /-|^[^/]*$/.test(words[0] ?? "");
  return {
    ...(words.length === 0 ? {} : isRange ? { range: addresses } : { list: words }),
    ...(gateway === "" ? {} : { gateway }),
    ...(dns === "" ? {} : { dns: wordsOf(dns) }),
  };
}

function readyOf({ when, port, timeout, otherwise }: FirstBootForm): Plain | undefined {
  const isUsual = when === "" && timeout === "" && otherwise === "keep";
  if (isUsual) return undefined;
  if (when === "none") return { when };
  return {
    ...(when === "" ? {} : { when: when === PORT ? `${PORT}:${port}` : when }),
    ...(timeout === "" ? {} : { timeout }),
    ...(otherwise === "keep" ? {} : { otherwise }),
  };
}

function wordsOf(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((word) => word !== "");
}

/** The fields, to be sent again with a confirmation. */
export function firstBootFields({ firstBoot, networks }: CreateFormType): [name: string, value: string][] {
  if (firstBoot === null) return [];
  return [
    ["seed.kind", firstBoot.kind],
    ...SEED_TEXTS.map((key): [string, string] => [`seed.${key}`, firstBoot.seed[key]]),
    ["ready.when", firstBoot.when],
    ["ready.port", firstBoot.port],
    ["ready.timeout", firstBoot.timeout],
    ["ready.otherwise", firstBoot.otherwise],
    ["quorum", firstBoot.quorum ? "yes" : "no"],
    ...networks.flatMap(({ address }, n) =>
      Object.entries(address ?? {}).map(([key, value]): [string, string] => [`network.${n}.${key}`, value])
    ),
  ];
}

/** The field of a form that a path of a type's section belongs to: `seed.ssh_keys.0` to `seed.ssh_keys`; null for others. */
export function firstBootField(path: string, type: CreateFormType): string | null {
  if (type.firstBoot === null) return null;
  const [section, key = "", part = ""] = path.split(".");
  if (section === "quorum") return "quorum";
  if (section === "seed") return SEED_TEXTS.some((it) => it === key) ? `seed.${key}` : "seed.kind";
  if (section === "ready") {
    if (key === "timeout" || key === "otherwise") return `ready.${key}`;
    return type.firstBoot.when === PORT ? "ready.port" : "ready.when";
  }
  if (section !== "addresses") return null;
  const n = type.networks.findIndex(({ name, address }) => name === key && address !== undefined);
  if (n < 0) return null;
  return `network.${n}.${part === "gateway" || part === "dns" ? part : "addresses"}`;
}
