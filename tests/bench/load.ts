/**
 * Load: a dashboard with a password and 200 open pages, while 50 VMs are created and destroyed repeatedly, people open
 * pages, and a scanner floods the sign-in. Prints whether an event was lost, how long pages took, and the program's
 * memory. `deno task load 10` runs for ten minutes; the default is one.
 */
import process from "node:process";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { cookieIn, FORM, hidden } from "../support/pages/http.ts";
import { startProgram, withFolder } from "../support/program/program.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";
import { memoryMb, percentile } from "./statistics.ts";

const PASSWORD = "open sesame";
const LIST_PAGES = 150;
const OPERATION_PAGES = 50;
const VMS = "50";
const minutes = Number(Deno.args[0] ?? 1);
if (!(minutes > 0)) {
  process.stderr.write(`How many minutes? Found ${Deno.args[0]}\n`);
  Deno.exit(2);
}

function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

await withFolder(TEST_CONFIG, async (folder) => {
  const times = { callMs: 10, zvolMs: 100, startMs: 50, shutdownMs: 10, deleteRunningMs: 20 };
  const simulator = await startSimulator({ times, freeMemoryBytes: 2 ** 40, poolFreeBytes: 2 ** 50 });
  const program = await startProgram(simulator, folder, { env: { DASHBOARD_PASSWORD: PASSWORD } });
  const { url } = program;
  const signIn = (password: string) =>
    fetch(`${url}/login`, {
      method: "POST",
      body: new URLSearchParams({ password, to: "/" }),
      headers: { origin: url },
      redirect: "manual",
    });
  const signedIn = await signIn(PASSWORD);
  await signedIn.body?.cancel();
  const cookie = cookieIn(signedIn);
  const ask = async (path: string) => await (await fetch(url + path, { headers: { cookie } })).text();
  const send = async (path: string, fields: Record<string, string>) => {
    const headers = { cookie, origin: url };
    const response = await fetch(url + path, {
      method: "POST",
      body: new URLSearchParams(fields),
      headers,
      redirect: "manual",
    });
    return { location: response.headers.get("location"), html: await response.text() };
  };

  let listMessages = 0;
  const watchList = async () => {
    const { body } = await fetch(`${url}/events`, { headers: { cookie } });
    for await (const text of body?.pipeThrough(new TextDecoderStream()) ?? []) {
      listMessages += text.split("data:").length - 1;
    }
  };
  for (let page = 0; page < LIST_PAGES; page++) void watchList();

  let [followed, lost] = [0, 0];
  /** Reads an operation's stream to its end: its events have to come without a gap. */
  const watchOperation = async (path: string) => {
    const text = await ask(`${path}/events`);
    const ids = [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    followed++;
    if (ids.some((id, index) => id !== index + 1) || !/event: end/.test(text)) lost++;
  };

  const until = performance.now() + minutes * 60_000;
  const PAGES = ["/", "/operations", "/create", "/destroy"] as const;
  const pagesMs = new Map<string, number[]>(PAGES.map((path) => [path, []]));
  const look = async () => {
    for (const [path, times] of pagesMs) {
      const started = performance.now();
      await ask(path);
      times.push(performance.now() - started);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  const people = Promise.all([1, 2, 3].map(async () => {
    while (performance.now() < until) await look();
  }));
  let attempts = 0;
  const scanner = (async () => {
    while (performance.now() < until) {
      await (await signIn("guess")).body?.cancel();
      attempts++;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  })();
  const memory: string[] = [];
  const sample = async () => memory.push((await memoryMb(program, { cookie })).toFixed(0));
  await sample();
  const sampler = setInterval(() => void sample(), minutes * 60_000 / 10);

  let rounds = 0;
  const follow = (path: string) =>
    Promise.all(Array.from({ length: OPERATION_PAGES }, () => watchOperation(path)));
  while (performance.now() < until) {
    const form = { ...FORM, "worker.count": VMS, "worker.memory": "64" };
    const { html } = await send("/create/plan", form);
    if (!html.includes('name="plan"')) continue;
    const created = await send("/create", {
      ...form,
      token: hidden(html, "token"),
      plan: hidden(html, "plan"),
    });
    if (created.location === null) throw new Error("the creation did not start");
    await follow(created.location);
    const doomed = await ask("/destroy?prefixes=worker");
    const destroyed = await send("/destroy", {
      prefixes: "worker",
      token: hidden(doomed, "token"),
      plan: hidden(doomed, "plan"),
      phrase: /Type “([^”]+)”/.exec(doomed)?.[1] ?? "",
    });
    if (destroyed.location === null) throw new Error("the destruction did not start");
    await follow(destroyed.location);
    rounds++;
  }
  await Promise.all([people, scanner]);
  clearInterval(sampler);
  await sample();
  print(
    `${minutes} min: ${rounds} times ${VMS} VMs created and destroyed, ${
      LIST_PAGES + OPERATION_PAGES
    } open pages`,
  );
  print(
    `events: ${followed} streams of operations read to their end, ${lost} with a gap; ${listMessages} list messages`,
  );
  print(`scanner: ${attempts} attempts at the sign-in`);
  for (const [path, times] of [...pagesMs, ["all pages", [...pagesMs.values()].flat()] as const]) {
    const p = (percent: number) => percentile(times, percent).toFixed(0);
    print(`${path}: ${times.length} times, p50 ${p(50)} ms, p99 ${p(99)} ms, longest ${p(100)} ms`);
  }
  print(`memory (MB), start to end: ${memory.join(" ")}`);
  await program.stop("SIGTERM");
  // The list's streams were cut with the program; nothing waits for them.
  await simulator.stop();
});
Deno.exit(0);
