/**
 * Protects the dashboard from unauthorised access: every route without a session, and with a viewer's, an expired, a
 * forged and an ended one; foreign host names, other sites, floods of passwords; and slow and large bodies. Real HTTP.
 */
import assert from "node:assert/strict";
import { journalOn, powerOff, startDashboard, type TestDashboard } from "../support/dashboard.ts";
import { ACCESS, withAccess } from "../support/access.ts";
import { repeatedly } from "../support/deadline.ts";
import { cookieIn, hidden, send, signIn, text } from "../support/http.ts";
import { readForm, SlowBody } from "../../routes/forms.ts";
import { isAllowedHost } from "../../routes/auth/access.tsx";
import { constantTimeEqual } from "../../lib/hashes.ts";
import { ATTEMPT_LIMITS } from "../../routes/auth/attempts.ts";
import { SESSION_LIMITS, Sessions } from "../../routes/auth/sessions.ts";
import type { AccessOptions } from "../../routes/server/dashboard.ts";

const PAGES = [
  "/",
  "/create",
  "/types",
  "/types/yaml",
  "/destroy",
  "/orphans",
  "/operations",
  "/connection",
  "/vms/1",
];
/** Everything that is not shown without a session. */
const CLOSED = [...PAGES, "/vms/1/console", "/vms/1/console/nas", "/vms/1/console.vv"];
const POSTS = [
  "/create",
  "/create/plan",
  "/types",
  "/types/review",
  "/destroy",
  "/orphans",
  "/vms/act",
  "/vms/1/start",
  "/vms/1/settings",
  "/operations/x/cancel",
  "/operations/x/resume",
  "/connection/otp",
];

Deno.test("without a session, every page redirects to the sign-in, reveals nothing and changes nothing", () =>
  withAccess(async (dashboard) => {
    for (const path of CLOSED) {
      const { status, headers, body } = await send(dashboard, path, {});
      assert.deepEqual([status, headers.get("location")], [
        303,
        `/login?${new URLSearchParams({ to: path })}`,
      ], path);
      assert.doesNotMatch(body, /homeassistant/);
      const json = await send(dashboard, path, { accept: "application/json" });
      assert.equal(json.status, 401, path);
      const htmx = await send(dashboard, path, { "hx-request": "true" });
      assert.equal(htmx.status, 401);
      assert.match(htmx.headers.get("hx-redirect") ?? "", /^\/login\?to=/);
    }
    for (const path of POSTS) assert.equal((await send(dashboard, path, { fields: {} })).status, 401, path);
    const stream = await send(dashboard, "/events", { accept: "text/event-stream" });
    assert.equal(stream.status, 401);
    for (const path of ["/healthz", "/readyz"]) assert.equal((await send(dashboard, path, {})).status, 200);
    const login = await send(dashboard, "/login", {});
    assert.doesNotMatch(login.body, /nas\.test|25\.10|data-connection/, "it says nothing of the NAS");
    assert.equal(login.headers.get("cache-control"), "no-store");
  }));

Deno.test("signing in opens the page that a stream or form belongs to (fault 31)", () =>
  withAccess(async (dashboard) => {
    const pages = [["/events?only=connection", "/"], ["/vms/1/events", "/vms/1"], [
      "/operations/x/events?after=3",
      "/operations/x",
    ]] as const;
    for (const [path, page] of pages) {
      const { status, headers } = await send(dashboard, path, {});
      assert.deepEqual([status, headers.get("location")], [
        303,
        `/login?${new URLSearchParams({ to: page })}`,
      ]);
      const stream = await send(dashboard, path, {
        accept: "text/html, text/event-stream",
        "hx-request": "true",
      });
      assert.deepEqual([stream.status, stream.headers.get("hx-redirect")], [401, null], path);
    }
    const forms = [["/create/plan", "/create"], ["/vms/1/stop", "/vms/1"], [
      "/operations/x/cancel",
      "/operations/x",
    ]];
    for (const [path = "", page] of forms) {
      const { status, body } = await send(dashboard, path, { fields: {} });
      assert.equal(status, 401);
      assert.match(body, new RegExp(`name="to" value="${page}"`), path);
    }
  }));

