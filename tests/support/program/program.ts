/** The program itself, as its own process against a simulated NAS. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { DISPLAY_PASSWORD } from "../pages/dashboard.ts";
import { FORM, hidden } from "../pages/http.ts";
import { FAULT } from "../../../lib/errors/unhandled_errors.ts";
import { SecretScan } from "../secrets.ts";

const MAIN = fileURLToPath(new URL("../../../main.ts", import.meta.url));

/** It runs, and is ready. */
export interface Program {
  /** Without a slash at the end. */
  readonly url: string;
  /** Of the process. */
  readonly pid: number;
  /** Everything it has written so far. */
  readonly said: () => string;
  /** Sends a signal and waits for the end. */
  readonly stop: (signal: "SIGTERM" | "SIGKILL") => Promise<Deno.CommandStatus>;
  /** As `stop("SIGKILL")`. */
  readonly kill: () => Promise<Deno.CommandStatus>;
}

/** A process that has to end by itself within this time is killed, and its status says so. */
const PATIENCE_MS = 10_000;

/** Options, in addition to the connection to the NAS. */
export interface ProgramOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** What `deno run` is given before main.ts; default all permissions. */
  readonly flags?: readonly string[];
  /** Default: serve. */
  readonly command?: "serve" | "demo";
  /** The operating system's limit on its open files. */
  readonly openFiles?: number;
  /** Errors that nothing handled are what is tested; otherwise the log may have none. */
  readonly expectFaults?: boolean;
}

/** Starts it in a folder, with its state below, and waits for its URL. */
export async function startProgram(
  simulator: Pick<Simulator, "url">,
  folder: string,
  { env = {}, flags = ["-A", "--no-prompt"], expectFaults = false, openFiles, command = "serve" }:
    ProgramOptions = {},
): Promise<Program> {
  const limit = openFiles === undefined ? "" : `ulimit -n ${openFiles};`;
  const child = new Deno.Command("sh", {
    args: ["-c", `${limit} exec "$@"`, "sh", Deno.execPath(), "run", ...flags, MAIN, command],
    cwd: folder,
    env: {
      TRUENAS_HOST: simulator.url,
      API_USERNAME: "admin",
      API_PASSWORD: "truenas",
      VNC_PASSWORD: DISPLAY_PASSWORD,
      STATE_DIR: `${folder}/state`,
      PORT: "0",
      ...env,
    },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let said = "";
  const ready = Promise.withResolvers<string>();
  const read = async (from: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of from.pipeThrough(new TextDecoderStream())) {
      said += text;
      const url = /ready at (https?:\/\/\S+?)\/\s/.exec(said)?.[1];
      if (url !== undefined) ready.resolve(url);
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  void reading.then(() => ready.reject(new assert.AssertionError({ message: `it did not start: ${said}` })));
  const url = await ready.promise;
  const stop = async (signal: Deno.Signal) => {
    child.kill(signal);
    const timer = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
    const status = await child.status;
    clearTimeout(timer);
    await reading;
    const scan = new SecretScan([DISPLAY_PASSWORD]);
    scan.text(said, "what the program wrote");
    scan.expectNone();
    if (!expectFaults) assert.ok(!said.includes(FAULT), said);
    return status;
  };
  return { url, pid: child.pid, said: () => said, stop, kill: () => stop("SIGKILL") };
}

/** Begins the creation of {@link FORM}, as soon as it is connected; returns the operation's path. */
export async function beginWorkers(
  { url }: Pick<Program, "url">,
  other: Readonly<Record<string, string>> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const send = (path: string, fields: Record<string, string> = {}) =>
    fetch(url + path, {
      method: "POST",
      body: new URLSearchParams({ ...FORM, ...other, ...fields }),
      headers: { ...headers, origin: url },
      redirect: "manual",
    });
  for (;;) {
    const planned = await send("/create/plan");
    const html = await planned.text();
    // Until it has signed in to the NAS it cannot plan.
    if (planned.status !== 200) continue;
    const created = await send("/create", { token: hidden(html, "token"), plan: hidden(html, "plan") });
    await created.body?.cancel();
    assert.equal(created.status, 303);
    return created.headers.get("location") ?? "";
  }
}

/** A folder of its own, with a configuration in it. */
export async function withFolder(config: string, test: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, config);
    await test(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
