/**
 * Talos Linux by its Image Factory: an image is named by its version and by a schematic, whose id is the SHA-256 of what it says.
 * Source: siderolabs/image-factory, pkg/schematic and README.
 */
import { sha256Hex } from "../../hashes.ts";
import type { CatalogueEntry } from "./catalogue.ts";

/** The name of an official extension. */
const EXTENSION = /^[a-z0-9]+\/[a-z0-9][a-z0-9.-]*$/;

/** The extensions in a text: names between commas, spaces or lines. */
export function extensionsIn(text: string): readonly string[] {
  return text.split(/[\s,]+/).filter((name) => name !== "");
}

/** The first that is no name of an extension; null when all are. */
export function wrongExtension(text: string): string | null {
  return extensionsIn(text).find((name) => !EXTENSION.test(name)) ?? null;
}

/** The id of the schematic with these official extensions, in the Image Factory's own way of writing it. */
export function schematicId(extensions: readonly string[]): string {
  const list = extensions.map((name) => `            - ${name}\n`).join("");
  const text = extensions.length === 0
    ? "customization: {}\n"
    : `customization:\n    systemExtensions:\n        officialExtensions:\n${list}`;
  return sha256Hex(text);
}

/** The page of the Image Factory on which this schematic is made known, which it has to be once. */
export function factoryPage(version: string, extensions: readonly string[]): string {
  const query = new URLSearchParams([
    ["arch", "amd64"],
    ...extensions.map((name): [string, string] => ["extensions", name]),
    ["version", version.replace(/^v/, "")],
  ]);
  return `https://factory.talos.dev/?${query}`;
}

/**
 * The entry. The public Image Factory publishes no digests (its issue 596: they are part of the enterprise edition), and makes
 * qcow2 on request, so that nothing has to be unpacked.
 */
export const TALOS: CatalogueEntry = {
  id: "talos",
  label: "Talos Linux",
  seed: "talos",
  fields: [
    {
      name: "release",
      label: "Version",
      value: "v1.14.2",
      help: "Such as v1.14.2.",
      pattern: /^v\d+\.\d+\.\d+$/,
    },
    {
      name: "extensions",
      label: "Extensions",
      value: "siderolabs/qemu-guest-agent",
      help: "Names of official extensions between commas, or nothing.",
    },
  ],
  derived: { schematic: ({ extensions = "" }) => schematicId(extensionsIn(extensions)) },
  name: "talos",
  url: "https://factory.talos.dev/image/{schematic}/{release}/nocloud-amd64.qcow2",
  digest: { algorithm: null, url: null },
};
