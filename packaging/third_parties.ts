/** What packages contain of others, with its licences: as notices for people, and as a bill of materials for tools. */
import { readdir, readFile } from "node:fs/promises";
import { Buffer } from "node:buffer";
import lockText from "../deno.lock" with { type: "text" };
import project from "../deno.json" with { type: "json" };
import { PROGRAM } from "../lib/command_line/program_name.ts";
import type { NpmPackage } from "./program.ts";
import { RUNTIME_VERSION, runtimePackage } from "./runtime.ts";
import type { Architecture } from "./elf.ts";

/** Something in a package that others made. */
export interface ThirdParty {
  readonly name: string;
  readonly version: string;
  /** An SPDX expression. */
  readonly licence: string;
  /** The texts of its licence, in the order of their files' names. */
  readonly texts: readonly string[];
  /** Its address as package URL. */
  readonly purl: string;
  /** SHA-512 of the npm package, in hex; null for what npm does not publish. */
  readonly sha512: string | null;
}

/** Deno's own list of packages, with their hashes. */
const lock: { npm: Record<string, { integrity: string }> } = JSON.parse(lockText);

/** Names of files with licences. */
const LICENCE_FILE = /^(licen[cs]e|copying|notice)/i;

/** Names that packages give to licences, and their SPDX identifiers. */
const SPDX_NAMES = new Map([["BSD-0-Clause", "0BSD"]]);

/** Finds the licences of npm packages. Throws when a package has none. */
export async function readThirdParties(packages: readonly NpmPackage[]): Promise<ThirdParty[]> {
  return await Promise.all(packages.map(async ({ name, version, folder }) => {
    const { license } = JSON.parse(await readFile(`${folder}/package.json`, "utf8"));
    if (typeof license !== "string") throw new Error(`The npm package ${name} names no licence`);
    const texts = await textsIn(folder);
    if (texts.length === 0) texts.push(await ownCopy(name));
    return {
      name,
      version,
      licence: SPDX_NAMES.get(license) ?? license,
      texts,
      purl: npmUrl(name, version),
      sha512: lockedHash(name, version),
    };
  }));
}

/** The runtime as a third party. */
export async function runtimeAsThirdParty(architecture: Architecture): Promise<ThirdParty> {
  const { package: name, integrity } = runtimePackage(architecture);
  return {
    name: "deno",
    version: RUNTIME_VERSION,
    licence: "MIT",
    texts: [await ownCopy("deno")],
    purl: npmUrl(name, RUNTIME_VERSION),
    sha512: hexOf(integrity),
  };
}

/** Texts of licences in a folder and below, sorted by path. Modules of a package can come from yet others. */
async function textsIn(folder: string): Promise<string[]> {
  const paths = await readdir(folder, { recursive: true });
  const files = paths.filter((path) => LICENCE_FILE.test(path.slice(path.lastIndexOf("/") + 1))).sort();
  const texts = await Promise.all(files.map((file) => readFile(`${folder}/${file}`, "utf8")));
  return [...new Set(texts.map((text) => text.trim()))];
}

/** A text that the npm package itself lacks. */
async function ownCopy(name: string): Promise<string> {
  const text = await readFile(new URL(`licences/${name}.txt`, import.meta.url), "utf8").catch(() => null);
  if (text === null) {
    throw new Error(`The npm package ${name} has no licence text; add packaging/licences/${name}.txt`);
  }
  return text.trim();
}

function lockedHash(name: string, version: string): string {
  // A package with peer dependencies has them behind its version: `@xterm/addon-fit@0.10.0_@xterm+xterm@5.5.0`.
  const spec = `${name}@${version}`;
  const [, locked] = Object.entries(lock.npm).find(([key]) => key === spec || key.startsWith(`${spec}_`)) ??
    [];
  if (locked === undefined) throw new Error(`deno.lock has no ${spec}`);
  return hexOf(locked.integrity);
}

function hexOf(integrity: string): string {
  return Buffer.from(integrity.replace(/^sha512-/, ""), "base64").toString("hex");
}

function npmUrl(name: string, version: string): string {
  return `pkg:npm/${name.replace("@", "%40")}@${version}`;
}

/** The text that is shipped beside the program. */
export function noticesOf(parties: readonly ThirdParty[]): string {
  const rule = "=".repeat(80);
  const intro =
    `TrueNAS VM Manager ${project.version} contains the following works of others, unchanged but for being
bundled. Their sources are in the npm packages of these names and versions. noVNC (MPL-2.0) and spice-html5
(LGPL-3.0-or-later) can be replaced by other versions: change deno.json and run "deno task package" again.`;
  const parts = parties.map(({ name, version, licence, texts }) =>
    `${rule}\n${name} ${version}: ${licence}\n${rule}\n\n${texts.join(`\n\n${"-".repeat(80)}\n\n`)}\n`
  );
  return [`${intro}\n`, ...parts].join("\n");
}

/** The bill of materials, in the JSON of CycloneDX. It has no time and no serial number, to be the same in each build. */
export function sbomOf(parties: readonly ThirdParty[]): string {
  const { version, license } = project;
  const name = PROGRAM;
  const own = { type: "application", "bom-ref": name, name, version, licenses: [{ expression: license }] };
  const components = parties.map((party) => ({
    type: party.name === "deno" ? "platform" : "library",
    "bom-ref": party.purl,
    name: party.name,
    version: party.version,
    licenses: [{ expression: party.licence }],
    purl: party.purl,
    ...(party.sha512 === null ? {} : { hashes: [{ alg: "SHA-512", content: party.sha512 }] }),
  }));
  const dependencies = [
    { ref: name, dependsOn: parties.map(({ purl }) => purl) },
    ...parties.map(({ purl }) => ({ ref: purl, dependsOn: [] })),
  ];
  const bom = {
    bomFormat: "CycloneDX",
    specVersion: "1.5",
    version: 1,
    metadata: { component: own },
    components,
    dependencies,
  };
  return `${JSON.stringify(bom, null, 2)}\n`;
}
