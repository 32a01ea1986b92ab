/**
 * Protects the dashboard from hostile requests: every route (as the app lists them, so that none is forgotten) without
 * a session, with a viewer's, an expired and a forged one, from another site, under a foreign host name, with bodies
 * that are too large, too slow, broken or unexpected, and many times over. Nothing may reach the NAS.
 */
import assert from "node:assert/strict";
import { until } from "../support/deadline.ts";
import { powerOff, startDashboard, type TestDashboard } from "../support/pages/dashboard.ts";
import { cookieIn } from "../support/pages/http.ts";
import { ACCESS } from "../support/pages/access.ts";
import { readForm, SlowBody } from "../../routes/forms/read_form.ts";

/** Public, because they reveal nothing about the NAS. */
const OPEN = ["/login", "/logout", "/theme", "/healthz", "/readyz", "/favicon.ico"];

interface Route {
  readonly method: string;
  readonly path: string;
}

/** Every route, with a VM and an operation that are there in the place of parameters. */
function routesOf({ app, manager }: TestDashboard): Route[] {
  const operation = manager.operations.store.list()[0]?.id ??
    assert.fail("the premise: there is an operation");
  const VALUES = {
    ":id": "1",
    ":form": "settings",
    ":action": "start",
    ":name": "nic",
    ":file": "xterm.js",
  } as const;
  const fill = (path: string) =>
    Object.entries(VALUES).reduce(
      (filled, [name, value]) => filled.replace(name, value),
      path.replace("/operations/:id", `/operations/${operation}`),
    );
  const routes = app.routes.filter(({ method, path }) => method !== "ALL" && !path.includes("*"))
    .map(({ method, path }) => ({ method, path: fill(path) }));
  assert.ok(routes.every(({ path }) => !path.includes(":")), "every parameter is filled in");
  assert.ok(routes.length > 40, "the premise: the app lists its routes");
  return routes;
}

function guarded(dashboard: TestDashboard): Route[] {
  return routesOf(dashboard).filter(({ path }) => !OPEN.includes(path) && !path.startsWith("/static/"));
}

async function withHouse(test: (dashboard: TestDashboard, clock: { now: number }) => Promise<void>) {
  const clock = { now: Date.UTC(2026, 10, 23) };
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 1 },
    access: ACCESS,
    now: () => clock.now,
  });
  await powerOff(dashboard).finished;
  await test(dashboard, clock);
}

interface Answer {
  readonly status: number;
  readonly body: string;
  /** Headers and body. */
  readonly sent: string;
  readonly cookie: string;
}

/** Streams are read to their first bytes only. */
async function knock(
  { url }: TestDashboard,
  { method, path }: Route,
  { headers = {}, body }: { readonly headers?: HeadersInit; readonly body?: BodyInit } = {},
): Promise<Answer> {
  const gone = new AbortController();
  const response = await fetch(url + path, {
    method,
    redirect: "manual",
    signal: gone.signal,
    headers,
    ...(method === "POST"
      ? { body: body ?? new URLSearchParams({ a: "b" }) }
      : body === undefined
      ? {}
      : { body }),
  });
  const stream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const read = stream ? "" : await response.text();
  if (stream) gone.abort();
  const sent = `${[...response.headers].map((header) => header.join(": ")).join("\n")}\n\n${read}`;
  return { status: response.status, body: read, sent, cookie: cookieIn(response) };
}

/** What is the NAS's: its name and address, release, account, VMs, and the frame that would show them. */
function ofTheNas({ simulator, manager }: TestDashboard): RegExp {
  const { connection } = manager;
  const release = connection.state.kind === "live" ? connection.state.nas.release : null;
  assert.ok(release !== null, "the premise: there is something to tell");
  const words = [
    "nas.test",
    release,
    "as admin",
    "homeassistant",
    new URL(simulator.url).host,
  ];
  return new RegExp(
    [...words.map((word) => RegExp.escape(word)), "data-connection", "page-stream", "tank/"].join("|"),
  );
}

async function signIn(dashboard: TestDashboard, password: string): Promise<string> {
  const body = new URLSearchParams({ password });
  const { cookie } = await knock(dashboard, { method: "POST", path: "/login" }, {
    headers: { origin: dashboard.url },
    body,
  });
  assert.notEqual(cookie, "");
  return cookie;
}

/** Writes that reached the NAS since; looking again at what is there is no harm. */
function writesSince({ simulator }: TestDashboard, since: number): string[] {
  return simulator.calls.slice(since).map(({ method }) => method)
    .filter((method) =>
      /\.(create|update|delete|start|stop|poweroff|restart|suspend|resume|reset|clone)$/.test(method)
    );
}

