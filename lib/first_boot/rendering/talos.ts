/** Seeds of Talos: the files of `talosctl gen config`, with what differs from node to node. Pure. */
import { ConfigurationError } from "../../errors/errors.ts";
import { TALOS_VERSION, TALOS_VERSIONS, type TalosVersion, talosVersionOf } from "../../exports/names.ts";
import { talosDocuments } from "../../exports/talos_documents.ts";
import { parseHostName, parseMac } from "../../exports/values.ts";
import { isMap } from "../../configuration/yaml.ts";
import type { SeedSection } from "../types.ts";
import { seedError, type Source } from "./places.ts";
import type { SeedFacts } from "./seed.ts";
import { MAX_FILE_BYTES } from "./seed_texts.ts";
import {
  documentsText,
  identityOf,
  type MergedDocument,
  mergeDocuments,
  readDocuments,
  textAt,
} from "./talos_merge.ts";
import { fillIn, type Variables } from "./template.ts";

/** What is merged, in this order. */
export interface TalosFiles {
  readonly config: Source;
  readonly patches: readonly Source[];
}

/**
 * The machine configuration of a node: the person's file, then host name, links by MAC address with their addresses, and
 * install disk, then the person's patches, which win.
 *
 * @throws {ConfigurationError} with file, line and column of what is wrong.
 */
export function machineConfiguration(
  { version: wanted }: Pick<SeedSection, "version">,
  facts: SeedFacts,
  { config, patches }: TalosFiles,
  variables: Variables,
): string {
  const read = (source: Source) =>
    readDocuments({ file: source.file, text: fillIn(source, variables, "yaml") });
  const documents = read(config);
  const main = mainDocument(config, documents);
  const version = talosVersionOf(wanted ?? "") ?? versionOf(config, main);
  const own = talosDocuments(version, { host: hostOf(facts), links: linksOf(facts), installDisk: null });
  dropOlderHostName(version, main);
  setInstallDisk(main, facts);
  mergeDocuments(documents, own.flatMap((text) => readDocuments({ file: config.file, text })));
  for (const patch of patches) mergeDocuments(documents, read(patch));
  const text = documentsText(documents);
  const size = new TextEncoder().encode(text).length;
  if (size <= MAX_FILE_BYTES.talos) return text;
  const message =
    `The machine configuration has ${size} bytes with its patches; the maximum is ${MAX_FILE_BYTES.talos}`;
  throw seedError(config, [{ message }]);
}

function mainDocument(source: Source, documents: readonly MergedDocument[]): MergedDocument {
  const main = documents.find((document) => identityOf(document) === "v1alpha1");
  if (main !== undefined && textAt(main, ["machine", "type"]) !== null) return main;
  const message = main?.contents.has("contexts")
    ? "This is talosconfig, which talosctl itself uses; name the machine configuration: controlplane.yaml or worker.yaml"
    : "This is no machine configuration: it has no machine with a type. Name a file that talosctl gen config has written";
  throw seedError(source, [{ message, offset: 0 }]);
}

/** The version of the installer that the configuration names, because talosctl writes its own there. */
function versionOf(source: Source, main: MergedDocument): TalosVersion {
  const [, version = TALOS_VERSION] =
    /:v?(\d+\.\d+)(?![\d/])/.exec(textAt(main, ["machine", "install", "image"]) ?? "") ?? [];
  const known = talosVersionOf(version);
  if (known !== null) return known;
  const message = `The configuration is for Talos ${version}, and its documents are known for ${
    TALOS_VERSIONS.join(", ")
  }; choose one as version`;
  throw seedError(source, [{ message }]);
}

function hostOf({ hostname }: SeedFacts) {
  const host = parseHostName(hostname);
  if (host !== null) return host;
  throw new ConfigurationError("seed.hostname", [{ field: "", message: `${hostname} is not a host name` }]);
}

function linksOf({ macs, addresses }: SeedFacts) {
  return Object.entries(macs).flatMap(([network, text]) => {
    const mac = parseMac(text);
    return mac === null ? [] : [{ mac, planned: addresses[network] ?? null }];
  });
}

/** From 1.12 on the host name has its own document, and Talos refuses a configuration that has both. */
function dropOlderHostName(version: TalosVersion, { contents }: MergedDocument): void {
  const network = contents.getIn(["machine", "network"]);
  if (version !== "1.11" && isMap(network)) network.delete("hostname");
}

/** Talos may not have been told to install itself: an image that boots from its disk is installed already. */
function setInstallDisk({ contents, document }: MergedDocument, { installDisk }: SeedFacts): void {
  const install = contents.getIn(["machine", "install"]);
  if (installDisk === null || !isMap(install) || install.has("diskSelector")) return;
  install.set("disk", document.createNode(installDisk));
}
