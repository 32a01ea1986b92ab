/** Runs the programs that packages are built with. */

const ROOT = new URL("../", import.meta.url);

/** How a program is run. */
export interface CommandOptions {
  /** The project's folder by default. */
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  /** A file to which the output is written as it is, instead of being returned. */
  readonly output?: string;
}

/** Runs a program to its end and returns its output; throws with its errors when it fails. */
export async function run(
  command: string,
  args: readonly string[],
  { cwd, env = {}, output }: CommandOptions = {},
): Promise<string> {
  const { success, stdout, stderr } = await outputOf(command, { args: [...args], cwd: cwd ?? ROOT, env });
  const decoder = new TextDecoder();
  if (!success) {
    const said = decoder.decode(stderr).trim() || decoder.decode(stdout).trim();
    throw new Error(`"${command} ${args[0]}" failed: ${said}`);
  }
  if (output === undefined) return decoder.decode(stdout);
  await Deno.writeFile(output, stdout);
  return "";
}

async function outputOf(command: string, options: Deno.CommandOptions): Promise<Deno.CommandOutput> {
  try {
    return await new Deno.Command(command, options).output();
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) {
      throw new Error(`"${command}" is not installed; packages cannot be built without it`, { cause: error });
    }
    throw error;
  }
}
