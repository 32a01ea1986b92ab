/** Reads the files and keys that a section `seed` names. */
import { ConfigurationError } from "../../errors/errors.ts";
import { sha256Hex } from "../../hashes.ts";
import type { SeedKey, SeedKind, SeedSection } from "../types.ts";
import type { SeedFiles, SeedTexts } from "./seed.ts";
import { keyLines, publicKeyProblem } from "./ssh_keys.ts";

/** Before `NAME` in `github:NAME`. */
export const GITHUB = "github:";

/** The largest file of each kind of seed; guests and servers on the way refuse much larger ones. */
export const MAX_FILE_BYTES = {
  /** Other ways of cloud-init allow 16 to 64 KiB. */
  "cloud-init": 64 * 1_024,
  /** Machine configurations carry certificates and manifests. */
  talos: 512 * 1_024,
  ignition: 512 * 1_024,
} as const satisfies Record<SeedKind, number>;

/** A file of public keys, or an account's. */
export const MAX_KEYS_BYTES = 64 * 1_024;

/** The files that a section names, in a fixed order, without files of keys. */
export function seedFilesOf({ user_data, network, config, patches = [] }: SeedSection): string[] {
  const named = [user_data, network, config, ...patches].filter((path) => path !== undefined);
  return [...new Set(named)];
}

/** The files of public keys that a section names. */
export function keyFilesOf({ ssh_keys: named = [] }: SeedSection): string[] {
  return named.filter((entry) => keySourceOf(entry) === "file");
}

/** How an entry of `ssh_keys` names keys. */
export function keySourceOf(entry: string): "inline" | "file" | "github" {
  if (entry.startsWith(GITHUB)) return "github";
  // A key has a kind and a body; names of files with spaces are refused.
  return /\s/.test(entry.trim()) || entry.includes("PRIVATE KEY") ? "inline" : "file";
}

/** What was resolved before, so that what was shown is what is used. */
export interface ResolvedKeys {
  /** The keys of accounts that a plan has shown; accounts that are not among them are asked for. */
  readonly keys?: readonly SeedKey[];
}

/**
 * Reads everything that seeds are rendered from.
 *
 * @throws {ConfigurationError} naming the file or account that cannot be read, or what is wrong with it.
 */
export async function readSeedTexts(
  section: SeedSection,
  files: SeedFiles,
  { keys: resolved = [] }: ResolvedKeys = {},
): Promise<SeedTexts> {
  const texts = new Map<string, string>();
  for (const path of seedFilesOf(section)) {
    texts.set(path, await files.read(path, MAX_FILE_BYTES[section.kind]));
  }
  const keys: SeedKey[] = [];
  for (const entry of section.ssh_keys ?? []) keys.push(...await keysOf(entry, files, resolved));
  const isFirst = ({ key }: SeedKey, index: number) => keys.findIndex((other) => other.key === key) === index;
  return { files: texts, keys: keys.filter(isFirst) };
}

async function keysOf(entry: string, files: SeedFiles, resolved: readonly SeedKey[]): Promise<SeedKey[]> {
  const source = keySourceOf(entry);
  if (source === "inline") return [{ key: checkedKey(entry, "ssh_keys"), from: "inline" }];
  if (source === "file") {
    const lines = keyLines(await files.read(entry, MAX_KEYS_BYTES));
    return checkedKeys(lines, { from: entry, none: "The file has no public key; put one on each line" });
  }
  const known = resolved.filter(({ from }) => from === entry);
  if (known.length > 0) return known;
  const lines = keyLines(await files.keysOf(entry.slice(GITHUB.length)));
  return checkedKeys(lines, {
    from: entry,
    none: "The account has no public keys; add one there, or name a file",
  });
}

function checkedKeys(lines: readonly string[], { from, none }: { from: string; none: string }): SeedKey[] {
  if (lines.length === 0) throw new ConfigurationError(from, [{ field: "", message: none }]);
  return lines.map((line) => ({ key: checkedKey(line, from), from }));
}

function checkedKey(text: string, source: string): string {
  const message = publicKeyProblem(text);
  if (message !== null) throw new ConfigurationError(source, [{ field: "", message }]);
  return text.trim();
}

/** Changes with everything that the seeds of a type are made from. */
export function seedDigest(section: SeedSection, { files, keys }: SeedTexts): string {
  const sorted = Object.entries(section).toSorted(([a], [b]) => a < b ? -1 : 1);
  return sha256Hex(JSON.stringify([sorted, [...files], keys.map(({ key }) => key)]));
}
