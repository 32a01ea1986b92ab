/**
 * Protects the machines beside the NAS: the dashboard connects to displays of the NAS that the settings name and to its
 * display ports, whatever the inventory says, and where it cannot, it says why and what to do.
 */
import assert from "node:assert/strict";
import { DISPLAY_PORTS, displayHosts, displayTarget } from "../../lib/consoles/display_target.ts";
import { parseNasAddress } from "../../lib/configuration/environment/nas_address.ts";
import type { Display } from "../../lib/inventory/inventory.ts";

function nas(host: string, publicHost: string | null = null) {
  const parsed = parseNasAddress(host);
  assert.ok(parsed.ok, host);
  return { address: parsed.address, publicHost };
}

function target(host: string, display: Partial<Display>, publicHost: string | null = null): string {
  const whole = { deviceId: 1, type: "SPICE", bind: "0.0.0.0", port: 5910, webPort: null, ...display };
  const found = displayTarget(whole, nas(host, publicHost));
  return found.ok ? `${found.target.hostname} ${found.target.port}` : found.message;
}

Deno.test("displayTarget() leads to the NAS of TRUENAS_HOST, and to this machine over a socket", () => {
  for (const bind of ["0.0.0.0", "::", ""]) {
    assert.equal(target("nas.lan", { bind }), "nas.lan 5910");
    assert.equal(target("wss://[fd00::1]:444", { bind }), "fd00::1 5910");
    assert.equal(target("unix:/run/middleware.sock", { bind }), "127.0.0.1 5910");
    assert.equal(target("ws://127.0.0.1:6000", { bind }), "127.0.0.1 5910");
  }
});

Deno.test("displayTarget() reaches a display on the NAS's loopback only from the NAS or through a tunnel", () => {
  assert.equal(target("unix:/run/middleware.sock", { bind: "127.0.0.1" }), "127.0.0.1 5910");
  assert.equal(target("localhost", { bind: "127.0.0.1" }), "localhost 5910");
  const refused = target("nas.lan", { bind: "127.0.0.1" });
  assert.match(
    refused,
    /listens on 127\.0\.0\.1 of the NAS alone.*0\.0\.0\.0 in TrueNAS, or run the dashboard on/,
  );
});

Deno.test("displayTarget() never leads to a host that the settings do not name", () => {
  assert.equal(
    target("nas.lan", { bind: "10.0.0.5" }),
    "nas.lan 5910",
    "the name may stand for this address",
  );
  assert.equal(target("192.168.1.10", { bind: "192.168.1.10" }), "192.168.1.10 5910");
  assert.match(
    target("192.168.1.10", { bind: "10.0.0.5" }),
    /may only connect to 192\.168\.1\.10.*NAS_PUBLIC_HOST to/,
  );
  assert.equal(target("192.168.1.10", { bind: "10.0.0.5" }, "10.0.0.5"), "10.0.0.5 5910");
  assert.match(target("unix:/run/m.sock", { bind: "192.168.1.10" }), /may only connect to 127\.0\.0\.1/);
  assert.equal(target("unix:/run/m.sock", { bind: "192.168.1.10" }, "192.168.1.10:444"), "192.168.1.10 5910");
  for (const bind of ["evil.test", "169.254.169.254", "fd00::1"]) {
    assert.doesNotMatch(target("192.168.1.10", { bind }), new RegExp(`^${bind} `), bind);
  }
  assert.deepEqual(displayHosts(nas("nas.lan", "https://nas.example:444")), ["nas.lan", "nas.example"]);
});

Deno.test("displayTarget() keeps to the display ports and to the protocols that the page speaks", () => {
  for (const port of [DISPLAY_PORTS.first, DISPLAY_PORTS.last]) {
    assert.equal(target("nas.lan", { port }), `nas.lan ${port}`);
  }
  for (const port of [22, DISPLAY_PORTS.first - 1, DISPLAY_PORTS.last + 1, 65_535]) {
    assert.match(target("nas.lan", { port }), /may only connect to ports 5900 to 7999/, String(port));
  }
  assert.match(target("nas.lan", { port: null }), /has no port yet/);
  assert.equal(target("nas.lan", { type: "VNC" }), "nas.lan 5910");
  assert.match(target("nas.lan", { type: "RDP" }), /shows SPICE and VNC displays, and this one is RDP/);
});
