/** The first run of the real program: its own process without any setting, and a simulated NAS that is not connected yet. */
import type { SimulatedTimes } from "../../../lib/simulator/types.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { MAIN } from "./command_line.ts";
import { TEST_TIMES } from "../pages/dashboard.ts";
import { makeCertificates } from "../network/certificates.ts";

/** The password of the account `keeper`; it must not appear in the log. */
export const KEEPER_PASSWORD = "keeper-secret";

/** Of the simulated NAS. */
export const { selfSigned: NAS_CERTIFICATE } = await makeCertificates();

/** The program, running. */
export interface Unset {
  readonly url: string;
  readonly said: () => string;
  /** Ends it, and says with which code it ended. */
  readonly stop: () => Promise<number>;
}

/** Starts `serve` in a folder and waits until it listens. */
export async function startUnset(
  folder: string,
  env: Readonly<Record<string, string>> = {},
): Promise<Unset> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", MAIN, "serve"],
    cwd: folder,
    env: { PORT: "0", NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said = "";
  const ready = Promise.withResolvers<string>();
  const read = async (from: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of from.pipeThrough(new TextDecoderStream())) {
      said += text;
      const port = /ready at https?:\/\/\S+:(\d+)\/\s/.exec(said)?.[1];
      if (port !== undefined) ready.resolve(`http://127.0.0.1:${port}`);
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  void reading.then(() => ready.reject(new Error(`it did not start: ${said}`)));
  const stop = async () => {
    child.kill("SIGTERM");
    const { code } = await child.status;
    await reading;
    return code;
  };
  return { url: await ready.promise, said: () => said, stop };
}

/** A NAS with one account, and an empty folder for the program. */
export async function withNas(
  test: (nas: Simulator, folder: string) => Promise<void>,
  times: Partial<SimulatedTimes> = TEST_TIMES,
): Promise<void> {
  await using nas = await startSimulator({
    times,
    tls: NAS_CERTIFICATE,
    accounts: [{ username: "keeper", password: KEEPER_PASSWORD, roles: ["FULL_ADMIN"] }],
  });
  const folder = await Deno.makeTempDir();
  try {
    await test(nas, folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
