/** Protects every rule about addresses: different notations of one address are equal, and similar addresses are not. */
import assert from "node:assert/strict";
import {
  isAddressRange,
  isIpv4,
  isIpv6,
  isLoopback,
  isWithin,
  networkOf,
  normalAddress,
} from "../../../lib/configuration/environment/ip_addresses.ts";

Deno.test("addresses are compared by value, however they are written (fault 20)", () => {
  const SAME = [
    ["::ffff:192.0.2.1", "192.0.2.1"],
    ["::ffff:c000:201", "192.0.2.1"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["2001:DB8::0:1", "2001:db8::1"],
    ["fe80::1%eth0", "fe80::1"],
  ] as const;
  for (const [written, usual] of SAME) assert.equal(normalAddress(written), usual, written);
  for (
    const text of [
      "",
      "nas.lan",
      "127.1",
      "010.0.0.1",
      "1.2.3.4.5",
      "256.1.1.1",
      "[::1]",
      "::1::",
      "1.2.3.4/8",
    ]
  ) {
    assert.equal(normalAddress(text), null, text);
  }
  assert.ok(isWithin("::ffff:10.1.2.3", ["10.1.0.0/16"]) && isWithin("10.1.2.3", ["::ffff:10.1.0.0/112"]));
  assert.ok(isWithin("2001:db8::7", ["192.0.2.1", "2001:db8::/64"]));
  assert.ok(
    !isWithin("10.2.0.1", ["10.1.0.0/16"]) && !isWithin("::1", ["0.0.0.0/0"]) && !isWithin("", ["::/0"]),
  );
  for (const range of ["192.0.2.1", "172.16.0.0/12", "fd00::/8", "::1"]) {
    assert.ok(isAddressRange(range), range);
  }
  for (
    const none of ["nginx", "10.0.0.0/33", "10.0.0.0/-1", "::1/129", "10.0.0/8", "*", "::ffff:10.0.0.0/8"]
  ) {
    assert.ok(!isAddressRange(none), none);
  }
  assert.ok(isIpv4("192.0.2.1") && !isIpv4("192.0.2") && isIpv6("::1") && !isIpv6("192.0.2.1"));
});

Deno.test("exactly the addresses that only this machine reaches are loopback (fault 20)", () => {
  for (
    const host of ["127.0.0.1", "127.9.9.9", "::1", "0:0::1", "::ffff:127.0.0.1", "localhost", "LOCALHOST"]
  ) {
    assert.ok(isLoopback(host), host);
  }
  for (
    const host of [
      "0.0.0.0",
      "::",
      "192.0.2.1",
      "localhost.evil.test",
      "evillocalhost",
      "127.0.0.1.evil.test",
    ]
  ) {
    assert.ok(!isLoopback(host), host);
  }
});

Deno.test("networkOf() is an IPv4 address or an IPv6 /64 (fault 13)", () => {
  assert.equal(networkOf("::ffff:192.0.2.1"), networkOf("192.0.2.1"));
  assert.equal(networkOf("2001:db8::1"), networkOf("2001:db8:0:0:ffff::2"));
  assert.notEqual(networkOf("2001:db8::1"), networkOf("2001:db8:0:1::1"));
  assert.notEqual(networkOf("192.0.2.1"), networkOf("192.0.2.2"));
});
