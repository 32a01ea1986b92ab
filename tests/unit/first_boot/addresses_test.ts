/**
 * Protects static addresses: what a range or list says is what each VM gets, by its number; each mistake is found with its
 * place; and no address is given to two devices.
 */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { checkConfiguration } from "../../../lib/configuration/configuration.ts";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { plannedAddress } from "../../../lib/first_boot/addresses/address_section.ts";
import type { AddressSection } from "../../../lib/first_boot/types.ts";
import { planCreation } from "../../../lib/plan/creation.ts";
import type { CreationInput } from "../../../lib/plan/creation_input.ts";
import type { CreationPlan } from "../../../lib/plan/types.ts";
import { CONFIG, input, inventory, made, withTypes, WORKER } from "../plan/plan_samples.ts";

const LAN = { range: "10.0.0.21-29/24", gateway: "10.0.0.1", dns: ["10.0.0.1"] } as const;

function addressesOf(section: AddressSection, count: number): (string | undefined)[] {
  return Array.from({ length: count }, (_, n) => plannedAddress(section, n)?.address);
}

Deno.test("a range, in short or in full, and a list give each VM its address by its number", () => {
  assert.deepEqual(plannedAddress(LAN, 2), {
    address: "10.0.0.23",
    prefix: 24,
    gateway: "10.0.0.1",
    dns: ["10.0.0.1"],
  });
  const short = { range: "10.0.0.254-10.0.1.1/23" };
  assert.deepEqual(addressesOf(short, 5), ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1", undefined]);
  assert.deepEqual(addressesOf({ range: "10.0.0.7/24" }, 2), ["10.0.0.7", undefined]);
  assert.deepEqual(addressesOf({ list: ["10.0.0.9/24", "10.0.0.5/24"] }, 2), ["10.0.0.9", "10.0.0.5"]);
  assert.deepEqual(addressesOf("dhcp", 1), [undefined]);
});

Deno.test("a range has every address between its ends, and none outside its network", () => {
  const octet = fc.integer({ min: 1, max: 254 });
  fc.assert(fc.property(octet, octet, (a, b) => {
    const [first, last] = [Math.min(a, b), Math.max(a, b)];
    const expected = Array.from({ length: last - first + 1 }, (_, n) => `10.1.2.${first + n}`);
    for (const range of [`10.1.2.${first}-${last}/24`, `10.1.2.${first}-10.1.2.${last}/24`]) {
      assert.deepEqual(addressesOf({ range }, expected.length), expected);
      assert.equal(plannedAddress({ range }, expected.length), null);
    }
  }));
});

const MISTAKES: readonly (readonly [section: unknown, field: string, message: RegExp])[] = [
  [{ range: "10.0.0.300-310/24" }, "lan.range", /^"10\.0\.0\.300" is not an IPv4 address; write it like/],
  [{ range: "fe80::1-9/64" }, "lan.range", /is not an IPv4 address/],
  [{ range: "10.0.0.21-x/24" }, "lan.range", /^"x" is not an IPv4 address/],
  [{ range: "10.0.0.21-029/24" }, "lan.range", /^"029" is not an IPv4 address/],
  [{ range: "127.0.0.1-9/8" }, "lan.range", /^A VM cannot have the address 127\.0\.0\.1/],
  [{ range: "10.0.0.29-21/24" }, "lan.range", /runs backwards; write it like 10\.0\.0\.21-10\.0\.0\.29\/24$/],
  [{ range: "10.0.0.21-29" }, "lan.range", /needs the bits of its network, 8 to 30/],
  [{ range: "10.0.0.21-29/31" }, "lan.range", /needs the bits of its network/],
  [{ range: "10.0.0.21-10.0.1.3/24" }, "lan.range", /^10\.0\.1\.3 is not in the network 10\.0\.0\.0\/24/],
  [
    { range: "10.0.0.0-9/24" },
    "lan.range",
    /^10\.0\.0\.0 is the address of the network 10\.0\.0\.0\/24 itself/,
  ],
  [{ range: "10.0.0.250-255/24" }, "lan.range", /^10\.0\.0\.255 is the broadcast address/],
  [
    { range: "10.0.0.1-9/24", gateway: "10.0.0.1" },
    "lan.range",
    /^10\.0\.0\.1 is the gateway's address; leave it out/,
  ],
  [{ range: "10.0.0.21/24" }, "lan.range", /^2 VMs need as many addresses, found 1; add 1$/],
  [
    { ...LAN, gateway: "10.0.1.1" },
    "lan.gateway",
    /^The gateway 10\.0\.1\.1 is not in the network 10\.0\.0\.0\/24/,
  ],
  [{ ...LAN, gateway: "10.0.0.255" }, "lan.gateway", /broadcast/],
  [{ ...LAN, gateway: "router" }, "lan.gateway", /^"router" is not an IPv4 address/],
  [{ ...LAN, dns: ["one.one.one.one"] }, "lan.dns", /is not an IP address/],
  [{ ...LAN, dns: "10.0.0.1" }, "lan.dns", /must be a list/],
  [{ list: [] }, "lan.list", /^The list is empty/],
  [{ list: ["10.0.0.5/24", "10.0.0.5/24"] }, "lan.list", /^10\.0\.0\.5 is in the list twice/],
  [
    { list: ["10.0.0.5/24", "10.0.1.6/24"] },
    "lan.list",
    /^10\.0\.1\.6\/24 is not in the network 10\.0\.0\.0\/24/,
  ],
  [{ list: ["10.0.0.5/24", 7] }, "lan.list", /must be a list/],
  [{ list: ["10.0.0.5/24"], range: "10.0.0.5/24" }, "lan.list", /a range or a list, not both/],
  [{ gateway: "10.0.0.1" }, "lan", /^There are no addresses/],
  [{ ...LAN, mask: 24 }, "lan.mask", /^"mask" is not known here/],
  ["static", "lan", /^Write dhcp, or a range/],
];

Deno.test("each mistake in addresses is found at its place", () => {
  const check = (addresses: unknown) =>
    checkConfiguration({ storage: CONFIG.storage, worker: { ...WORKER, addresses } });
  const fine = check({ lan: LAN, storage: "dhcp" });
  assert.ok(fine.ok, "premise: without a mistake");
  for (const [section, field, message] of MISTAKES) {
    const checked = check({ lan: section });
    assert.ok(!checked.ok, JSON.stringify(section));
    assert.deepEqual(
      checked.problems.map((it) => it.field),
      [`worker.addresses.${field}`],
      JSON.stringify(section),
    );
    assert.match(checked.problems[0]?.message ?? "", message);
  }
  const other = check({ wan: LAN });
  assert.ok(!other.ok);
  assert.match(
    other.problems[0]?.message ?? "",
    /^There is no network "wan"; the networks are lan, storage$/,
  );
  assert.ok(!check("10.0.0.1").ok);
});

Deno.test("a mistake in addresses is reported with its line", () => {
  const text = `storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
worker:
  count: 1
  memory: 2048
  cpu: 1
  disk: { root: 10 }
  network: { lan: br0 }
  addresses:
    lan:
      range: 10.0.0.21-29/24
      gateway: 10.0.9.1
`;
  assert.throws(
    () => parseConfiguration(text, "config.yaml", { require: [] }),
    (error) => error instanceof ConfigurationError && error.problems[0]?.line === 11,
  );
});

Deno.test("checkConfiguration() never throws for any addresses", () => {
  fc.assert(fc.property(fc.anything(), (addresses) => {
    checkConfiguration({ storage: CONFIG.storage, worker: { ...WORKER, addresses } });
  }));
});

const SEED = { kind: "cloud-init" } as const;
const TYPE = { ...WORKER, seed: SEED, network: { lan: "br0" }, addresses: { lan: LAN } };

function plan(fields: Partial<CreationInput> = {}): CreationPlan {
  return planCreation(input({ configuration: withTypes({ worker: TYPE }), ...fields }));
}

function found({ findings }: CreationPlan): string[] {
  return findings.filter(({ field }) => field.includes("addresses")).map((
    { severity, vms, field, message },
  ) => [severity, vms.join(), field, message].join(" | "));
}

Deno.test("a planned VM has the address of its number, also when VMs before it are missing", () => {
  const planned = plan();
  const ip = planned.vms.map(({ devices }) =>
    devices.flatMap((it) => it.dtype === "NIC" ? it.ip?.address : [])
  );
  assert.deepEqual(ip, [["10.0.0.21"], ["10.0.0.22"]]);
  assert.deepEqual(found(planned), []);
  const [, second] = planned.vms;
  assert.ok(second !== undefined);
  const again = plan({ inventory: inventory({ vms: [made(second, 7)] }) });
  assert.equal(again.vms[1]?.action, "keep");
  assert.deepEqual(found(again), [], "its own address is no clash");
});

Deno.test("an address that two types, another VM or another device has is not given away", () => {
  const other = { ...TYPE, addresses: { lan: { range: "10.0.0.22-23/24" } } };
  const types = [{ type: "worker", startPort: 5920 }, { type: "web", startPort: 5930 }];
  assert.deepEqual(found(plan({ configuration: withTypes({ worker: TYPE, web: other }), types })), [
    "error | worker02 | worker.addresses.lan.range | The address 10.0.0.22 is planned for web01 as well; choose another one",
    "error | web01 | web.addresses.lan.range | The address 10.0.0.22 is planned for worker02 as well; choose another one",
  ]);
  const apart = { ...other, network: { lan: "br1" } };
  const [warned] = found(plan({ configuration: withTypes({ worker: TYPE, web: apart }), types }));
  assert.match(warned ?? "", /^warning \| worker02 .* It is on br1, and this one on br0$/);

  const twice = { ...TYPE, network: { lan: "br0", san: "br1" }, addresses: { lan: LAN, san: LAN } };
  assert.deepEqual(found(plan({ configuration: withTypes({ worker: { ...twice, count: 1 } }) })), [
    "error | worker01 | worker.addresses.lan.range | The address 10.0.0.21 is planned for another NIC of it as well; choose another one",
    "error | worker01 | worker.addresses.san.range | The address 10.0.0.21 is planned for another NIC of it as well; choose another one",
    "warning |  | worker.addresses | The VMs of worker have a gateway in lan and in san, and a guest has one way out; keep one",
  ]);

  const known = (by: "creation" | "agent") => ({
    vms: [{ address: "10.0.0.21", vm: "db01", attach: "br0", by }],
  });
  assert.match(
    found(plan({ addresses: known("agent") })).join(),
    /already belongs to db01, whose guest reports it/,
  );
  assert.match(
    found(plan({ addresses: known("creation") })).join(),
    /which got it when it was created; choose/,
  );
  const itself = { vms: [{ address: "10.0.0.21", vm: "worker01", attach: "br0", by: "creation" as const }] };
  assert.deepEqual(found(plan({ addresses: itself })), [], "a VM that is made again has its own address");

  const value = new Map([["10.0.0.21", "02:00:00:00:00:99"], ["10.0.0.99", "02:00:00:00:00:98"]]);
  assert.deepEqual(found(plan({ addresses: { vms: [], neighbours: { known: true, value } } })), [
    "error | worker01 | worker.addresses.lan.range | A device with the MAC address 02:00:00:00:00:99 answers at the address 10.0.0.21; choose another one",
  ]);
  const unasked = { known: false, because: "only an account with the role FULL_ADMIN may ask" } as const;
  assert.match(
    found(plan({ addresses: { vms: [], neighbours: unasked } })).join(),
    /^warning .*not checked because only/,
  );
});

Deno.test("static addresses without a seed are a warning, because nothing tells the guests", () => {
  const { seed: _seed, ...silent } = TYPE;
  assert.match(
    found(plan({ configuration: withTypes({ worker: silent }) })).join(),
    /^warning \| {2}\| worker\.addresses \| Nothing tells the VMs of worker their addresses/,
  );
});