Deno.test("without a valid session, no route reveals or does anything", () =>
  withHouse(async (dashboard, clock) => {
    const stale = await signIn(dashboard, ACCESS.password);
    clock.now += 13 * 3_600_000;
    const good = await signIn(dashboard, ACCESS.password);
    const [id = "", signature = ""] = good.split(".");
    const [name] = id.split("=");
    const forged = [
      `${id}.${signature.slice(0, -2)}xx`,
      `${id}.`,
      `${id}`,
      `${name}=`,
      `${name}=.`,
      `${name}=admin.${signature}`,
      `${name}=${"x".repeat(4_000)}`,
      `session=${good.slice(good.indexOf("=") + 1)}`,
    ];
    const since = dashboard.simulator.calls.length;
    const nas = ofTheNas(dashboard);
    const home = await knock(dashboard, { method: "GET", path: "/" }, { headers: { cookie: good } });
    assert.match(home.sent, nas, "the premise: to whoever has signed in it is told");
    for (const route of guarded(dashboard)) {
      for (const cookie of [undefined, stale, ...forged]) {
        const headers = { origin: dashboard.url, ...(cookie === undefined ? {} : { cookie }) };
        const { status, sent } = await knock(dashboard, route, { headers });
        const what = `${route.method} ${route.path} with ${cookie ?? "no cookie"}: ${status}`;
        assert.ok(status === 401 || (route.method === "GET" && status === 303), what);
        assert.doesNotMatch(sent, nas, what);
      }
    }
    assert.deepEqual(writesSince(dashboard, since), []);
  }));

Deno.test("without a session, no error or method reveals anything about the NAS (fault 10)", () =>
  withHouse(async (dashboard) => {
    const nas = ofTheNas(dashboard);
    const form = { "content-type": "application/x-www-form-urlencoded" };
    const large = { headers: { ...form, origin: dashboard.url }, body: `a=${"x".repeat(300_000)}` };
    const strange = { headers: { ...form, origin: "https://evil.test" }, body: "password=x" };
    const broken = { headers: { origin: dashboard.url, "content-type": "multipart/form-data" }, body: "x" };
    const paths = [
      ...OPEN,
      "/static/none.js",
      "/static/",
      "/no-such-page",
      "/vms/1",
      "/operations/x",
      "/login/x",
    ];
    const seen = new Set<number>();
    for (const path of paths) {
      for (const method of ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS"]) {
        for (const accept of ["text/html", "application/json", "text/event-stream"]) {
          for (
            const { headers, body } of [
              { headers: { origin: dashboard.url }, body: "" },
              large,
              strange,
              broken,
            ]
          ) {
            for (const htmx of ["true", "false"]) {
              const asked = { ...headers, accept, "hx-request": htmx };
              const withBody = method === "GET" || method === "HEAD" ? {} : { body };
              const { status, sent } = await knock(dashboard, { method, path }, {
                headers: asked,
                ...withBody,
              });
              assert.doesNotMatch(sent, nas, `${method} ${path} as ${accept}: ${status}`);
              seen.add(status);
            }
          }
        }
      }
    }
    for (const status of [200, 303, 400, 401, 403, 404, 413]) {
      assert.ok(seen.has(status), `the premise: ${status} was seen`);
    }
    dashboard.end();
    const ending = await knock(dashboard, { method: "POST", path: "/login" }, {
      headers: { origin: dashboard.url },
    });
    assert.equal(ending.status, 503);
    assert.doesNotMatch(ending.sent, nas);
  }));

Deno.test("viewers cannot change anything on any route", () =>
  withHouse(async (dashboard) => {
    const cookie = await signIn(dashboard, ACCESS.viewerPassword);
    const since = dashboard.simulator.calls.length;
    for (const route of guarded(dashboard)) {
      const { status } = await knock(dashboard, route, { headers: { origin: dashboard.url, cookie } });
      const what = `${route.method} ${route.path}: ${status}`;
      if (route.method === "POST" || route.path.endsWith("/serial/socket")) assert.equal(status, 403, what);
      else assert.ok(status < 500 && status !== 401, what);
    }
    assert.deepEqual(writesSince(dashboard, since), []);
  }));

Deno.test("forms and consoles of other sites are refused, even with a session", () =>
  withHouse(async (dashboard) => {
    const cookie = await signIn(dashboard, ACCESS.password);
    const since = dashboard.simulator.calls.length;
    const KINDS = ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"];
    const posts = guarded(dashboard).filter(({ method }) => method === "POST");
    for (
      const route of [...posts, { method: "POST", path: "/login" }, {
        method: "POST",
        path: "/logout",
      }] as const
    ) {
      for (const origin of ["https://evil.test", "null", `${dashboard.url}.evil.test`]) {
        for (const type of KINDS) {
          const headers = { cookie, origin, "content-type": type, "sec-fetch-site": "cross-site" };
          const { status } = await knock(dashboard, route, { headers, body: "a=b" });
          assert.equal(status, 403, `${route.path} from ${origin} as ${type}`);
        }
      }
    }
    for (const origin of ["https://evil.test", "null", "not an origin", ""]) {
      const headers = { cookie, origin, upgrade: "websocket", connection: "Upgrade" };
      const { status } = await knock(dashboard, { method: "GET", path: "/vms/1/serial/socket" }, { headers });
      assert.equal(status, 403, `a console from ${JSON.stringify(origin)}`);
    }
    assert.deepEqual(writesSince(dashboard, since), []);
    assert.equal((await knock(dashboard, { method: "GET", path: "/" }, { headers: { cookie } })).status, 200);
  }));

