/**
 * Protects the dashboard from other sites: foreign host names, forms and frames of other origins, and proxies that hide
 * who asks. Real HTTP.
 */
import assert from "node:assert/strict";
import { startDashboard } from "../../support/pages/dashboard.ts";
import { withAccess } from "../../support/pages/access.ts";
import { send, signIn, text } from "../../support/pages/http.ts";
import { isAllowedHost } from "../../../routes/auth/access.tsx";

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
