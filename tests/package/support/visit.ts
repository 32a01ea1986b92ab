/**
 * A first visit to an installed program: it is started as documented, opens its page and creates VMs on a simulated NAS.
 * As a program of its own, so that it can also run where there is no network: `visit.ts JSON` prints what it saw.
 */
import assert from "node:assert/strict";
import process from "node:process";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { beginWorkers } from "../../support/program/program.ts";

/** A program that takes longer to start and to create VMs is killed. */
const PATIENCE_MS = 30_000;

/** How an installed program is started. */
export interface Start {
  readonly command: readonly string[];
  readonly cwd: string;
  /** The whole environment, but for the connection to the NAS. */
  readonly env?: Readonly<Record<string, string>>;
}

/** What a visitor saw. */
export interface Visit {
  /** Milliseconds from the command to the page. */
  readonly pageMs: number;
  /** How the creation of VMs ended. */
  readonly status: string;
  /** Of the program, which was asked to end. */
  readonly code: number;
  /** Everything it has written. */
  readonly said: string;
}

/** What else is done during a visit. */
export interface VisitOptions {
  readonly meanwhile?: (url: string) => Promise<void>;
  /** Sent with every request. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** Starts a program, opens its page, creates two VMs, does what else is asked and stops it. */
export async function visit(
  { command: [program = "", ...args], cwd, env = {} }: Start,
  { meanwhile, headers = {} }: VisitOptions = {},
): Promise<Visit> {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const startedAt = performance.now();
  const child = new Deno.Command(program, {
    args,
    cwd,
    clearEnv: true,
    env: { ...settingsFor(simulator.url), PORT: "0", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const deadline = setTimeout(() => child.kill("SIGKILL"), PATIENCE_MS);
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
  void reading.then(() => ready.reject(new assert.AssertionError({ message: `It did not start: ${said}` })));
  const url = await ready.promise;
  await openPage(url, headers);
  const pageMs = Math.round(performance.now() - startedAt);
  const status = await createVms(url, headers);
  await meanwhile?.(url);
  Deno.kill(await innermost(child.pid), "SIGTERM");
  const { code } = await child.status;
  clearTimeout(deadline);
  await reading;
  return { pageMs, status, code, said };
}

/** The process that others have started and wait for: not all of them pass signals on. */
async function innermost(pid: number): Promise<number> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`);
  const [child = ""] = children.split(" ");
  return child === "" ? pid : await innermost(Number(child));
}

/** The settings that connect a program to a simulated NAS. */
export function settingsFor(url: string): Record<string, string> {
  return {
    TRUENAS_HOST: url,
    API_USERNAME: "admin",
    API_PASSWORD: "truenas",
    VNC_PASSWORD: "display-secret",
  };
}

/** Opens the page of a running program. */
export async function openPage(url: string, headers: Readonly<Record<string, string>> = {}): Promise<void> {
  const page = await (await fetch(url, { headers })).text();
  assert.match(page, /<title>VMs/);
}

/** Creates two VMs by the forms of the page; how the operation ended. */
export async function createVms(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<string> {
  const path = await beginWorkers({ url }, {}, headers);
  for (;;) {
    const answer = await fetch(url + path, { headers: { ...headers, accept: "application/json" } });
    const { status } = await answer.json();
    if (status !== "running") return status;
  }
}

if (import.meta.main) process.stdout.write(JSON.stringify(await visit(JSON.parse(Deno.args[0] ?? "{}"))));
