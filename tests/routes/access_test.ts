/**
 * Protects the dashboard from whoever does not belong: every route without a session, with a viewer's, a stale, a
 * forged and a revoked one; foreign names, other sites, floods of passwords; and slow and large bodies. Real HTTP.
 */
import assert from "node:assert/strict";
import { startDashboard, type TestDashboard } from "../support/dashboard.ts";
import { send, signIn, text } from "../support/http.ts";
import { readForm, SlowBody } from "../../routes/forms.ts";
import { isAllowedHost } from "../../routes/access.tsx";
import { isSame } from "../../lib/hashes.ts";
import { ATTEMPT_LIMITS, SESSION_LIMITS, Sessions } from "../../routes/sessions.ts";

const ACCESS = { password: "open sesame", viewerPassword: "just looking" };

async function withAccess(
  test: (dashboard: TestDashboard, clock: { now: number }) => Promise<void>,
  logged: string[] = [],
): Promise<void> {
  const clock = { now: Date.UTC(2026, 10, 23) };
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    access: ACCESS,
    now: () => clock.now,
    onLog: (message, fields) => logged.push(`${message} ${JSON.stringify(fields)}`),
  });
  await test(dashboard, clock);
}

const PAGES = [
  "/",
  "/create",
  "/destroy",
  "/orphans",
  "/operations",
  "/connection",
  "/vms/1",
  "/vms/1/console.vv",
];
const POSTS = [
  "/create",
  "/create/plan",
  "/destroy",
  "/orphans",
  "/vms/act",
  "/vms/1/start",
  "/vms/1/settings",
  "/operations/x/cancel",
  "/operations/x/resume",
  "/connection/otp",
];

Deno.test("without a session every page leads to the sign-in, and nothing is told or done", () =>
  withAccess(async (dashboard) => {
    for (const path of PAGES) {
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

Deno.test("signing in leads back to the page of a stream or a form, and not to either (fault 31)", () =>
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

Deno.test("the right password opens, leads back to the page asked for, and its cookie is closely kept", () =>
  withAccess(async (dashboard) => {
    const wrong = await signIn(dashboard, "open sesam");
    assert.equal(wrong.status, 401);
    assert.match(wrong.body, /The password is wrong/);
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
      assert.match(body, /may see and not change/);
    }
    assert.equal(dashboard.simulator.calls.length, before, "nothing was sent");
    const list = (await send(dashboard, "/", { cookie })).body;
    assert.doesNotMatch(list, /Create VMs|Destroy VMs|Shut down|With the selected/);
    assert.doesNotMatch((await send(dashboard, "/vms/1", { cookie })).body, /Save settings|Remove this/);
  }));

Deno.test("a session ends when it is idle, in the end, by signing out, and when it is forged", () =>
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
    for (
      const forged of [
        "session=",
        "session=x.y",
        good.replace(/\.[^.]*$/, ".AAAA"),
        `${good}A`,
        "session=a.b.c",
      ]
    ) {
      assert.ok(!await isOpen(forged), forged);
    }
    clock.now -= 24 * 3_600_000;
    assert.ok(!await isOpen(good), "a clock that jumps back keeps no session");
  }));

Deno.test("passwords cannot be tried out: by address, with a time to wait, and the password is logged nowhere", () => {
  const logged: string[] = [];
  return withAccess(async (dashboard, clock) => {
    for (let n = 0; n < ATTEMPT_LIMITS.perAddress; n++) {
      assert.equal((await signIn(dashboard, `guess ${n}`)).status, 401);
    }
    const stopped = await signIn(dashboard, "open sesame");
    assert.equal(stopped.status, 429, "even the right one has to wait");
    assert.equal(stopped.headers.get("retry-after"), String(ATTEMPT_LIMITS.windowMs / 1000));
    const basic = `Basic ${btoa("x:open sesame")}`;
    assert.equal(
      (await send(dashboard, "/", { authorization: basic, accept: "application/json" })).status,
      401,
    );
    clock.now += ATTEMPT_LIMITS.windowMs;
    assert.equal((await signIn(dashboard, "open sesame")).status, 303);
    assert.ok(logged.some((line) => line.startsWith("A wrong password")));
    assert.ok(!/guess|sesame/.test(logged.join("\n")));
  }, logged);
});

Deno.test("a form from another site, and a foreign name for this address, are refused", () =>
  withAccess(async (dashboard) => {
    const { cookie } = await signIn(dashboard, "open sesame");
    const cross = await send(dashboard, "/vms/1/stop", { fields: {}, cookie, origin: "https://evil.test" });
    assert.equal(cross.status, 403);
    assert.equal([...dashboard.simulator.store.vms.values()][0]?.state, "RUNNING");
  }));

Deno.test("only our own names and addresses lead here, not what begins, ends or looks like them (fault 19)", () => {
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

Deno.test("a host name that is not ours gets 421, told without an echo of what was sent", async () => {
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

Deno.test("what changes something comes from an own page, whatever its body is said to be (fault 18)", () =>
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

Deno.test("no page of this site may be shown in a frame of another (fault 19)", () =>
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

Deno.test("a body that does not arrive ends in time, and one that is too large is not read", async () => {
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

Deno.test("sessions are limited in number, and isSame() compares whole texts", () => {
  const sessions = new Sessions(() => 0, { ...SESSION_LIMITS, most: 2 });
  const [first, second, third] = [sessions.begin("admin"), sessions.begin("viewer"), sessions.begin("admin")];
  assert.deepEqual([first, second, third].map((cookie) => sessions.roleOf(cookie)), [
    null,
    "viewer",
    "admin",
  ]);
  assert.ok(isSame("a", "a") && !isSame("a", "ab") && !isSame("", "a"));
});

Deno.test("GET /metrics tells operations, steps, call times, connection and streams, to whoever may see", () =>
  withAccess(async (dashboard) => {
    assert.equal((await send(dashboard, "/metrics", {})).status, 401);
    await dashboard.manager.createVmType(dashboard.configuration().configuration, "controlplane", 5910);
    for (const id of dashboard.simulator.store.vms.keys()) await dashboard.manager.live.refreshNow(id);
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
