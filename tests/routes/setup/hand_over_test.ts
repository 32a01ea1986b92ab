/**
 * Protects the way between set-up and the dashboard: a browser that is signed in to one is not asked for the same password by
 * the other, and what hands it over cannot be guessed, read, used twice or used later. Over real HTTP.
 */
import assert from "node:assert/strict";
import { HAND_OVER_SECONDS, type HandOver } from "../../../routes/auth/hand_over.ts";
import { SESSION_LIMITS } from "../../../routes/auth/sessions.ts";
import { ACCESS } from "../../support/pages/access.ts";
import { startDashboard, type TestDashboard } from "../../support/pages/dashboard.ts";
import { cookieIn, post, send, signIn, text } from "../../support/pages/http.ts";
import { SetupBrowser, startSetup, toPlace } from "../../support/pages/setup.ts";

const NOW = Date.UTC(2026, 10, 27);

/** A new password is set, and the dashboard is opened; the token is in a cookie. */
async function handedOver(): Promise<{ token: string; handOver: HandOver }> {
  await using setup = await startSetup({ code: "abcd-efgh", now: () => NOW });
  const browser = new SetupBrowser(setup);
  await browser.submit("enter", { code: "abcd-efgh" });
  const { password } = ACCESS;
  await browser.submit("protect", { dashboard_password: password, dashboard_password_again: password });
  await toPlace(browser, setup);
  await browser.submit("place", { dataset: "tank/vms", iso: "later" });
  const opening = await browser.submit("open");
  const [set = ""] = opening.headers.getSetCookie();
  assert.match(set, /^vm-manager-hand-over-\d+=[\w-]{43}; Max-Age=60; Path=\/; HttpOnly; SameSite=Strict$/);
  const token = /=([^;]+)/.exec(set)?.[1] ?? "";
  const handOver = setup.handOver() ?? assert.fail("nobody was handed over");
  assert.ok(!opening.html.includes(token), "not in a page or an address");
  assert.ok(!JSON.stringify(handOver).includes(token), "the other part learns its hash only");
  return { token, handOver };
}

/** Opens the sign-in page with a token. */
async function arrive(dashboard: TestDashboard, token: string, method = "GET"): Promise<Response> {
  const { port } = new URL(dashboard.url);
  const headers = { cookie: `vm-manager-hand-over-${port}=${token}` };
  return await fetch(`${dashboard.url}/login?to=%2Foperations`, { method, headers, redirect: "manual" });
}

/** A dashboard at a time after the hand-over. */
function dashboardLater(handOver: HandOver, laterMs: number): Promise<TestDashboard> {
  return startDashboard({ access: ACCESS, handOver, now: () => NOW + laterMs });
}

/** The session that a token gave; null if the password is asked for. */
async function sessionBy(dashboard: TestDashboard, token: string): Promise<string | null> {
  const answer = await arrive(dashboard, token);
  const html = await answer.text();
  if (answer.status === 303) return cookieIn(answer);
  assert.equal(answer.status, 200);
  assert.match(html, /Dashboard password/);
  return null;
}

Deno.test("the browser that set the dashboard's password during set-up is signed in to the dashboard, once", async () => {
  const { token, handOver } = await handedOver();
  await using dashboard = await dashboardLater(handOver, 5_000);
  const asked = await arrive(dashboard, token, "HEAD");
  assert.equal(asked.status, 200, "asking whether the dashboard answers uses nothing up");
  const home = await fetch(dashboard.url, { method: "HEAD", redirect: "manual" });
  assert.equal(home.status, 303, "and is answered as the page would be");
  const answer = await arrive(dashboard, token);
  assert.deepEqual([answer.status, answer.headers.get("location")], [303, "/operations"]);
  await answer.body?.cancel();
  const [gone = ""] = answer.headers.getSetCookie();
  assert.match(gone, /^vm-manager-hand-over-\d+=; Max-Age=0;/);
  const cookie = cookieIn(answer);
  assert.equal((await send(dashboard, "/operations", { cookie })).status, 200);
  assert.equal(await sessionBy(dashboard, token), null, "a second time");
  assert.match((await send(dashboard, "/operations/audit", { cookie })).body, /Sign in, from set-up/);
});

