/** What exports can be called by name: the formats, and the versions of Talos. The formats themselves are in formats.ts. */

/** Every format, in display order. */
export const EXPORT_NAMES = ["csv", "json", "dnsmasq", "isc", "kea", "ansible", "talos"] as const;

/** The name of a format. */
export type ExportName = typeof EXPORT_NAMES[number];

/** Whether a word is a format's name. */
export function isExportName(word: string): word is ExportName {
  return EXPORT_NAMES.some((name) => name === word);
}

/** Supported versions of Talos, oldest first. */
export const TALOS_VERSIONS = ["1.11", "1.12", "1.13", "1.14", "1.15"] as const;

/** A version of Talos. */
export type TalosVersion = typeof TALOS_VERSIONS[number];

/** The newest stable version. */
export const TALOS_VERSION: TalosVersion = "1.14";

/** The supported version that a text names: `1.13`, `v1.13` or a patch release of it such as `v1.13.4`; null for others. */
export function talosVersionOf(text: string): TalosVersion | null {
  const [, version] = /^v?(\d+\.\d+)(\.\d+(-[\w.+-]+)?)?$/.exec(text) ?? [];
  return TALOS_VERSIONS.find((known) => known === version) ?? null;
}
