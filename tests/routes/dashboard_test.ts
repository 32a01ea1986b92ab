/**
 * Protects what all pages have in common, as scripts and browsers without JavaScript use them: pages or their content,
 * statuses, a lost connection, an invalid configuration, and no secret anywhere. Real HTTP to a real dashboard against the
 * simulated NAS.
 */
import assert from "node:assert/strict";
import { DISPLAY_PASSWORD } from "../support/pages/dashboard.ts";
import { finishedOperation, FORM, planned, post, text, withDashboard } from "../support/pages/http.ts";

Deno.test("the same URL answers with a page, or with its content for htmx", () =>
  withDashboard({ simulator: { foreignVms: 1 } }, async ({ url }) => {
    for (const path of ["/", "/create", "/destroy", "/operations", "/vms/1"]) {
      const part = await text(fetch(url + path, { headers: { "hx-request": "true" } }));
      assert.doesNotMatch(part, /<html|<header class="site"|DOCTYPE/, path);
      assert.match(part, /<h1/, path);
      assert.match(await text(fetch(url + path)), /^<!DOCTYPE html><html/, path);
    }
    const missing = await text(fetch(`${url}/vms/99`, { headers: { "hx-request": "true" } }));
    assert.match(missing, /^<div class="notice/);
  }));

Deno.test("POST answers 400 without a form, 413 if too large, 403 from another site", () =>
  withDashboard({}, async (dashboard) => {
    const headers = { origin: dashboard.url };
    for (const path of ["/create", "/create/plan", "/destroy"]) {
      const response = await fetch(dashboard.url + path, { method: "POST", headers });
      await response.body?.cancel();
      assert.equal(response.status, 400, path);
    }
    const large = await post(dashboard, "/create", { ...FORM, note: "x".repeat(300_000) });
    await large.body?.cancel();
    assert.equal(large.status, 413);
    const foreign = await post(dashboard, "/create", FORM, {
      origin: "https://evil.example",
      "sec-fetch-site": "cross-site",
    });
    await foreign.body?.cancel();
    assert.equal(foreign.status, 403);
  }));

Deno.test("unknown operations and VMs are 404; the stream of an unknown operation ends at once", () =>
  withDashboard({}, async ({ url }) => {
    for (const path of ["/operations/nope", "/vms/99", "/vms/x", "/nowhere"]) {
      const response = await fetch(url + path);
      await response.body?.cancel();
      assert.equal(response.status, 404, path);
    }
    assert.match(await text(fetch(`${url}/operations/nope/events`)), /event: end/);
    const json = await fetch(`${url}/operations/nope`, { headers: { accept: "application/json" } });
    assert.ok("error" in await json.json());
  }));

Deno.test("without a connection, pages say why and keep the entries", () =>
  withDashboard({}, async (dashboard) => {
    await dashboard.simulator.stop();
    await text(fetch(dashboard.url));
    const response = await post(dashboard, "/create/plan", { ...FORM, "worker.count": "x" });
    assert.equal(response.status, 422, "a mistake in the form needs no NAS");
    assert.match(await response.text(), /value="x"/);
    const planned = await post(dashboard, "/create/plan", { ...FORM, "worker.count": "7" });
    assert.equal(planned.status, 503);
    const kept = await planned.text();
    assert.match(kept, /name="worker\.count" value="7"/);
    assert.match(kept, /Your entries are kept/);
    assert.match(kept, /data-connection="(reconnecting|offline)"/);
    const destroy = await fetch(`${dashboard.url}/destroy`);
    assert.equal(destroy.status, 503);
    assert.match(await destroy.text(), /NAS not connected/);
    const ready = await fetch(`${dashboard.url}/readyz`);
    assert.equal(ready.status, 503);
    await ready.body?.cancel();
    assert.equal(await text(fetch(`${dashboard.url}/healthz`)), "ok\n");
  }));

Deno.test("an invalid configuration is explained with line and column", () =>
  withDashboard({ config: "storage:\n  pool_path: tank/vms\n  cdrom: x\n" }, async ({ url }) => {
    const response = await fetch(`${url}/create`);
    assert.equal(response.status, 422);
    const html = await response.text();
    assert.match(html, /line 3, column/);
    assert.match(html, /Unknown key/);
  }));

Deno.test("the display password appears in no page, stream, JSON or log", async () => {
  const lines: string[] = [];
  await withDashboard(
    { onLog: (message, fields) => lines.push(message + JSON.stringify(fields)) },
    async (dashboard) => {
      const { token, plan } = await planned(dashboard);
      const created = await post(dashboard, "/create", { ...FORM, token, plan });
      await created.body?.cancel();
      const path = created.headers.get("location") ?? "";
      await finishedOperation(dashboard, path);
      const sent = JSON.stringify(dashboard.simulator.calls.map(({ params }) => params));
      assert.ok(sent.includes(DISPLAY_PASSWORD), "it was sent to the NAS");
      const pages = ["/", "/create", "/destroy", "/operations", path, `${path}/events`, "/vms/1"];
      const bodies = await Promise.all(pages.map((page) => text(fetch(dashboard.url + page))));
      const json = await Promise.all(
        ["/", path, "/vms/1"].map((page) =>
          text(fetch(dashboard.url + page, { headers: { accept: "application/json" } }))
        ),
      );
      for (const emitted of [...bodies, ...json, ...lines]) {
        assert.ok(!emitted.includes(DISPLAY_PASSWORD));
      }
    },
  );
});
