/** `deno task compile` builds one binary per platform of a NAS host; the same sources always give the same bytes. */
import { createHash } from "node:crypto";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { PROGRAM } from "../../../lib/command_line/program_name.ts";
import { PERMISSIONS } from "../../../packaging/permissions.ts";
import { type Architecture, ARCHITECTURES, expectArchitecture } from "../../../packaging/elf.ts";
import { fixTimes } from "./payload.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));

/** The platforms, by what `uname -m` calls them. */
const TARGETS = { x86_64: "x86_64-unknown-linux-gnu", aarch64: "aarch64-unknown-linux-gnu" } as const;

/** The moment that all files in a binary bear. */
const EPOCH_MS = Date.UTC(2020, 0, 1);

const FLAGS = [...PERMISSIONS, "--exclude-unused-npm"];

/** Builds one binary; Deno's output is written to standard error. */
export async function compile(
  output: string,
  { target, env = {} }: { readonly target?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<Uint8Array<ArrayBuffer>> {
  const to = target === undefined ? [] : ["--target", target];
  const args = ["compile", ...FLAGS, ...to, "--app-name", PROGRAM, "--output", output, "main.ts"];
  const command = new Deno.Command(Deno.execPath(), {
    args,
    cwd: ROOT,
    env,
    stdout: "inherit",
    stderr: "inherit",
  });
  const { success } = await command.output();
  if (!success) throw new Error(`deno compile made no ${output}`);
  const binary = await Deno.readFile(output);
  try {
    // DENORT_BIN and a zip in the cache are used as they are, whatever machine they are for.
    expectArchitecture(binary, architectureIn(target), "The runtime for binaries");
  } catch (error) {
    await Deno.remove(output);
    throw error;
  }
  fixTimes(binary, EPOCH_MS);
  await Deno.writeFile(output, binary);
  return binary;
}

/** The architecture of a platform as Deno names it; this machine's by default. */
function architectureIn(target: string = Deno.build.target): Architecture {
  const found = ARCHITECTURES.find((name) => target.startsWith(`${name}-`));
  if (found === undefined) throw new Error(`There is no architecture for ${target}`);
  return found;
}

if (import.meta.main) {
  const wanted = Deno.args.length === 0 ? Object.keys(TARGETS) : Deno.args;
  try {
    for (const name of wanted) {
      const target = Object.entries(TARGETS).find(([known]) => known === name)?.[1];
      if (target === undefined) {
        throw new Error(`There is no platform ${name}; there are ${Object.keys(TARGETS).join(", ")}`);
      }
      const output = `dist/${PROGRAM}-${name}`;
      const binary = await compile(`${ROOT}${output}`, { target });
      const hash = createHash("sha256").update(binary).digest("hex");
      process.stdout.write(`${hash}  ${output}\n`);
    }
  } catch (error) {
    process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
    process.stderr.write(
      "Deno fetches the runtime of a binary from its own site; where that is out of reach, put its zip at\n" +
        "$DENO_DIR/dl/release/vVERSION/denort-TARGET.zip, or set DENORT_BIN to it.\n",
    );
    Deno.exit(1);
  }
}
