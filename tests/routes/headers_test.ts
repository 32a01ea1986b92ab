/**
 * Protects the program and its visitors from text in response headers: a control character could end the whole program,
 * and a redirect could lead to another site or run as code. Real HTTP, and the program itself.
 */
import assert from "node:assert/strict";
import { Hono } from "hono";
import { silentLogger } from "../../lib/observability/logging.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { checkHeaders, isOwnPath } from "../../routes/server/http/headers.ts";
import { startDashboard, TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { send, signIn, text } from "../support/pages/http.ts";
import { startProgram, withFolder } from "../support/program/program.ts";

/** Every character that may not stand in a header, as a URL carries it. */
const ESCAPES = [...Array(0x20).keys(), 0x7f, 0x80, 0x85, 0xa0, 0xff, 0x2028, 0x1f9ca].map((code) =>
  encodeURIComponent(String.fromCodePoint(code))
);

Deno.test("no character in a sign-in link ends the program (fault 6)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const program = await startProgram(simulator, folder);
    for (const escape of ESCAPES) {
      for (const to of [`/${escape}`, `/?q=${escape}x`, escape]) {
        const response = await fetch(`${program.url}/login?to=${to}`, { redirect: "manual" });
        await response.body?.cancel();
        assert.deepEqual([response.status, response.headers.get("location")], [303, "/"], to);
      }
    }
    assert.equal(await text(fetch(`${program.url}/healthz`)), "ok\n");
    await program.stop("SIGTERM");
  }));

Deno.test("a sign-in redirects only to paths of this site (fault 6)", async () => {
  await using dashboard = await startDashboard({ access: { password: "open sesame" } });
  const elsewhere = [
    "//evil.test",
    "/\\evil.test",
    "\\evil.test",
    "https://evil.test",
    "javascript:alert(1)",
    "x",
    "",
  ];
  const odd = ESCAPES.map((escape) => `/${decodeURIComponent(escape)}`);
  for (const to of [...elsewhere, "/a b", "/\t/evil.test", ...odd]) {
    const { status, headers } = await signIn(dashboard, "open sesame", to);
    assert.deepEqual([status, headers.get("location")], [303, "/"], JSON.stringify(to));
    assert.ok(!isOwnPath(to));
  }
  assert.ok(isOwnPath("/") && isOwnPath("/destroy?prefixes=worker&vm=%01"));
});

Deno.test("the web console redirects only to the NAS, over http or https (fault 6)", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  // Its own address, as the simulated NAS reports it.
  const host = "192.168.1.10";
  const answered = async (uri: string) => {
    const result = { error: null, uri };
    dashboard.simulator.addFault({ method: "vm.get_display_web_uri", action: "answer", result });
    return await send(dashboard, "/vms/1/console/nas", {});
  };
  const evil = [
    "javascript:alert(1)",
    "data:text/html,x",
    "//evil.test/",
    "https://evil.test/",
    `https://${host}@evil.test/`,
    `https://user:pw@${host}/`,
    `https://${host}.evil.test/`,
    `ftp://${host}/`,
    "/vms",
    "",
    "\u0001",
  ];
  for (const uri of evil) {
    const { status, headers, body } = await answered(uri);
    assert.deepEqual([status, headers.get("location")], [502, null], uri);
    assert.match(body, /web console leads to another host/, uri);
  }
  for (const odd of ["\u0001", "\u007f", "\r\nset-cookie: a=b", "é", "\u2028"]) {
    const { status, headers } = await answered(`http://${host}/vm/display/1/${odd}spice_auto.html`);
    assert.equal(status, 303, odd);
    assert.match(headers.get("location") ?? "", new RegExp(`^http://${host}/vm/display/1/[!-~]*$`), odd);
    assert.equal(headers.get("set-cookie"), null);
  }
});

Deno.test("a response with an invalid header is replaced and keeps its other headers (fault 6)", async () => {
  const app = new Hono();
  app.use(checkHeaders(silentLogger));
  app.use(async (c, next) => {
    await next();
    c.header("content-security-policy", "default-src 'self'");
  });
  const headers = [
    ["x-name", "a\u0001b"],
    ["x-name", "\u007f"],
    ["x-name", "\u00e9"],
    ["set-cookie", "a=\u0008"],
    ["content-disposition", 'attachment; filename="\u001b.vv"'],
    ["location", "javascript:alert(1)"],
    ["location", "//evil.test/"],
    ["location", "/\\evil.test/"],
    ["hx-redirect", "//evil.test/"],
  ] as const;
  app.get("/:index", (c) => {
    const [name, value] = headers[Number(c.req.param("index"))] ?? assert.fail();
    c.header(name, value);
    return c.text("a page");
  });
  for (const [index, [name, value]] of headers.entries()) {
    const response = await app.request(`/${index}`);
    assert.equal(response.status, 500, `${name}: ${JSON.stringify(value)}`);
    assert.equal(response.headers.get(name), null);
    assert.equal(response.headers.get("content-security-policy"), "default-src 'self'");
    assert.match(await response.text(), /an error in the dashboard, not on the NAS/);
  }
});
