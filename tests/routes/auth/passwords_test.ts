/**
 * Protects the passwords: a wrong one is counted, logged and recorded however it was given, guessing is limited by network
 * and in total, and nobody is locked out by others. Real HTTP.
 */
import assert from "node:assert/strict";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import { withAccess } from "../../support/pages/access.ts";
import { repeatedly } from "../../support/deadline.ts";
import { send, signIn } from "../../support/pages/http.ts";
import { constantTimeEqual } from "../../../lib/hashes.ts";
import { ATTEMPT_LIMITS } from "../../../routes/auth/attempts.ts";

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

Deno.test("constantTimeEqual() compares complete texts", () => {
  assert.ok(constantTimeEqual("a", "a") && !constantTimeEqual("a", "ab") && !constantTimeEqual("", "a"));
});
