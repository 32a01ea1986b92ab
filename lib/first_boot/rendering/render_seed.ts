/** Renders the seed of a VM. Pure. */
import { ConfigurationError } from "../../errors/errors.ts";
import type { SeedKind, SeedSection } from "../types.ts";
import { cloudConfig, metaData, networkConfig, plainValues, vendorData } from "./cloud_init.ts";
import { ignitionFile } from "./ignition.ts";
import type { Source } from "./places.ts";
import type { HostNameFacts, RenderedSeed, SeedFacts, SeedFileName, SeedTexts } from "./seed.ts";
import { machineConfiguration } from "./talos.ts";
import { fillIn, type Variables } from "./template.ts";
import { networkData, userData } from "./user_data.ts";
import { variablesOf } from "./variables.ts";

/**
 * Renders the seed of a VM.
 *
 * @throws {ConfigurationError} with file, line and column of what cannot be rendered; never with its text.
 */
export function renderSeed(section: SeedSection, facts: SeedFacts, texts: SeedTexts): RenderedSeed {
  const variables = variablesOf(facts);
  const rendered = RENDERED[section.kind](section, facts, texts, variables);
  return { files: new Map([...rendered, ["meta-data", metaData(facts)]]) };
}

type Render = (
  section: SeedSection,
  facts: SeedFacts,
  texts: SeedTexts,
  variables: Variables,
) => readonly (readonly [SeedFileName, string])[];

const RENDERED = { "cloud-init": cloudInit, talos, ignition } as const satisfies Record<SeedKind, Render>;

function talos(
  section: SeedSection,
  facts: SeedFacts,
  texts: SeedTexts,
  variables: Variables,
): [SeedFileName, string][] {
  const config = sourceOf(texts, configOf(section));
  const patches = (section.patches ?? []).map((path) => sourceOf(texts, path));
  return [["user-data", machineConfiguration(section, facts, { config, patches }, variables)]];
}

function ignition(
  section: SeedSection,
  facts: SeedFacts,
  texts: SeedTexts,
  variables: Variables,
): [SeedFileName, string][] {
  const source = sourceOf(texts, configOf(section));
  return [["user-data", ignitionFile(section, facts, { source, keys: texts.keys }, variables)]];
}

function configOf({ kind, config }: SeedSection): string {
  if (config !== undefined) return config;
  throw new ConfigurationError("seed.config", [{
    field: "",
    message: `A seed of kind ${kind} needs a file`,
  }]);
}

function cloudInit(
  section: SeedSection,
  facts: SeedFacts,
  texts: SeedTexts,
  variables: Variables,
): [SeedFileName, string][] {
  const run = section.run?.map((command) => filled("run", command, variables));
  const values = plainValues({ ...section, run }, texts.keys);
  const own = section.user_data === undefined
    ? null
    : userData(sourceOf(texts, section.user_data), variables, Object.keys(values));
  const network = section.network === undefined
    ? networkConfig(facts)
    : networkData(sourceOf(texts, section.network), variables);
  return [
    ["user-data", own ?? cloudConfig(values)],
    ["vendor-data", vendorData(facts, own === null ? {} : values)],
    ...(network === null ? [] : [["network-config", network] satisfies [SeedFileName, string]]),
  ];
}

/** The longest host name that every system takes. */
const HOST_NAME = /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/i;

/**
 * The host name of a VM: from its section, or its own name; with hyphens for underscores, which host names cannot have.
 *
 * @throws {ConfigurationError} when it is not a host name.
 */
export function seedHostname({ hostname = "{{ vm.name }}" }: SeedSection, facts: HostNameFacts): string {
  const name = filled("hostname", hostname, variablesOf(facts)).toLowerCase().replaceAll("_", "-");
  if (HOST_NAME.test(name)) return name;
  const message = `${JSON.stringify(name)} is not a host name: it has at most 63 letters, digits and hyphens`;
  throw new ConfigurationError("seed.hostname", [{ field: "", message }]);
}

function filled(key: string, text: string, variables: Variables): string {
  return fillIn({ file: `seed.${key}`, text }, variables, "text");
}

function sourceOf({ files }: SeedTexts, file: string): Source {
  const text = files.get(file);
  if (text !== undefined) return { file, text };
  throw new ConfigurationError(file, [{ field: "", message: "The file was not read" }]);
}
