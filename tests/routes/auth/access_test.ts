/**
 * Protects what people may see and do: every route without a session, with a viewer's and with an administrator's. Real
 * HTTP.
 */
import assert from "node:assert/strict";
import { powerOff } from "../../support/pages/dashboard.ts";
import { ACCESS, withAccess } from "../../support/pages/access.ts";
import { hidden, send, signIn, text } from "../../support/pages/http.ts";

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

Deno.test("the metrics token opens the metrics and nothing else, and guessing it has limits", () =>
  withAccess(async (dashboard) => {
    const scrape = (token: string, path = "/metrics", init: RequestInit = {}) =>
      fetch(`${dashboard.url}${path}`, {
        redirect: "manual",
        ...init,
        headers: { accept: "application/json", authorization: `Bearer ${token}` },
      }).then(async (answer) => [answer.status, await answer.text()] as const);
    const [status, text] = await scrape(ACCESS.metricsToken);
    assert.deepEqual([status, /^truenas_vm_manager_connected 1$/m.test(text)], [200, true]);
    for (const path of ["/", "/operations", "/vms/1", "/metrics/..", "/events"]) {
      assert.equal((await scrape(ACCESS.metricsToken, path))[0], 401, path);
    }
    assert.equal((await scrape(ACCESS.metricsToken, "/vms/1/start", { method: "POST" }))[0], 401);
    for (const other of [ACCESS.password, ACCESS.metricsToken.slice(1)]) {
      assert.equal((await scrape(other))[0], 401, "only the token is one");
    }
    for (let n = 0; n < 10; n++) await scrape(`guess${n}`);
    assert.equal((await scrape(ACCESS.metricsToken))[0], 429, "who guesses has to wait");
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

Deno.test("the serial page tells viewers that they cannot use it, and opens no console", () =>
  withAccess(async (dashboard) => {
    const { cookie } = await signIn(dashboard, "just looking");
    const { body } = await send(dashboard, "/vms/1/serial", { cookie });
    assert.match(body, /Viewers cannot make changes/);
    assert.doesNotMatch(body, /data-socket|Connecting/);
    const { cookie: admin } = await signIn(dashboard, "open sesame");
    assert.match((await send(dashboard, "/vms/1/serial", { cookie: admin })).body, /data-socket/);
  }));