Deno.test("the right password opens the requested page, with a protected cookie", () =>
  withAccess(async (dashboard) => {
    const wrong = await signIn(dashboard, "open sesam");
    assert.equal(wrong.status, 401);
    assert.match(wrong.body, /Wrong password/);
    const right = await signIn(dashboard, "open sesame", "/destroy?prefixes=worker");
    assert.deepEqual([right.status, right.headers.get("location")], [303, "/destroy?prefixes=worker"]);
    assert.match(
      right.headers.get("set-cookie") ?? "",
      /HttpOnly.*SameSite=Strict|SameSite=Strict.*HttpOnly/,
    );
    const { cookie } = right;
    for (const path of PAGES) assert.equal((await send(dashboard, path, { cookie })).status, 200, path);
    assert.match((await send(dashboard, "/", { cookie })).body, /Sign out/);
    for (const to of ["//evil.test", "https://evil.test/", "/\\evil.test", "javascript:alert(1)", ""]) {
      assert.equal((await signIn(dashboard, "open sesame", to)).headers.get("location"), "/", to);
    }
    const basic = `Basic ${btoa("anybody:open sesame")}`;
    assert.equal(
      (await send(dashboard, "/", { authorization: basic, accept: "application/json" })).status,
      200,
    );
  }));

Deno.test("a viewer sees everything, changes nothing, and is offered nothing that would fail", () =>
  withAccess(async (dashboard) => {
    const { cookie } = await signIn(dashboard, "just looking");
    for (const path of PAGES) assert.equal((await send(dashboard, path, { cookie })).status, 200, path);
    const before = dashboard.simulator.calls.length;
    for (const path of POSTS) {
      const { status, body } = await send(dashboard, path, { fields: {}, cookie });
      assert.equal(status, 403, path);
      assert.match(body, /Viewers cannot make changes/);
    }
    assert.equal(dashboard.simulator.calls.length, before, "nothing was sent");
    const list = (await send(dashboard, "/", { cookie })).body;
    assert.doesNotMatch(list, /Create VMs|Destroy VMs|Shut down|Selected VMs/);
    assert.doesNotMatch((await send(dashboard, "/vms/1", { cookie })).body, /Save settings|Remove this/);
  }));