Deno.test("large, broken and unexpected bodies get a 4xx on every route and have no effect", () =>
  withHouse(async (dashboard) => {
    const cookie = await signIn(dashboard, ACCESS.password);
    const since = dashboard.simulator.calls.length;
    const multipart = "multipart/form-data; boundary=x";
    const form = "application/x-www-form-urlencoded";
    const BODIES: readonly (readonly [string, string, BodyInit])[] = [
      ["too large", form, `a=${"x".repeat(300_000)}`],
      ["a broken multipart", multipart, "--x\r\nContent-Disposition: form-data"],
      ["a multipart without a boundary", "multipart/form-data", "abc"],
      ["JSON", "application/json", '{"count": 99}'],
      ["bytes", "application/octet-stream", new Uint8Array([0, 255, 1, 254])],
      ["broken escapes", form, "token=%zz&plan=%00%ff&phrase=%E0%A4%A"],
      ["nothing", form, ""],
    ];
    for (const route of guarded(dashboard).filter(({ method }) => method === "POST")) {
      for (const [what, type, body] of BODIES) {
        const headers = { cookie, origin: dashboard.url, "content-type": type };
        const { status } = await knock(dashboard, route, { headers, body });
        // What needs no field works with an odd body as with none: it is led back to its page.
        assert.ok(status < 500, `${what} to ${route.path}: ${status}`);
        if (what === "too large") assert.equal(status, 413, route.path);
      }
    }
    // A start of the VM needs no field, and is the one thing that a signed-in person's odd body may do.
    assert.deepEqual(writesSince(dashboard, since).filter((method) => method !== "vm.start"), []);
  }));

Deno.test("unusual paths, queries and headers never cause an internal error", () =>
  withHouse(async (dashboard) => {
    const cookie = await signIn(dashboard, ACCESS.password);
    const PATHS = [
      "/vms/%zz",
      "/vms/-1",
      "/vms/1e3",
      "/vms/999999999999999999999",
      "/vms/1%00",
      "/operations/..%2f..%2fetc",
      "/static/../main.ts",
      "/static/%2e%2e/deno.json",
      `/?q=${"x".repeat(5_000)}`,
      "/?sort=constructor",
      "/?sort=-__proto__",
      "/?state=%F0%9F%A7%8A&type=%3Cscript%3E",
      "/export?format=__proto__",
      "/export?format=constructor",
      "/vms/act?action=__proto__&id=1",
      "/vms/act?action=start&id=1&id=x&id=-1",
      "/destroy?prefixes=%0a%0d",
      "/operations/x/events?after=-5",
      "//evil.test/",
    ];
    for (const path of PATHS) {
      const { status, body } = await knock(dashboard, { method: "GET", path }, { headers: { cookie } });
      assert.ok(status < 500, `${path}: ${status}`);
      assert.doesNotMatch(body, /<script>alert|at file:/, path);
    }
    const headers = {
      cookie,
      "last-event-id": "9".repeat(400),
      accept: "application/json;q=x",
      "hx-request": "maybe",
    };
    for (const route of guarded(dashboard).filter(({ method }) => method === "GET")) {
      const { status } = await knock(dashboard, route, { headers });
      assert.ok(status < 500 || route.path === "/vms/1/console/nas", `${route.path}: ${status}`);
    }
  }));

Deno.test("a scanner at the sign-in has to wait, and signed-in people do not", () =>
  withHouse(async (dashboard) => {
    const cookie = await signIn(dashboard, ACCESS.viewerPassword);
    const guess = (password: string) =>
      knock(dashboard, { method: "POST", path: "/login" }, {
        headers: { origin: dashboard.url },
        body: new URLSearchParams({ password }),
      });
    const statuses = await Promise.all(
      Array.from({ length: 200 }, async (_, n) => (await guess(`guess ${n}`)).status),
    );
    assert.ok(statuses.filter((status) => status === 401).length <= 10, "only a few are tried");
    assert.equal((await guess(ACCESS.password)).status, 429, "and then not even the right one from there");
    assert.equal((await knock(dashboard, { method: "GET", path: "/" }, { headers: { cookie } })).status, 200);
  }));

Deno.test("a form sent many times at once acts once", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  const post = (path: string, fields: Record<string, string>) =>
    knock(dashboard, { method: "POST", path }, {
      headers: { origin: dashboard.url },
      body: new URLSearchParams(fields),
    });
  const since = dashboard.simulator.calls.length;
  await Promise.all(Array.from({ length: 20 }, () => post("/vms/1/poweroff", { state: "RUNNING" })));
  const { store } = dashboard.manager.operations;
  await until(
    "the operations end",
    () => store.list().every(({ status }) => status !== "running"),
    (look) => store.onEvent(look),
  );
  assert.deepEqual(writesSince(dashboard, since), ["vm.poweroff"]);
});

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