Deno.test("what hands a browser over is refused after a minute, before its time, and when it is another one", async () => {
  const { token, handOver } = await handedOver();
  for (const laterMs of [HAND_OVER_SECONDS * 1_000, 3_600_000, -1_000]) {
    await using dashboard = await dashboardLater(handOver, laterMs);
    assert.equal(await sessionBy(dashboard, token), null, `after ${laterMs} ms`);
  }
  await using dashboard = await dashboardLater(handOver, 1_000);
  for (const wrong of ["", "x".repeat(43), handOver.hash, token.slice(1)]) {
    assert.equal(await sessionBy(dashboard, wrong), null, wrong);
  }
  assert.notEqual(await sessionBy(dashboard, token), null, "wrong ones do not use it up");
});

Deno.test("a session that was handed over ends as if the person had signed in to the dashboard", async () => {
  const { token, handOver } = await handedOver();
  assert.equal(handOver.since, NOW);
  const since = NOW - SESSION_LIMITS.absoluteMs - 1;
  await using dashboard = await dashboardLater({ ...handOver, since }, 1_000);
  const cookie = await sessionBy(dashboard, token) ?? assert.fail("not taken over");
  assert.equal((await send(dashboard, "/operations", { cookie })).status, 303);
});

Deno.test("without a password of the dashboard, set-up hands nobody over", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toPlace(browser, setup);
  await browser.submit("place", { dataset: "tank/vms", iso: "later" });
  const opening = await browser.submit("open");
  assert.deepEqual([opening.headers.getSetCookie(), setup.handOver()], [[], null]);
});

Deno.test("an administrator who changes the connection is not asked for the password by set-up; a script is", async () => {
  let handOver: HandOver | null = null;
  await using dashboard = await startDashboard({ access: ACCESS, onSetup: (it) => handOver = it });
  const { cookie } = await signIn(dashboard, ACCESS.password);
  const opening = await post(dashboard, "/setup", {}, { cookie });
  const token = /vm-manager-hand-over-\d+=([^;]+)/.exec(opening.headers.getSetCookie()[0] ?? "")?.[1] ?? "";
  await opening.body?.cancel();
  assert.ok(handOver !== null && token !== "");
  await using setup = await startSetup({ password: ACCESS.password, handOver });
  const headers = { cookie: `vm-manager-hand-over-${new URL(setup.url).port}=${token}` };
  const open = async (method = "GET") => await text(fetch(`${setup.url}/setup`, { method, headers }));
  await open("HEAD");
  assert.match(await open(), /Address of your NAS/);
  assert.match(await open(), /Dashboard password/, "a second time");
  await using other = await startDashboard({ access: ACCESS, onSetup: (it) => handOver = it });
  const basic = await post(other, "/setup", {}, { authorization: `Basic ${btoa(`x:${ACCESS.password}`)}` });
  await basic.body?.cancel();
  assert.deepEqual([basic.headers.getSetCookie(), handOver], [[], null]);
});

Deno.test("until the dashboard listens, set-up answers every page with one that asks again", async () => {
  await using setup = await startSetup();
  const browser = new SetupBrowser(setup);
  await toPlace(browser, setup);
  await browser.submit("place", { dataset: "tank/vms", iso: "later" });
  const pages = [await browser.submit("open"), await browser.open("/"), await browser.open("/setup")];
  assert.deepEqual(pages.map(({ status }) => status), [200, 503, 503]);
  const asked = await fetch(setup.url, { method: "HEAD" });
  assert.equal(asked.status, 503, "scripts ask until it is another");
  for (const { step, html } of pages) {
    assert.equal(step, "opening");
    assert.match(html, /<noscript><meta http-equiv="refresh" content="3;url=\/"/);
  }
  const css = /\/static\/app\.\w+\.css/.exec(pages[0]?.html ?? "")?.[0] ?? "";
  const style = await fetch(setup.url + css);
  assert.match(style.headers.get("content-type") ?? "", /text\/css/);
  await style.body?.cancel();
});
