/**
 * Protects the seeds that guests fetch: only who knows a VM's address gets its seed, as often as it asks, until the guest has phoned
 * home or its time is over. Real HTTP on this machine.
 */
import assert from "node:assert/strict";
import type { GuestSign } from "../../lib/first_boot/types.ts";
import { seedServerOn } from "../../lib/first_boot/serving/seed_server.ts";
import type { SeedToServe } from "../../lib/first_boot/serving/served_seed.ts";
import type { Logger } from "../../lib/observability/logging.ts";
import { startPathServer } from "../../lib/secret_paths/path_server.ts";

const VM = "0a1b2c3d-0000-4000-8000-000000000001";
const HOST_KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrlyaWhT3Z2bEKUcxGZI0cRrxNnFLCqQxjvTbOwVNj+ root@worker01";
const SECRET = "s3cret-in-the-seed";

/** A server with a clock of its own; `lines` is its log. */
async function serving() {
  const lines: string[] = [];
  const write = (message: string, fields = {}) => void lines.push(`${message} ${JSON.stringify(fields)}`);
  const logger: Logger = { debug: write, info: write, warning: write, error: write };
  const time = { now: 1_000 };
  const paths = await startPathServer({ host: "127.0.0.1", port: 0 }, { logger, now: () => time.now });
  const seeds = seedServerOn(paths, { logger, now: () => time.now });
  const close = async () => {
    seeds.close();
    await paths[Symbol.asyncDispose]();
  };
  return { seeds, paths, lines, time, [Symbol.asyncDispose]: close };
}

function seedOf(changes: Partial<SeedToServe> = {}): SeedToServe {
  const render = (home: string) =>
    Promise.resolve({
      files: new Map([["user-data", `#cloud-config\n# ${SECRET}\n`], ["meta-data", ""], [
        "vendor-data",
        home,
      ]]),
    });
  return { vm: VM, name: "worker01", render, ...changes };
}

async function ask(url: string, init?: RequestInit): Promise<readonly [number, string]> {
  const response = await fetch(url, init);
  return [response.status, await response.text()];
}

const phone = (fields: Readonly<Record<string, string>>) =>
  ({ method: "POST", body: new URLSearchParams(fields) }) as const;

Deno.test("a guest fetches its files twice, phones home, and is seen; then nothing is served", async () => {
  await using lab = await serving();
  const { seeds, lines } = lab;
  const seed = await seeds.serve(seedOf());
  assert.match(seed.url, /^http:\/\/127\.0\.0\.1:\d+\/[0-9a-f]{64}\/$/);
  const seen: GuestSign[] = [];
  seed.onSign((sign) => seen.push(sign));
  for (let n = 0; n < 2; n++) {
    const [status, text] = await ask(`${seed.url}user-data`);
    assert.equal(status, 200);
    assert.match(text, new RegExp(SECRET));
  }
  assert.deepEqual(await ask(`${seed.url}meta-data`), [200, ""]);
  assert.deepEqual(await ask(`${seed.url}vendor-data`), [200, seed.phoneHomeUrl]);
  assert.deepEqual(await ask(`${seed.url}user-data`, { method: "HEAD" }), [200, ""]);
  for (const name of ["network-config", "", "phone-home", "user-data/x", "..%2fuser-data", "passwd"]) {
    assert.deepEqual(await ask(`${seed.url}${name}`), [404, "Not found"], name);
  }
  assert.deepEqual(await ask(`${seed.url}user-data`, { method: "PUT", body: "x" }), [404, "Not found"]);

  const other = phone({ instance_id: "another", hostname: "x" });
  assert.deepEqual(await ask(seed.phoneHomeUrl, other), [404, "Not found"]);
  const long = phone({ instance_id: VM, pub_key_rsa: "x".repeat(100_000) });
  assert.equal((await ask(seed.phoneHomeUrl, long))[0], 413);
  const home = phone({
    instance_id: VM.toUpperCase(),
    hostname: "worker01",
    pub_key_ed25519: `${HOST_KEY}\n`,
  });
  assert.equal((await ask(seed.phoneHomeUrl, home))[0], 200);
  assert.deepEqual(seen.map(({ kind, address }) => [kind, address]), [
    ...Array.from({ length: 4 }, () => ["seed-fetched", "127.0.0.1"]),
    ["phone-home", "127.0.0.1"],
    ["phone-home", "127.0.0.1"],
  ]);
  const homes = seen.flatMap((sign) =>
    sign.kind === "phone-home" ? [[sign.instanceId, sign.hostname, sign.hostKeys]] : []
  );
  assert.deepEqual(homes, [["another", "x", []], [VM.toUpperCase(), "worker01", [HOST_KEY]]]);

  assert.deepEqual(seed.signs(), seen);
  assert.equal(await seed.ended, "answered");
  assert.equal(seeds.find(VM), null);
  assert.deepEqual(await ask(`${seed.url}user-data`), [404, "Not found"]);
  const log = lines.join("\n");
  assert.ok(!log.includes(SECRET) && !log.includes(seed.url.split("/")[3] ?? ""), log);
});

