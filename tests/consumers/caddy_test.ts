/** Protects the dashboard behind Caddy as documented: pages, forms and streams, below a path and on another port. */
import assert from "node:assert/strict";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { repeatedly } from "../support/deadline.ts";
import { startCaddy } from "../support/network/network.ts";
import { startProgram, withFolder } from "../support/program/program.ts";

const ENV = {
  BASE_PATH: "/vms",
  TRUSTED_PROXIES: "127.0.0.1",
  DASHBOARD_PASSWORD: "open sesame",
  AUTH_PROXY_HEADER: "X-Remote-User",
  AUTH_PROXY_ADMINS: "alice",
};

/** Caddy signs in whom the query names, and lets no header of the client pass. */
const SIGNS_IN = `  request_header X-Remote-User {query.as}\n`;

Deno.test("behind the documented Caddy, whom it signs in looks or acts, and streams flow", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES, foreignVms: 1 });
    const program = await startProgram(simulator, folder, { env: ENV });
    await using caddy = await startCaddy({ upstream: new URL(program.url).host, more: SIGNS_IN });
    const ask = async (path: string, init: RequestInit = {}) => {
      const answer = await fetch(`${caddy.url}/vms${path}`, { redirect: "manual", ...init });
      return { status: answer.status, to: answer.headers.get("location"), text: await answer.text() };
    };
    await repeatedly("the NAS is connected", async () => (await ask("/readyz")).status === 200 || null);
    const { status, to } = await ask("");
    assert.deepEqual([status, to], [302, "/vms/"], "the path without a slash leads to the page");
    assert.match((await ask("/?as=alice")).text, /homeassistant/);
    const forged = { headers: { "x-remote-user": "alice" } };
    assert.equal((await ask("/", forged)).status, 303, "a client cannot name itself");
    const direct = await fetch(`${program.url}/`, { redirect: "manual" });
    await direct.body?.cancel();
    assert.equal(direct.status, 303, "who is not signed in is asked for the password");
    const act = (as: string) =>
      ask(`/vms/1/stop?as=${as}`, {
        method: "POST",
        headers: { origin: caddy.url },
        body: new URLSearchParams(),
      });
    const refused = await act("bob");
    assert.deepEqual([refused.status, /bob has to be in AUTH_PROXY_ADMINS/.test(refused.text)], [403, true]);
    const acted = await act("alice");
    assert.equal(acted.status, 303, acted.text);
    assert.match((await ask("/operations/audit?as=bob")).text, /alice/);
    const elsewhere = await ask("/vms/1/start?as=alice", {
      method: "POST",
      headers: { origin: "http://evil.test" },
    });
    assert.equal(elsewhere.status, 403);

    const stream = await fetch(`${caddy.url}/vms/events?as=bob`, {
      headers: { accept: "text/event-stream" },
    });
    const reader = stream.body?.getReader();
    assert.ok(((await reader?.read())?.value?.length ?? 0) > 0, "the first event comes at once");
    await reader?.cancel();
    await program.stop("SIGTERM");
  }));

Deno.test("a name is believed from a trusted proxy only, and only one name", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES, foreignVms: 1 });
    const env = { ...ENV, BASE_PATH: "", TRUSTED_PROXIES: "192.0.2.1" };
    const program = await startProgram(simulator, folder, { env });
    const status = async (headers: Record<string, string>, url = program.url) => {
      const answer = await fetch(`${url}/`, { headers, redirect: "manual" });
      await answer.body?.cancel();
      return answer.status;
    };
    assert.equal(await status({ "x-remote-user": "alice" }), 303, "this machine is no trusted proxy");
    await program.stop("SIGTERM");
    const trusting = await startProgram(simulator, folder, { env: { ...env, TRUSTED_PROXIES: "127.0.0.1" } });
    const by = (name: string) => status({ "x-remote-user": name }, trusting.url);
    assert.deepEqual(
      [await by("alice"), await by("alice, bob"), await by(""), await by("x".repeat(101))],
      [200, 303, 303, 303],
    );
    await trusting.stop("SIGTERM");
  }));
