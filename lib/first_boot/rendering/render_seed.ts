/** Renders the seed of a VM. Pure. */
import { ConfigurationError } from "../../errors/errors.ts";
import type { SeedSection } from "../types.ts";
import { cloudConfig, metaData, networkConfig, plainValues, vendorData } from "./cloud_init.ts";
import type { RenderedSeed, SeedFacts, SeedFileName, SeedTexts } from "./seed.ts";

/**
 * Renders the seed of a VM.
 *
 * @throws {ConfigurationError} with file, line and column of what cannot be rendered; never with its text.
 */
export function renderSeed(section: SeedSection, facts: SeedFacts, texts: SeedTexts): RenderedSeed {
  const files = new Map<SeedFileName, string>();
  const userData = section.user_data === undefined ? null : textOf(texts, section.user_data);
  const values = plainValues(section, texts.keys);
  files.set("user-data", userData ?? cloudConfig(values));
  files.set("meta-data", metaData(facts));
  files.set("vendor-data", vendorData(facts, userData === null ? {} : values));
  const network = section.network === undefined ? networkConfig(facts) : textOf(texts, section.network);
  if (network !== null) files.set("network-config", network);
  return { files };
}

/** What the host name is made from. */
export type HostNameFacts = Omit<SeedFacts, "hostname" | "instanceId" | "phoneHomeUrl">;

/**
 * The host name of a VM: from its section, or its own name with hyphens for underscores.
 *
 * @throws {ConfigurationError} when it is not a host name.
 */
export function seedHostname(_section: SeedSection, { name }: HostNameFacts): string {
  return name.toLowerCase().replaceAll("_", "-");
}

function textOf({ files }: SeedTexts, path: string): string {
  const text = files.get(path);
  if (text !== undefined) return text;
  throw new ConfigurationError(path, [{ field: "", message: "The file was not read" }]);
}