Deno.test("who guesses gets the same answer everywhere, and is logged at most once a minute", async () => {
  await using lab = await serving();
  const { seeds, lines, time } = lab;
  const { url } = await seeds.serve(seedOf());
  const { origin } = new URL(url);
  const guessed = [
    "/",
    "/user-data",
    `/${"0".repeat(64)}/user-data`,
    "/latest/meta-data/",
    `/${"f".repeat(63)}/`,
  ];
  for (const path of guessed) assert.deepEqual(await ask(`${origin}${path}`), [404, "Not found"], path);
  const told = () => lines.filter((line) => line.includes("asked for at SEED_PORT"));
  assert.equal(told().length, 1);
  time.now += 60_000;
  await ask(origin);
  assert.match(told()[1] ?? "", /"requests":5,"from":"127\.0\.0\.1"/);
  assert.ok(!told().join("").includes(url.split("/")[3] ?? ""));
});

Deno.test("a seed ends when its time is over, and another of the same VM takes its place", async () => {
  await using lab = await serving();
  const { seeds } = lab;
  const first = await seeds.serve(seedOf());
  const token = first.url.split("/")[3] ?? "";
  const second = await seeds.serve(seedOf({ known: { token } }));
  assert.equal(second.url, first.url, "as after a restart");
  assert.equal(await first.ended, "closed");
  assert.equal((await ask(`${second.url}user-data`))[0], 200);
  second.endAt(1_000);
  assert.equal(await second.ended, "expired");
  assert.equal((await ask(`${second.url}user-data`))[0], 404);
  assert.equal(seeds.find(VM), null);
});

Deno.test("a seed that cannot be made is said in the log, and the guest may ask again", async () => {
  await using lab = await serving();
  const render = () => Promise.reject(new Error("user.yaml, line 3: there is no variable vm.nam"));
  const { url } = await lab.seeds.serve(seedOf({ render }));
  assert.deepEqual(await ask(`${url}user-data`), [503, "The seed cannot be made"]);
  assert.match(lab.lines.join("\n"), /worker01.*user\.yaml, line 3/);
});

Deno.test("a guest that asks without end is told to wait", async () => {
  await using lab = await serving();
  const { url } = await lab.seeds.serve(seedOf());
  const statuses: number[] = [];
  for (let n = 0; n < 125; n++) statuses.push((await ask(`${url}meta-data`))[0]);
  assert.deepEqual(statuses.slice(118, 122), [200, 200, 429, 429]);
  lab.time.now += 61_000;
  assert.equal((await ask(`${url}meta-data`))[0], 200);
});

Deno.test("a guest that does not phone home has answered when that is known otherwise, and it has its files", async () => {
  await using lab = await serving();
  const render = () => Promise.resolve({ files: new Map([["user-data", "machine: {}"], ["meta-data", ""]]) });
  const seed = await lab.seeds.serve(seedOf({ render }));
  await ask(`${seed.url}user-data`);
  seed.answered();
  assert.notEqual(lab.seeds.find(VM), null, "it has still to fetch something");
  await ask(`${seed.url}meta-data`);
  await seed.fetched;
  seed.answered();
  assert.equal(await seed.ended, "answered");

  const cloudInit = await lab.seeds.serve(seedOf());
  for (const name of ["user-data", "meta-data", "vendor-data"]) await ask(`${cloudInit.url}${name}`);
  cloudInit.answered();
  assert.notEqual(lab.seeds.find(VM), null, "it has still to phone home");
});
