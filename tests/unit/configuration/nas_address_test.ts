/** Protects the address of a NAS: every notation is read, every mistake is reported, and no password is repeated. */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { parseNasAddress } from "../../../lib/configuration/environment/nas_address.ts";

Deno.test("parseNasAddress() reads every notation of an address", () => {
  const urlOf = (text: string) => {
    const parsed = parseNasAddress(text);
    return parsed.ok ? parsed.address.url : parsed.problem.message;
  };
  assert.equal(urlOf("nas.lan"), "wss://nas.lan");
  assert.equal(urlOf(" nas.lan:444 "), "wss://nas.lan:444");
  assert.equal(urlOf("[::1]:444"), "wss://[::1]:444");
  assert.equal(urlOf("ws://10.0.0.2/"), "ws://10.0.0.2");
  assert.equal(urlOf("wss://nas.lan/api/current"), "wss://nas.lan");
  assert.equal(urlOf("unix:/run/middlewared.sock"), "unix:/run/middlewared.sock");
  assert.match(urlOf(""), /empty/);
  assert.match(urlOf("https://nas.lan"), /use wss:\/\//);
  assert.match(urlOf("ftp://nas.lan"), /starts with ftp/);
  assert.match(urlOf("wss://admin:pw@nas.lan"), /API_USERNAME/);
  assert.doesNotMatch(urlOf("wss://admin:pw@nas.lan"), /pw@/);
  assert.match(urlOf("nas.lan/ui"), /has a path/);
  assert.match(urlOf("unix:run/x"), /absolute path/);
  assert.match(urlOf("nas lan"), /is not an address/);
});

Deno.test("parseNasAddress() never throws", () => {
  const text = fc.oneof(fc.string(), fc.string({ unit: "binary" }), fc.webUrl({ withFragments: true }));
  fc.assert(fc.property(text, (text) => {
    const parsed = parseNasAddress(text);
    if (parsed.ok) assert.ok(parsed.address.host !== "" && parsed.address.url !== "");
    else {assert.deepEqual([parsed.problem.field, parsed.problem.message.endsWith(".")], [
        "TRUENAS_HOST",
        false,
      ]);}
  }));
});

Deno.test("parseNasAddress() finds the host and the kind of connection", () => {
  const addressOf = (text: string) => {
    const parsed = parseNasAddress(text);
    assert.ok(parsed.ok, text);
    return parsed.address;
  };
  assert.deepEqual(addressOf("WSS://NAS.lan:444"), {
    kind: "wss",
    url: "wss://nas.lan:444",
    host: "nas.lan",
  });
  assert.deepEqual(addressOf("ws://[fe80::1]:80"), { kind: "ws", url: "ws://[fe80::1]", host: "fe80::1" });
  assert.deepEqual(addressOf("unix:/run/x.sock"), {
    kind: "unix",
    url: "unix:/run/x.sock",
    host: "localhost",
    path: "/run/x.sock",
  });
});

Deno.test("the URL from parseNasAddress() parses to the same address", () => {
  const port = fc.option(fc.integer({ min: 1, max: 65_535 }), { nil: undefined });
  const scheme = fc.constantFrom("", "ws://", "wss://");
  fc.assert(fc.property(scheme, fc.domain(), port, (scheme, domain, port) => {
    const parsed = parseNasAddress(`${scheme}${domain}${port === undefined ? "" : `:${port}`}`);
    assert.ok(parsed.ok);
    assert.deepEqual(parseNasAddress(parsed.address.url), parsed);
  }));
});

Deno.test("parseNasAddress() never repeats a password from the address", () => {
  const prefixes = ["", "ws://", "wss://", "http://", "https://", "ftp://", "//", "HTTPS://"];
  const password = fc.stringMatching(/^[A-Za-z0-9!:/#?@ ]{0,8}$/).map((text) => `HUNTER2${text}`);
  const rest = fc.constantFrom("nas.lan", "nas.lan:444", "na s", "nas.lan/ui", "[::1", "", "nas.lan:99999");
  fc.assert(fc.property(fc.constantFrom(...prefixes), password, rest, (prefix, password, rest) => {
    const parsed = parseNasAddress(`${prefix}admin:${password}@${rest}`);
    assert.ok(!parsed.ok);
    assert.doesNotMatch(parsed.problem.message, /HUNTER2/i);
  }));
});
