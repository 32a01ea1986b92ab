/** Protects the choice of colours: a form sets a cookie and leads back, signed in or not, and never off this site. */
import assert from "node:assert/strict";
import { cookieIn, post, send, signIn, text, withDashboard } from "../support/pages/http.ts";

Deno.test("POST /theme keeps the choice in a cookie and leads back to the page", () =>
  withDashboard({}, async (dashboard) => {
    const before = await text(fetch(`${dashboard.url}/operations`));
    assert.match(before, /<html lang="en" data-theme="system">/);
    const answer = await send(dashboard, "/theme", { fields: { theme: "dark", to: "/operations" } });
    assert.equal(answer.status, 303);
    assert.equal(answer.headers.get("location"), "/operations");
    const cookie = cookieIn(answer);
    const after = await text(fetch(`${dashboard.url}/operations`, { headers: { cookie } }));
    assert.match(after, /<html lang="en" data-theme="dark">/);
    assert.match(after, /<meta name="color-scheme" content="dark">/);
    assert.match(after, /value="dark" aria-pressed="true"/);
    const forged = await text(fetch(dashboard.url, { headers: { cookie: "vm-manager-theme=<b>" } }));
    assert.match(forged, /data-theme="system"/);
  }));

Deno.test("POST /theme refuses unknown themes, and leads to no other site", () =>
  withDashboard({}, async (dashboard) => {
    const unknown = await post(dashboard, "/theme", { theme: "neon", to: "/" });
    assert.equal(unknown.status, 422);
    assert.match(await unknown.text(), /Choose system, light or dark/);
    const elsewhere = await send(dashboard, "/theme", { fields: { theme: "light", to: "//evil.example" } });
    assert.equal(elsewhere.headers.get("location"), "/");
  }));

Deno.test("visitors and viewers choose a theme as well", () =>
  withDashboard({ access: { password: "open sesame", viewerPassword: "look" } }, async (dashboard) => {
    const page = await text(fetch(`${dashboard.url}/login`));
    assert.match(page, /action="\/theme"/);
    const viewer = (await signIn(dashboard, "look")).cookie;
    for (const [session, to] of [["", "/login"], [viewer, "/operations"]] as const) {
      const fields = { theme: "light", to };
      const answer = await send(dashboard, "/theme", { fields, cookie: session });
      assert.deepEqual([answer.status, answer.headers.get("location")], [303, to]);
      const shown = await send(dashboard, to, { cookie: `${session}; ${cookieIn(answer)}` });
      assert.equal(shown.status, 200);
      assert.match(shown.body, /<html lang="en" data-theme="light">/, to);
    }
  }));