Deno.test("no page offers a viewer what only an administrator may do (fault 36)", () =>
  withAccess(async (dashboard) => {
    const [viewer, admin] = [await signIn(dashboard, "just looking"), await signIn(dashboard, "open sesame")];
    const held = Promise.withResolvers<void>();
    dashboard.simulator.addFault({ method: "vm.poweroff", action: "hold", until: held.promise });
    const { log, finished } = powerOff(dashboard);
    const offers = (html: string) =>
      [
        ...[...html.matchAll(/<form[^>]*method="post"[^>]*>/g)].map(([form]) => form),
        ...[...html.matchAll(/<a [^>]*href="\/(?:create|destroy|vms\/act)[^>]*>/g)].map(([link]) => link),
      ].filter((offer) => !offer.includes("logout") && !offer.includes("/theme"));
    const pages = [...PAGES.slice(0, -1), "/operations/audit", "/export", "/vms/act?action=stop&id=1"];
    for (const path of [...pages, "/vms/1/destroy", `/operations/${log.id}`]) {
      const { status, body } = await send(dashboard, path, { cookie: viewer.cookie });
      assert.equal(status, 200, path);
      assert.deepEqual(offers(body), [], path);
    }
    const running = await send(dashboard, `/operations/${log.id}`, { cookie: admin.cookie });
    assert.ok(offers(running.body).some((offer) => offer.includes("/cancel")), "the premise");
    const stream = (cookie: string) =>
      send(dashboard, `/operations/${log.id}/events`, { accept: "text/event-stream", cookie });
    const streams = Promise.all([stream(viewer.cookie), stream(admin.cookie)]);
    held.resolve();
    await finished;
    const [seen, offered] = await streams;
    assert.deepEqual(offers(seen.body), [], "nor does a stream");
    assert.ok(offers(offered.body).length > 0, "the premise");
    assert.match(
      (await send(dashboard, "/", { cookie: viewer.cookie })).body,
      /href="\/export/,
      "reading is offered",
    );
  }));

Deno.test("a session ends when idle, at its maximum age and on sign-out; a forged one is refused", () =>
  withAccess(async (dashboard, clock) => {
    const isOpen = async (cookie: string) =>
      (await send(dashboard, "/operations", { cookie })).status === 200;
    const idle = (await signIn(dashboard, "open sesame")).cookie;
    clock.now += SESSION_LIMITS.idleMs;
    assert.ok(await isOpen(idle));
    clock.now += SESSION_LIMITS.idleMs + 1;
    assert.ok(!await isOpen(idle));
    const busy = (await signIn(dashboard, "open sesame")).cookie;
    for (let passed = 0; passed < SESSION_LIMITS.absoluteMs; passed += SESSION_LIMITS.idleMs) {
      assert.ok(await isOpen(busy));
      clock.now += SESSION_LIMITS.idleMs;
    }
    clock.now += 1;
    assert.ok(!await isOpen(busy), "nobody stays for ever");
    const left = (await signIn(dashboard, "open sesame")).cookie;
    assert.equal((await send(dashboard, "/logout", { fields: {}, cookie: left })).status, 303);
    assert.ok(!await isOpen(left));
    const good = (await signIn(dashboard, "open sesame")).cookie;
    const [name] = good.split("=");
    for (
      const forged of [
        `${name}=`,
        `${name}=x.y`,
        good.replace(/\.[^.]*$/, ".AAAA"),
        `${good}A`,
        `${name}=a.b.c`,
      ]
    ) {
      assert.ok(!await isOpen(forged), forged);
    }
    clock.now -= 24 * 3_600_000;
    assert.ok(!await isOpen(good), "a clock that jumps back keeps no session");
  }));

Deno.test("password guessing is limited by address with a waiting time, and no password is logged", () => {
  const logged: string[] = [];
  return withAccess(async (dashboard, clock) => {
    for (let n = 0; n < ATTEMPT_LIMITS.perNetwork; n++) {
      assert.equal((await signIn(dashboard, `guess ${n}`)).status, 401);
    }
    const stopped = await signIn(dashboard, "open sesame");
    assert.equal(stopped.status, 429, "even the right one has to wait");
    assert.equal(stopped.headers.get("retry-after"), String(ATTEMPT_LIMITS.windowMs / 1000));
    const basic = `Basic ${btoa("x:open sesame")}`;
    const script = await send(dashboard, "/", { authorization: basic, accept: "application/json" });
    assert.deepEqual([script.status, script.headers.get("retry-after")], [429, "300"]);
    clock.now += ATTEMPT_LIMITS.windowMs;
    assert.equal((await signIn(dashboard, "open sesame")).status, 303);
    assert.ok(logged.some((line) => line.startsWith("Wrong password")));
    assert.ok(!/guess|sesame/.test(logged.join("\n")));
  }, logged);
});

Deno.test("a wrong password of basic authentication is counted, logged and recorded like any other (fault 18)", () => {
  const logged: string[] = [];
  return withAccess(async (dashboard) => {
    const ask = (password: string, path = "/") =>
      send(dashboard, path, { authorization: `Basic ${btoa(`x:${password}`)}`, accept: "application/json" });
    for (let n = 0; n < ATTEMPT_LIMITS.perNetwork; n++) assert.equal((await ask(`guess ${n}`)).status, 401);
    const [entry] = dashboard.manager.audit.list();
    assert.deepEqual(
      [entry?.by?.who, entry?.by?.from, entry?.what, entry?.outcome, entry?.repeated?.times],
      ["nobody", "127.0.0.1", "Basic authentication", "wrong password", ATTEMPT_LIMITS.perNetwork],
    );
    const lines = logged.filter((line) => line.startsWith("Wrong password"));
    assert.equal(lines.length, ATTEMPT_LIMITS.perNetwork);
    assert.match(lines[0] ?? "", /"address":"127\.0\.0\.1","how":"Basic authentication"/);
    assert.equal((await ask("open sesame")).status, 429, "even the right one has to wait");
    assert.equal((await signIn(dashboard, "open sesame")).status, 429, "by the form as well");
    assert.equal((await ask("guess", "/healthz")).status, 200, "where nobody is asked, none is looked at");
  }, logged);
});

Deno.test("the wait after wrong passwords never exceeds its window, whatever happens to the clock (fault 18)", () =>
  withAccess(async (dashboard, clock) => {
    for (let n = 0; n < ATTEMPT_LIMITS.perNetwork; n++) await signIn(dashboard, "guess");
    clock.now -= 365 * 24 * 3_600_000;
    const { status, headers } = await signIn(dashboard, "open sesame");
    assert.deepEqual([status, headers.get("retry-after")], [429, "300"]);
    clock.now += 100_000;
    assert.equal((await signIn(dashboard, "open sesame")).headers.get("retry-after"), "200");
    clock.now += 200_000;
    assert.equal((await signIn(dashboard, "open sesame")).status, 303);
  }));

/** Tries a password from an address of its own. */
async function tryFrom({ app, url }: TestDashboard, hostname: string, password: string): Promise<number> {
  const headers = { origin: url, host: new URL(url).host };
  const init = { method: "POST", headers, body: new URLSearchParams({ password }) };
  return (await app.request("/login", init, { remoteAddr: { hostname } })).status;
}

Deno.test("many wrong passwords from many addresses slow down signing in, but lock out nobody without mistakes (fault 13)", () =>
  withAccess(async (dashboard, clock) => {
    const { perNetwork, perNetworkOverTotal, total, delayMs, windowMs } = ATTEMPT_LIMITS;
    for (let n = 0; n < total; n++) {
      const network = Math.floor(n / perNetwork);
      // A machine takes any address of its 64 bits, and a mapped address is an IPv4 one.
      const from = network % 2 === 0
        ? `2001:db8:0:${network}::${n + 1}`
        : `${n % 2 ? "::ffff:" : ""}192.0.2.${network}`;
      assert.equal(await tryFrom(dashboard, from, `guess ${n}`), 401, `the premise: attempt ${n} is taken`);
    }
    assert.equal(await tryFrom(dashboard, "192.0.2.1", "open sesame"), 429);
    assert.equal(await tryFrom(dashboard, "2001:db8:0:2:ffff::", "open sesame"), 429, "the same network");
    assert.deepEqual(clock.waits, []);
    for (const fresh of ["198.51.100.1", "2001:db8:1::1", "127.0.0.1"]) {
      assert.equal(await tryFrom(dashboard, fresh, "open sesame"), 303, fresh);
      assert.deepEqual(clock.waits.splice(0), [delayMs], "a limit in all holds each attempt back");
    }
    const held = Promise.withResolvers<void>();
    clock.until = held.promise;
    const guessing = Promise.all(
      Array.from({ length: 20 }, (_, n) => tryFrom(dashboard, "198.51.100.2", `guess ${n}`)),
    );
    await repeatedly("all guesses are held back", () => Promise.resolve(clock.waits.length === 20 || null));
    held.resolve();
    assert.equal(
      (await guessing).filter((status) => status === 401).length,
      perNetworkOverTotal,
      "and each network has fewer",
    );
    clock.waits.length = 0;
    assert.equal(await tryFrom(dashboard, "198.51.100.2", "open sesame"), 429);
    const [latest] = dashboard.manager.audit.list();
    assert.deepEqual(
      [latest?.by, latest?.repeated?.times],
      [{ who: "nobody" }, perNetworkOverTotal],
      "one entry for all",
    );
    clock.now += windowMs;
    assert.equal(await tryFrom(dashboard, "192.0.2.1", "open sesame"), 303);
    assert.deepEqual(clock.waits, [], "afterwards nobody waits");
  }));

Deno.test("a sign-in ends the browser's previous session (fault 19)", () =>
  withAccess(async (dashboard) => {
    const first = (await signIn(dashboard, "open sesame")).cookie;
    const headers = { fields: { password: "just looking", to: "/" }, cookie: first };
    const second = cookieIn(await send(dashboard, "/login", headers));
    assert.equal(
      (await send(dashboard, "/", { cookie: second })).status,
      200,
      "the premise: the new one is open",
    );
    assert.equal((await send(dashboard, "/", { cookie: first })).status, 303);
  }));

Deno.test("the session cookie is named after the program and port, and bound to the host under TLS (fault 15)", async () => {
  const setBy = async (access: Partial<AccessOptions>, headers: Record<string, string> = {}) => {
    await using dashboard = await startDashboard({ access: { ...ACCESS, ...access } });
    const { port } = new URL(dashboard.url);
    const fields = { password: "open sesame" };
    const answer = await send(dashboard, "/login", { fields, ...headers });
    assert.equal(answer.status, 303);
    return (answer.headers.get("set-cookie") ?? "").replace(/=[^;]*/, "").replace(port, "PORT");
  };
  assert.equal(await setBy({}), "vm-manager-session-PORT; Path=/; HttpOnly; SameSite=Strict");
  const tls = "; Path=/; HttpOnly; Secure; SameSite=Strict";
  const own = { "sec-fetch-site": "same-origin" };
  assert.equal(await setBy({ secure: true }, own), `__Host-vm-manager-session-PORT${tls}`);
  const proxied = { trustedProxies: ["127.0.0.1"], allowedHosts: ["vms.lan"] };
  const forwarded = { ...own, "x-forwarded-proto": "https", "x-forwarded-host": "vms.lan" };
  assert.equal(await setBy(proxied, forwarded), `__Host-vm-manager-session${tls}`);
});

Deno.test("a form from another site and a foreign host name are refused", () =>
  withAccess(async (dashboard) => {
    const { cookie } = await signIn(dashboard, "open sesame");
    const cross = await send(dashboard, "/vms/1/stop", { fields: {}, cookie, origin: "https://evil.test" });
    assert.equal(cross.status, 403);
    assert.equal([...dashboard.simulator.store.vms.values()][0]?.state, "RUNNING");
  }));

Deno.test("only allowed names and addresses are accepted, not similar ones (fault 19)", () => {
  const allowed = ["NAS.lan", "vms.lan:8080"];
  const ours = ["127.0.0.1:8080", "[::1]:8080", "[fd00::1]", "192.0.2.1", "localhost", "LocalHost:1"];
  for (const host of [...ours, "nas.lan:8080", "NAS.LAN", "vms.lan"]) {
    assert.ok(isAllowedHost(host, allowed), host);
  }
  const resembling = ["evilnas.lan", "evil.nas.lan", "nas.lan.evil.test", "nas.la", "lan", "as.lan"];
  const local = ["evillocalhost", "evil.localhost", "localhost.evil.test", "localhos"];
  const addresses = [
    "127.0.0.1.evil.test",
    "999.1.1.1",
    "127.1",
    "1.2.3",
    "[evil.test]",
    "[]",
    "[::1",
    "[1.2.3.4]",
  ];
  const odd = [
    "",
    ":80",
    "evil.test",
    "evil.test:8080",
    "nas.lan@evil.test",
    "evil.test/nas.lan",
    "[::1]evil.test",
  ];
  for (const host of [...resembling, ...local, ...addresses, "[::g]", "[:::]", "[::1]]", ...odd]) {
    assert.ok(!isAllowedHost(host, allowed), host);
  }
});

Deno.test("a foreign host name gets 421, and the answer does not repeat it", async () => {
  await using dashboard = await startDashboard();
  const { port } = new URL(dashboard.url);
  const connection = await Deno.connect({ hostname: "127.0.0.1", port: Number(port) });
  await connection.write(
    new TextEncoder().encode("GET /?evil HTTP/1.1\r\nHost: evil.test\r\nConnection: close\r\n\r\n"),
  );
  const answer = await new Response(connection.readable).text();
  assert.match(answer, /^HTTP\/1\.1 421/);
  assert.match(answer, /Add the name to ALLOWED_HOSTS/);
  assert.doesNotMatch(answer, /evil/i, "what was sent is not sent back");
});

Deno.test("changes are accepted only from the dashboard's own pages, whatever the content type (fault 18)", () =>
  withAccess(async (dashboard) => {
    const { cookie } = await signIn(dashboard, "open sesame");
    const TYPES = [
      "application/json",
      "application/json; charset=utf-8",
      "text/plain",
      "application/x-www-form-urlencoded",
      "",
    ];
    for (const type of TYPES) {
      for (const method of ["POST", "PUT", "DELETE", "PATCH"]) {
        for (const origin of ["https://evil.test", "null", dashboard.url.replace(/\d+$/, "1"), undefined]) {
          const headers = { cookie, "content-type": type, ...(origin === undefined ? {} : { origin }) };
          const refused = await fetch(`${dashboard.url}/vms/1/poweroff`, {
            method,
            headers,
            body: "{}",
          });
          await refused.body?.cancel();
          assert.equal(refused.status, 403, `${method} as ${type} from ${origin}`);
        }
      }
    }
    assert.equal([...dashboard.simulator.store.vms.values()][0]?.state, "RUNNING");
    const own = { cookie, "content-type": "application/json", origin: dashboard.url };
    const done = await fetch(`${dashboard.url}/vms/1/poweroff`, {
      method: "POST",
      headers: own,
      body: "{}",
      redirect: "manual",
    });
    await done.body?.cancel();
    assert.equal(done.status, 303, "the premise: from an own page it is done");
    const operation = dashboard.url + (done.headers.get("location") ?? "");
    await text(fetch(`${operation}/events`, { headers: { cookie } }));
    const hidden = { cookie, "sec-fetch-site": "same-origin", origin: "http://vms.lan" };
    assert.equal(
      (await send(dashboard, "/logout", { fields: {}, ...hidden })).status,
      303,
      "a proxy hides our name",
    );
  }));

Deno.test("no page can be shown in a frame of another site (fault 19)", () =>
  withAccess(async (dashboard) => {
    const { cookie } = await signIn(dashboard, "open sesame");
    for (
      const path of [
        "/",
        "/login",
        "/vms/1",
        "/vms/1/serial",
        "/no-such-page",
        "/export?format=csv",
        "/static/x",
      ]
    ) {
      for (const headers of [{ cookie }, { cookie: "" }]) {
        const answer = await send(dashboard, path, headers);
        assert.match(
          answer.headers.get("content-security-policy") ?? "",
          /(^|; )frame-ancestors 'none'(;|$)/,
          path,
        );
        assert.match(answer.headers.get("x-frame-options") ?? "", /^(DENY|SAMEORIGIN)$/, path);
        assert.equal(answer.headers.get("referrer-policy"), "same-origin", path);
      }
    }
  }));

Deno.test("a body that does not arrive times out, and one that is too large is not read", async () => {
  const never = new ReadableStream<Uint8Array>({ pull: () => new Promise(() => {}) });
  const request = new Request("http://localhost/", {
    method: "POST",
    body: never,
    headers: { "content-type": "application/x-www-form-urlencoded" },
  });
  await assert.rejects(() => readForm(request, 20), SlowBody);
  await using dashboard = await startDashboard();
  const large = await fetch(`${dashboard.url}/create/plan`, {
    method: "POST",
    headers: { origin: dashboard.url },
    body: new URLSearchParams({ x: "y".repeat(300_000) }),
  });
  assert.equal(large.status, 413);
  await large.body?.cancel();
});

Deno.test("constantTimeEqual() compares complete texts", () => {
  assert.ok(constantTimeEqual("a", "a") && !constantTimeEqual("a", "ab") && !constantTimeEqual("", "a"));
});

Deno.test("viewers cannot end an administrator's session by signing in often (fault 12)", () => {
  const sessions = new Sessions(() => 0, { ...SESSION_LIMITS, mostPerRole: 2 });
  const admin = sessions.start("admin");
  const [first, second] = [sessions.start("viewer"), sessions.start("viewer")];
  const ended = sessions.of(first)?.ended ?? assert.fail();
  assert.ok(sessions.of(second));
  sessions.of(first);
  for (let time = 0; time < 1; time++) sessions.start("viewer");
  assert.equal(sessions.of(second), null, "the one that was not used for longest ends");
  for (let time = 0; time < 1_000; time++) sessions.start("viewer");
  assert.ok(ended.aborted, "and what it has open is told");
  assert.equal(sessions.of(admin)?.role, "admin");
});

Deno.test("viewers cannot use up the tokens of an administrator's forms (fault 12)", () =>
  withAccess(async (dashboard) => {
    const admin = (await signIn(dashboard, "open sesame")).cookie;
    const viewer = (await signIn(dashboard, "just looking")).cookie;
    const page = "/vms/act?action=poweroff&id=1";
    const token = hidden((await send(dashboard, page, { cookie: admin })).body, "token");
    const headers = { cookie: viewer, host: new URL(dashboard.url).host };
    for (let time = 0; time < 1_001; time++) {
      const { status } = await dashboard.app.request(page, { headers });
      assert.equal(status, 200);
    }
    const fields = { action: "poweroff", id: "1", state: "RUNNING", token };
    const done = await send(dashboard, "/vms/act", { fields, cookie: admin });
    assert.equal(done.status, 303);
    await text(
      fetch(`${dashboard.url}${done.headers.get("location")}/events`, { headers: { cookie: admin } }),
    );
  }));

Deno.test("GET /metrics reports operations, steps, call times, connection and streams to signed-in clients", () =>
  withAccess(async (dashboard) => {
    assert.equal((await send(dashboard, "/metrics", {})).status, 401);
    await dashboard.manager.createVmType(dashboard.configuration().configuration, "controlplane", 5910);
    for (const id of dashboard.simulator.store.vms.keys()) {
      await dashboard.manager.inventory.live.refreshNow(id);
    }
    const authorization = `Basic ${btoa("prometheus:just looking")}`;
    const { status, headers, body } = await send(dashboard, "/metrics", { authorization });
    assert.equal(status, 200);
    assert.match(headers.get("content-type") ?? "", /^text\/plain; version=0\.0\.4/);
    assert.match(body, /^truenas_vm_manager_operations_total\{kind="create",status="done"\} 1$/m);
    assert.match(body, /^truenas_vm_manager_steps_total\{step="disk",status="done"\} 1$/m);
    assert.match(
      body,
      /^truenas_vm_manager_nas_call_seconds_count\{method="vm\.create",outcome="answered"\} 1$/m,
    );
    assert.match(body, /^truenas_vm_manager_connected 1$/m);
    assert.match(body, /^truenas_vm_manager_streams 0$/m);
    assert.match(body, /^truenas_vm_manager_vms\{state="RUNNING"\} 2$/m);
  }));

Deno.test("a host that no URL can contain is refused before it causes an error", () => {
  for (const host of ["localhost:99999", "127.0.0.1:65536", "[::1]:70000"]) {
    assert.ok(!isAllowedHost(host, []), host);
  }
});

Deno.test("without a password, a request through a proxy causes one warning in the log", async () => {
  const lines: string[] = [];
  const onLog = (message: string) => lines.push(message);
  await using dashboard = await startDashboard({ onLog });
  const warnings = () => lines.filter((line) => line.includes("reverse proxy"));
  await text(fetch(dashboard.url));
  assert.deepEqual(warnings(), []);
  for (const name of ["x-forwarded-for", "forwarded", "via"]) {
    await text(fetch(dashboard.url, { headers: { [name]: "192.0.2.7" } }));
  }
  assert.equal(warnings().length, 1);
  assert.match(warnings()[0] ?? "", /no password.*anyone.*Set DASHBOARD_PASSWORD/);
});

Deno.test("a script without an Origin header gets the one to send", () =>
  withAccess(async ({ url }) => {
    const authorization = `Basic ${btoa("script:open sesame")}`;
    const headers = { authorization, accept: "application/json", "content-type": "application/json" };
    const refused = await fetch(`${url}/vms/1/stop`, { method: "POST", body: "{}", headers });
    assert.equal(refused.status, 403);
    const { error, remedy } = await refused.json();
    assert.match(error, /without an Origin header\. Nothing was done/);
    assert.ok(remedy.includes(`"Origin: ${url}"`), remedy);
  }));

Deno.test("the serial page tells viewers that they cannot use it, and opens no console", () =>
  withAccess(async (dashboard) => {
    const { cookie } = await signIn(dashboard, "just looking");
    const { body } = await send(dashboard, "/vms/1/serial", { cookie });
    assert.match(body, /Viewers cannot make changes/);
    assert.doesNotMatch(body, /data-socket|Connecting/);
    const { cookie: admin } = await signIn(dashboard, "open sesame");
    assert.match((await send(dashboard, "/vms/1/serial", { cookie: admin })).body, /data-socket/);
  }));

Deno.test("a sign-in that cannot be recorded is refused with the reason, not as an internal error", async () => {
  await using dashboard = await startDashboard({
    access: ACCESS,
    manager: { journal: journalOn({ isFull: true }) },
  });
  const { status, body, headers } = await send(dashboard, "/login", {
    fields: { password: ACCESS.password },
  });
  assert.equal(status, 503);
  assert.match(body, /cannot write its journal: the disk is full; free some space/);
  assert.equal(headers.get("set-cookie"), null, "nobody is signed in without a record");
});
