/** The installed program: a folder that every package contains, wherever it puts it. */
import { chmod, copyFile, mkdir, readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import project from "../deno.json" with { type: "json" };
import { PROGRAM } from "../lib/command_line/program_name.ts";
import { run } from "./command.ts";
import { PERMISSIONS } from "./permissions.ts";
import type { Runtime } from "./runtime.ts";
import { noticesOf, sbomOf, type ThirdParty } from "./third_parties.ts";

const ROOT = new URL("../", import.meta.url);

/** The command that starts the program. */
export const COMMAND = PROGRAM;

/** How the runtime is told to run nothing but the bundled program, with the permissions it needs. */
export const FLAGS: readonly string[] = [
  ...PERMISSIONS,
  "--no-config",
  "--no-lock",
  "--no-remote",
  "--no-npm",
  ...project.unstable.map((feature) => `--unstable-${feature}`),
];

/** The file with the licences of third parties. */
export const NOTICES = "THIRD-PARTY-NOTICES.txt";

/** The file with the bill of materials. */
export const SBOM = "sbom.cdx.json";

/** What a folder is made of. */
export interface TreeContents {
  /** The folder of the bundled program. */
  readonly program: string;
  readonly runtime: Runtime;
  readonly thirdParties: readonly ThirdParty[];
}

/** Fills a folder with the program, its runtime, the command that starts it and the licences. */
export async function makeTree(
  folder: string,
  { program, runtime, thirdParties }: TreeContents,
): Promise<void> {
  await mkdir(folder, { recursive: true });
  await run("cp", ["-R", program, `${folder}/program`]);
  await copyFile(runtime.path, `${folder}/runtime`);
  await chmod(`${folder}/runtime`, 0o755);
  const start = await readPackagingFile("start.sh");
  await writeFile(`${folder}/${COMMAND}`, fill(start, { FLAGS: FLAGS.join(" ") }), { mode: 0o755 });
  await copyFile(fileURLToPath(new URL("LICENSE", ROOT)), `${folder}/LICENSE`);
  await writeFile(`${folder}/${NOTICES}`, noticesOf(thirdParties));
  await writeFile(`${folder}/${SBOM}`, sbomOf(thirdParties));
}

/** A file of this folder as text. */
export function readPackagingFile(path: string): Promise<string> {
  return readFile(new URL(path, import.meta.url), "utf8");
}

/** Replaces each `@NAME@` by its value. Throws when a name is missing in the text or has no value. */
export function fill(text: string, values: Readonly<Record<string, string>>): string {
  let filled = text;
  for (const [name, value] of Object.entries(values)) {
    if (!text.includes(`@${name}@`)) throw new Error(`There is no @${name}@ to replace`);
    filled = filled.replaceAll(`@${name}@`, value);
  }
  const [left] = /@[A-Z][A-Z0-9_]+@/.exec(filled) ?? [];
  if (left !== undefined) throw new Error(`${left} has no value`);
  return filled;
}
