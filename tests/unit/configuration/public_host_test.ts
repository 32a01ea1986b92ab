/** Protects NAS_PUBLIC_HOST and the choice of an address that other machines can reach. */
import assert from "node:assert/strict";
import { parseNasAddress } from "../../../lib/configuration/environment/nas_address.ts";
import {
  hostOfAddress,
  hostOfNas,
  parsePublicHost,
} from "../../../lib/configuration/environment/public_host.ts";

Deno.test("parsePublicHost() accepts hosts, ports and web addresses only (fault 24)", () => {
  const read = (text: string) => {
    const { host, hostname, scheme } = parsePublicHost(text) ?? {};
    return [host, hostname, scheme];
  };
  assert.deepEqual(read("nas.lan"), ["nas.lan", "nas.lan", null]);
  assert.deepEqual(read("nas.lan:444"), ["nas.lan:444", "nas.lan", null]);
  assert.deepEqual(read("[2001:db8::1]:444"), ["[2001:db8::1]:444", "2001:db8::1", null]);
  assert.deepEqual(read("HTTP://nas.lan/"), ["nas.lan", "nas.lan", "http"]);
  for (
    const odd of ["", "a b", "nas.lan/ui", "wss://nas.lan", "https://a:b@nas.lan", "nas.lan?x", "nas\nx y"]
  ) {
    assert.equal(parsePublicHost(odd), null, odd);
  }
});

Deno.test("hostOfAddress() ignores sockets and tunnel ends (fault 24)", () => {
  const of = (text: string) => {
    const parsed = parseNasAddress(text);
    return parsed.ok ? hostOfAddress(parsed.address)?.host ?? null : assert.fail(text);
  };
  assert.equal(of("nas.lan:444"), "nas.lan:444");
  for (
    const own of ["unix:/run/x.sock", "127.0.0.1:6000", "ws://localhost:6000", "[::1]:6000", "127.0.0.2"]
  ) {
    assert.equal(of(own), null, own);
  }
});

Deno.test("hostOfNas() returns the first address that other machines can reach (fault 24)", () => {
  assert.equal(hostOfNas(["127.0.0.1", "169.254.3.4", "fe80::1", "10.0.0.2", "10.0.0.3"])?.host, "10.0.0.2");
  assert.equal(hostOfNas([]), null);
});
