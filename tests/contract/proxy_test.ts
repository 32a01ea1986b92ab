/**
 * Protects the dashboard behind a reverse proxy: under a base path, every link, form, stream and file is found, whether
 * the proxy keeps or removes the path; a trusted proxy's address, host and scheme are used, and nobody else's. The
 * program itself runs, with HTTP as proxies send it.
 */
import assert from "node:assert/strict";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { repeatedly } from "../support/deadline.ts";
import { startDashboard, TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { cookieIn, send } from "../support/pages/http.ts";
import { startProgram, withFolder } from "../support/program/program.ts";

/** What a proxy that speaks HTTPS says of a request. */
const PROXIED = {
  "x-forwarded-for": "198.51.100.7, 203.0.113.9",
  "x-forwarded-host": "vms.lan",
  "x-forwarded-proto": "https",
  origin: "https://vms.lan",
};

const ENV = {
  BASE_PATH: "/vms",
  TRUSTED_PROXIES: "127.0.0.1",
  ALLOWED_HOSTS: "vms.lan",
  DASHBOARD_PASSWORD: "open sesame",
};

Deno.test("under a base path, everything is found, whether the proxy keeps or removes the path", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES, foreignVms: 2 });
    const program = await startProgram(simulator, folder, { env: ENV });
    assert.match(program.url, /\/vms$/);
    const { origin } = new URL(program.url);
    const ask = async (path: string, init: RequestInit = {}) => {
      const headers = { ...PROXIED, ...init.headers };
      const response = await fetch(origin + path, { redirect: "manual", ...init, headers });
      return { response, body: await response.text() };
    };
    const form = (fields: Record<string, string>, headers = {}): RequestInit => ({
      method: "POST",
      body: new URLSearchParams(fields),
      headers,
    });
    const signIn = form({ password: "open sesame", to: "/?q=x" });
    const first = await ask("/vms/");
    assert.equal(first.response.headers.get("location"), "/vms/login?to=%2F");
    for (const path of ["/vms/login", "/login"]) {
      const { response } = await ask(path, signIn);
      assert.equal(response.headers.get("location"), "/vms/?q=x", path);
      assert.match(
        response.headers.get("set-cookie") ?? "",
        /^__Secure-vm-manager-session=.*; Path=\/vms\/; HttpOnly; Secure; SameSite=Strict$/,
      );
    }
    const signed = { headers: { cookie: cookieIn((await ask("/vms/login", signIn)).response) } };
    await repeatedly(
      "the NAS is connected",
      async () => (await ask("/vms/readyz")).response.status === 200 || null,
    );
    const followed = new Set<string>();
    for (
      const page of [
        "/vms",
        "/vms/",
        "/vms/create",
        "/vms/connection",
        "/vms/destroy",
        "/vms/operations",
        "/vms/export",
        "/vms/vms/1",
      ]
    ) {
      const { response, body } = await ask(page, signed);
      assert.equal(response.status, 200, page);
      const links = [...body.matchAll(/\b(?:href|src|action|hx-[\w:-]+|data-socket)="(\/[^"]*)"/g)];
      for (const [, link = ""] of links) {
        assert.match(link, /^\/vms\//, `${link} on ${page}`);
        if (link.includes("/static/")) followed.add(link);
      }
    }
    assert.ok(followed.size >= 3);
    for (const path of followed) assert.equal((await ask(path)).response.status, 200, path);
    const plan = await ask("/vms/create/plan", form({}, signed.headers));
    assert.match(plan.body, /<form[^>]* action="\/vms\/create\/plan"/);
    const started = await ask("/vms/vms/1/poweroff", form({}, signed.headers));
    assert.match(started.response.headers.get("location") ?? "", /^\/vms\/operations\/[0-9a-f]{8}$/);
    const plain = { ...signed.headers, origin: "http://vms.lan" };
    assert.equal(
      (await ask("/vms/vms/1/start", form({}, plain))).response.status,
      403,
      "the scheme is another",
    );
    const other = { headers: { ...signed.headers, "x-forwarded-host": "evil.test" } };
    assert.equal((await ask("/vms/", other)).response.status, 421);
    const audit = await ask("/vms/operations/audit?format=csv", signed);
    assert.match(audit.body, /admin,203\.0\.113\.9,Sign in/);
    assert.doesNotMatch(
      audit.body,
      /198\.51\.100\.7|127\.0\.0\.1/,
      "what the client itself wrote is not believed",
    );
    await program.stop("SIGTERM");
  }));

Deno.test("forwarded headers of untrusted clients are ignored", async () => {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    access: { password: "open sesame" },
  });
  const answer = await send(dashboard, "/login", {
    fields: { password: "open sesame" },
    "x-forwarded-for": "203.0.113.9",
    "x-forwarded-host": "evil.test",
    "x-forwarded-proto": "https",
  });
  assert.equal(answer.status, 303);
  assert.doesNotMatch(answer.headers.get("set-cookie") ?? "", /Secure/);
  assert.equal(dashboard.manager.audit.list()[0]?.by?.from, "127.0.0.1");
});

Deno.test("a proxy is recognised by its address or range, even if IPv4 arrives as IPv6 (fault 20)", async () => {
  await using dashboard = await startDashboard({
    access: {
      password: "open sesame",
      trustedProxies: ["172.16.0.0/12", "fd00::1"],
      allowedHosts: ["vms.lan"],
    },
  });
  const signIn = async (peer: string, forwardedFor: string) => {
    const headers = {
      "x-forwarded-for": forwardedFor,
      "x-forwarded-host": "vms.lan",
      origin: "http://vms.lan",
    };
    const body = new URLSearchParams({ password: "open sesame" });
    const init = { method: "POST", headers: { ...headers, host: "vms.lan" }, body };
    const { status } = await dashboard.app.request("/login", init, { remoteAddr: { hostname: peer } });
    assert.equal(status, 303);
    return dashboard.manager.audit.list()[0]?.by?.from;
  };
  for (const proxy of ["172.17.0.2", "::ffff:172.17.0.2", "fd00:0::1"]) {
    assert.equal(await signIn(proxy, "198.51.100.7, ::ffff:203.0.113.9"), "203.0.113.9", proxy);
    assert.equal(
      await signIn(proxy, "203.0.113.9:50000, 172.17.0.3"),
      "203.0.113.9",
      "a second proxy, and a port",
    );
    assert.equal(await signIn(proxy, "[2001:DB8::1]:50000"), "2001:db8::1");
    assert.equal(await signIn(proxy, "172.16.0.9"), "172.16.0.9", "a client within the proxies' range");
  }
  assert.equal(await signIn("172.17.0.2", "unknown"), "172.17.0.2");
  assert.equal(await signIn("::ffff:192.0.2.1", "203.0.113.9"), "192.0.2.1", "not a proxy");
});
