/**
 * Protects sessions: how long they last, what ends them, that none can be forged or taken over, and that none starts
 * without a record. Real HTTP.
 */
import assert from "node:assert/strict";
import { journalOn, startDashboard } from "../../support/pages/dashboard.ts";
import { ACCESS, withAccess } from "../../support/pages/access.ts";
import { cookieIn, send, signIn } from "../../support/pages/http.ts";
import { SESSION_LIMITS, Sessions } from "../../../routes/auth/sessions.ts";
import type { AccessOptions } from "../../../routes/server/dashboard.ts";

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
