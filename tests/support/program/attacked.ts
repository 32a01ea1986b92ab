/** The program with a test's own code injected, which runs in the worker with the worker's permissions. */
import project from "../../../deno.json" with { type: "json" };
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { type Program, type ProgramOptions, startProgram } from "./program.ts";

/** What `deno task start` gives the program, but for the lock, whose path is from the project's folder. */
export const START_FLAGS: readonly string[] = project.tasks.start.command.split(" ").filter((word) =>
  word.startsWith("--") && !word.startsWith("--lock=")
);

/** Starts it with one of the worker's own modules replaced by one that runs the code first. */
export async function startAttacked(
  simulator: Simulator,
  folder: string,
  { code, ...options }: ProgramOptions & { readonly code: string },
): Promise<Program> {
  const replaced = new URL("../../../routes/server/assets/assets.ts", import.meta.url).href;
  const attack = `${folder}/attack.ts`;
  await Deno.writeTextFile(attack, `${code}\nexport * from ${JSON.stringify(`${replaced}?own`)};\n`);
  const config = `${folder}/deno.json`;
  const imports = { ...project.imports, [replaced]: new URL(attack, "file:///").href };
  await Deno.writeTextFile(config, JSON.stringify({ ...project, imports, lock: false }));
  const flags = [...options.flags ?? START_FLAGS, "--config", config];
  return await startProgram(simulator, folder, { ...options, flags });
}
