/** The command line as scripts use it: the real program, in its own process, against a simulated NAS. */
import { fileURLToPath } from "node:url";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatorOptions } from "../../../lib/simulator/types.ts";
import { TEST_CONFIG, TEST_TIMES } from "../pages/dashboard.ts";

/** The program. */
export const MAIN = fileURLToPath(new URL("../../../main.ts", import.meta.url));

/** How a call of the program ended. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** A folder with a configuration, and a NAS. */
export interface CommandLine {
  readonly simulator: Simulator;
  readonly run: (...args: string[]) => Promise<Outcome>;
  /** What the program is started with. */
  readonly env: Readonly<Record<string, string>>;
  /** Where the program runs. */
  readonly folder: string;
}

/** Runs a test with a simulated NAS and a folder in which {@link TEST_CONFIG} is config.yaml. */
export async function withCommandLine(
  test: (lab: CommandLine) => Promise<void>,
  options: SimulatorOptions = {},
): Promise<void> {
  await using simulator = await startSimulator({ times: TEST_TIMES, ...options });
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    const env = {
      TRUENAS_HOST: simulator.url,
      API_USERNAME: "admin",
      API_PASSWORD: "truenas",
      VNC_PASSWORD: "display-secret",
      NO_COLOR: "1",
    };
    await test({ simulator, folder, env, run: (...args) => runProgram(args, folder, env) });
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs main.ts to its end. */
export async function runProgram(
  args: readonly string[],
  cwd: string,
  env: Readonly<Record<string, string>>,
): Promise<Outcome> {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", MAIN, ...args],
    cwd,
    env,
    stdin: "null",
  });
  const { code, stdout, stderr } = await command.output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return { code, out: decode(stdout), err: decode(stderr) };
}
