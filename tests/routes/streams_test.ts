/**
 * Protects live pages from clients that open many streams: each stream ends with its reader and its session, and other
 * sites cannot open any.
 */
import assert from "node:assert/strict";
import { mock } from "node:test";
import { SESSION_LIMITS } from "../../routes/auth/sessions.ts";
import { powerOff, startDashboard, type TestDashboard } from "../support/pages/dashboard.ts";
import { soon } from "../support/deadline.ts";
import { send, signIn, text } from "../support/pages/http.ts";

async function openStreams({ url }: TestDashboard): Promise<number> {
  const metrics = await text(fetch(`${url}/metrics`));
  return Number(/^truenas_vm_manager_streams (\d+)$/m.exec(metrics)?.[1] ?? assert.fail(metrics));
}

/** Every stream that the app has. */
function streamsOf({ app, manager }: TestDashboard): string[] {
  const operation = manager.operations.store.list()[0]?.id ??
    assert.fail("the premise: there is an operation");
  const paths = app.routes.filter(({ method, path }) => method === "GET" && path.endsWith("/events"))
    .map(({ path }) => path.replace("/operations/:id", `/operations/${operation}`).replace(":id", "1"));
  assert.ok(paths.length >= 3 && paths.every((path) => !path.includes(":")), paths.join(" "));
  return [...paths, "/events?only=connection"];
}

async function withStreams(
  test: (dashboard: TestDashboard, paths: string[]) => Promise<void>,
): Promise<void> {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  await powerOff(dashboard).finished;
  await test(dashboard, streamsOf(dashboard));
}

Deno.test("HEAD requests open no stream (fault 8)", () =>
  withStreams(async (dashboard, paths) => {
    for (const path of paths) {
      for (let time = 0; time < 50; time++) {
        const response = await fetch(dashboard.url + path, { method: "HEAD" });
        assert.deepEqual(
          [response.status, response.headers.get("content-type")],
          [200, "text/event-stream"],
          path,
        );
      }
    }
    assert.equal(await openStreams(dashboard), 0);
    const socket = await fetch(`${dashboard.url}/vms/1/serial/socket`, {
      method: "HEAD",
      headers: { origin: dashboard.url, upgrade: "websocket", connection: "Upgrade" },
    });
    assert.equal(socket.status, 426);
  }));

Deno.test("pages of other sites cannot open streams (fault 8)", () =>
  withStreams(async (dashboard, paths) => {
    for (const path of paths) {
      for (const site of ["cross-site", "same-site"]) {
        const response = await fetch(dashboard.url + path, { headers: { "sec-fetch-site": site } });
        await response.body?.cancel();
        assert.equal(response.status, 403, `${path} from ${site}`);
      }
    }
    assert.equal(await openStreams(dashboard), 0);
  }));

const ACCESS = { password: "open sesame", viewerPassword: "just looking" };

/** Later than any beat of a stream. */
const BEAT_MS = 20_000;

/** A test in which the streams' beats come when it says so. */
async function withBeats(
  test: (dashboard: TestDashboard, pass: (ms: number) => void) => Promise<void>,
): Promise<void> {
  const clock = { now: Date.UTC(2026, 10, 23) };
  mock.timers.enable({ apis: ["setInterval"] });
  try {
    await using dashboard = await startDashboard({
      simulator: { foreignVms: 1 },
      access: ACCESS,
      now: () => clock.now,
    });
    await test(dashboard, (ms) => {
      clock.now += ms;
      mock.timers.tick(BEAT_MS);
    });
  } finally {
    mock.timers.reset();
  }
}

/** Opens a stream, and gives what waits for its end. */
async function openStream(
  { url }: TestDashboard,
  cookie: string,
): Promise<() => Promise<string>> {
  const response = await fetch(`${url}/events`, { headers: { cookie, accept: "text/event-stream" } });
  assert.equal(response.status, 200);
  const body = response.text();
  return () => soon(body, "the stream ends");
}

Deno.test("a stream ends with its session, on sign-out and on timeout, without another request (fault 11)", () =>
  withBeats(async (dashboard, pass) => {
    const out = (await signIn(dashboard, ACCESS.password)).cookie;
    const [left, other] = [await openStream(dashboard, out), await openStream(dashboard, out)];
    const kept = (await signIn(dashboard, ACCESS.password)).cookie;
    const stream = await openStream(dashboard, kept);
    await send(dashboard, "/logout", { fields: {}, cookie: out });
    await Promise.all([left(), other()]);
    assert.match(
      (await send(dashboard, "/metrics", { cookie: kept })).body,
      /^truenas_vm_manager_streams 1$/m,
    );
    pass(SESSION_LIMITS.absoluteMs + 1);
    await stream();
  }));

Deno.test("a stream ends when its session is dropped for others (fault 11)", () =>
  withBeats(async (dashboard) => {
    const { cookie } = await signIn(dashboard, ACCESS.viewerPassword);
    const stream = await openStream(dashboard, cookie);
    for (let time = 0; time < SESSION_LIMITS.mostPerRole; time++) {
      await signIn(dashboard, ACCESS.viewerPassword);
    }
    await stream();
    assert.equal((await send(dashboard, "/", { cookie })).status, 303);
  }));

Deno.test("an open page keeps its session active, but not beyond its maximum age (fault 11)", () =>
  withBeats(async (dashboard, pass) => {
    const { cookie } = await signIn(dashboard, ACCESS.password);
    const stream = await openStream(dashboard, cookie);
    for (
      let passed = 0;
      passed + SESSION_LIMITS.idleMs < SESSION_LIMITS.absoluteMs;
      passed += SESSION_LIMITS.idleMs
    ) {
      pass(SESSION_LIMITS.idleMs);
    }
    assert.equal((await send(dashboard, "/", { cookie })).status, 200);
    pass(SESSION_LIMITS.idleMs);
    pass(1);
    await stream();
    assert.equal((await send(dashboard, "/", { cookie })).status, 303);
  }));

Deno.test("one session cannot use up the streams of all (fault 8)", async () => {
  await using dashboard = await startDashboard({ access: ACCESS });
  const { cookie } = await signIn(dashboard, ACCESS.viewerPassword);
  const own = { headers: { cookie } };
  const streams = await Promise.all(Array.from({ length: 101 }, () => fetch(`${dashboard.url}/events`, own)));
  assert.equal(streams.filter(({ status }) => status === 503).length, 1);
  const admin = (await signIn(dashboard, ACCESS.password)).cookie;
  const other = await fetch(`${dashboard.url}/events`, { headers: { cookie: admin } });
  assert.equal(other.status, 200);
  await Promise.all([...streams, other].map(({ body }) => body?.cancel()));
});
