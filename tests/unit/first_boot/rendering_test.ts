/**
 * Protects what guests are given: a person's files reach them as they are, what cannot work is refused with its place before
 * anything is made, and what differs from VM to VM is merged by the rules of the program that reads it.
 */
import assert from "node:assert/strict";
import { parse } from "../../../lib/configuration/yaml.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { seedWay } from "../../../lib/first_boot/planning/seed_way.ts";
import { renderSeed, seedHostname } from "../../../lib/first_boot/rendering/render_seed.ts";
import type { SeedFacts } from "../../../lib/first_boot/rendering/seed.ts";
import { seedDigest } from "../../../lib/first_boot/rendering/seed_texts.ts";
import { SEED_VARIABLES, variableNames, variablesOf } from "../../../lib/first_boot/rendering/variables.ts";
import type { SeedSection } from "../../../lib/first_boot/types.ts";
import { planCreation } from "../../../lib/plan/creation.ts";
import { generatedTalos } from "../../support/vms/talos_samples.ts";
import { input, withTypes, WORKER } from "../plan/plan_samples.ts";
import { FACTS, KEY } from "./seed_samples.ts";

const KEYS = [{ key: KEY, from: "inline" }];

/** The parts of a seed whose only file has this text. */
function rendered(section: SeedSection, text = "", facts: SeedFacts = FACTS) {
  return renderSeed(section, facts, { files: new Map([["f", text], ["p", PATCH]]), keys: KEYS }).files;
}

function complaint(section: SeedSection, text: string): string {
  try {
    rendered(section, text);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
  return assert.fail(`nothing is wrong with ${JSON.stringify(text)}`);
}

const OWN: SeedSection = { kind: "cloud-init", user_data: "f", timezone: "UTC", run: ["true"] };

Deno.test("user data reaches the guest as it is, with the values of the configuration beside it", () => {
  const text = '#cloud-config\r\n# mine\npackages: [vim]   # "{{ vm.name }}"\npermissions: 0644\n';
  const files = rendered(OWN, text);
  assert.equal(files.get("user-data"), text.replace("{{ vm.name }}", "worker01"));
  const { timezone, runcmd, ssh_authorized_keys: keys } = parse(files.get("vendor-data") ?? "");
  assert.deepEqual({ timezone, runcmd, keys }, { timezone: "UTC", runcmd: ["true"], keys: [KEY] });
  for (
    const other of [
      "#!/bin/sh\necho {{ vm.name }} ${x}\n",
      "## template: jinja\n#cloud-config\n{% if a %}\n",
      "Content-Type: multipart/mixed; boundary=x\n\n--x\n",
    ]
  ) {
    assert.equal(rendered(OWN, other).get("user-data"), other.replace("{{ vm.name }}", "worker01"));
  }
  assert.equal(rendered({ kind: "cloud-init" }).get("vendor-data")?.includes("ssh_authorized_keys"), false);
});

Deno.test("user data that cannot work is refused with its place", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["hostname: x\n", /^f:1:1: The first line must say what this is to cloud-init: #cloud-config/],
    ["\n#cloud-config\n", /^f:1:1: The first line/],
    ["", /^f:1:1: The first line/],
    ["#cloud-config\n- a\n", /^f:2:1: The file must be name: value lines/],
    ["#cloud-config\na: 1\na: 2\n", /^f:3:1: This is not valid YAML: this key is there twice/],
    ["#cloud-config\na: 1\n---\nb: 1\n", /^f:4:1: cloud-init reads a single document/],
    ["#cloud-config\nruncmd: [ls]\n", /^f:2:1: runcmd is in this file and, as run, in the configuration/],
    ["#cloud-config\ntimezone: UTC\n", /^f:2:1: timezone is in this file/],
    ["#cloud-config\nusers: [{ name: me }]\n", /^f:2:1: users is in this file and, as ssh_keys/],
    [`#cloud-config\na: ${"a".repeat(70_000)}\n`, /^f: It has 70\d+ bytes .* cloud-init gets at most 65536/],
  ];
  for (const [text, message] of wrong) assert.match(complaint(OWN, text), message);
  rendered(OWN, "#cloud-config\nusers: [default, { name: me }]\n");
  assert.match(
    complaint({ kind: "cloud-init", network: "f" }, "ethernets: {}\n"),
    /^f:1:1: .*start it with version: 2/,
  );
});

const PATCH = "machine:\n  kubelet: { image: other }\n";
const TALOS: SeedSection = { kind: "talos", config: "f", patches: ["p"] };

Deno.test("Talos's version is the installer's, and what is no machine configuration is refused", () => {
  const text = (section: SeedSection, config: string) => rendered(section, config).get("user-data") ?? "";
  assert.match(text(TALOS, generatedTalos("1.11", "worker")), /\n {4}hostname: "worker01"\n/);
  assert.match(text(TALOS, generatedTalos("1.12", "worker")), /kind: "HostnameConfig"|kind: HostnameConfig/);
  assert.match(text(TALOS, generatedTalos("1.12", "worker")), /image: other/);
  assert.match(
    text({ ...TALOS, version: "1.11" }, generatedTalos("1.12", "worker")),
    /\n {4}hostname: "worker01"\n/,
  );
  const legacy =
    "version: v1alpha1\nmachine:\n  type: worker\n  network: { hostname: old, nameservers: [10.0.0.9] }\n";
  assert.doesNotMatch(text({ ...TALOS, version: "1.12" }, legacy), /old/);
  const pinned = (tag: string) =>
    `version: v1alpha1\nmachine: { type: worker, install: { image: "10.0.0.1:5000/installer:${tag}" } }\n`;
  for (const tag of ["1.11.3", "v1.11.3", "v1.11"]) {
    assert.match(text(TALOS, pinned(tag)), /hostname: "?worker01/, tag);
    assert.doesNotMatch(text(TALOS, pinned(tag)), /HostnameConfig/, tag);
  }
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["context: lab\ncontexts: {}\n", /^f:1:1: This is talosconfig, which talosctl itself uses/],
    ["machine: {}\n", /^f:1:1: This is no machine configuration/],
    ["- op: add\n", /^f:1:1: JSON patches are not supported/],
    [
      "version: v1alpha1\nmachine: { type: worker, install: { image: x:v1.9.1 } }\n",
      /^f: The configuration is for Talos 1.9/,
    ],
    ["machine: {type: {{ vm.typ }}}\n", /^f:1:17: There is no variable vm.typ/],
  ];
  for (const [config, message] of wrong) assert.match(complaint(TALOS, config), message);
});

Deno.test("patches remove what they say, and interfaces are merged by their name", () => {
  const config = `version: v1alpha1
machine:
  type: worker
  sysctls: { a: "1", b: "2" }
  certSANs: [a]
  network:
    interfaces:
      - interface: eth0
        dhcp: true
---
apiVersion: v1alpha1
kind: KubePrismConfig
`;
  const patch = `machine:
  sysctls: { $patch: delete }
  certSANs: [b]
  network:
    interfaces:
      - interface: eth0
        mtu: 9000
---
apiVersion: v1alpha1
kind: KubePrismConfig
$patch: delete
`;
  const files = new Map([["f", config], ["p", patch]]);
  const facts = { ...FACTS, macs: {}, addresses: {} };
  const seed = renderSeed({ ...TALOS, version: "1.11" }, facts, { files, keys: [] }).files.get("user-data") ??
    "";
  assert.deepEqual(parse(seed), {
    version: "v1alpha1",
    machine: {
      type: "worker",
      certSANs: ["a", "b"],
      network: { interfaces: [{ interface: "eth0", dhcp: true, mtu: 9000 }], hostname: "worker01" },
    },
  });
});

Deno.test("an Ignition file keeps what it has, and what is none is refused with its place", () => {
  const section: SeedSection = { kind: "ignition", config: "f", user: "ops" };
  const own = {
    ignition: { version: "3.4.0" },
    passwd: { users: [{ name: "ops", groups: ["sudo"], sshAuthorizedKeys: ["ssh-rsa x"] }] },
    storage: { files: [{ path: "/etc/hostname", contents: { source: "data:,mine" } }] },
  };
  const { passwd, storage } = JSON.parse(rendered(section, JSON.stringify(own)).get("user-data") ?? "");
  assert.deepEqual(passwd.users, [{ name: "ops", groups: ["sudo"], sshAuthorizedKeys: ["ssh-rsa x", KEY] }]);
  assert.equal(storage.files.filter(({ path }: { path: string }) => path === "/etc/hostname").length, 1);
  const wrong: readonly (readonly [string, RegExp])[] = [
    ["variant: fcos\nversion: 1.5.0\n", /^f:1:1: This is a Butane file; convert it with butane/],
    ['{"ignition": {"version": "2.3.0"}}', /^f:1:1: This is no Ignition file of version 3/],
    ['{"ignition": {"version": "3.4.0"},\n "a": s3cret }', /^f:2:7: This is not valid JSON/],
    ['{"ignition": {"version": "3.4.0"}, "storage": []}', /^f: storage must be an object/],
  ];
  for (const [text, message] of wrong) {
    assert.match(complaint(section, text), message);
    assert.doesNotMatch(complaint(section, text), /s3cret/);
  }
});

Deno.test("host names are made of the VM's name, or of the configured one", () => {
  const host = (hostname?: string, name = "gpu_node01") =>
    seedHostname({ kind: "cloud-init", hostname }, { ...FACTS, name });
  assert.equal(host(), "gpu-node01");
  assert.equal(host("{{ group.name }}-{{ vm.index }}"), "worker-1");
  assert.throws(() => host("-{{ vm.index }}"), /seed.hostname: "-1" is not a host name/);
  assert.throws(() => host(undefined, "x".repeat(70)), /at most 63/);
});

Deno.test("another section, text or key is another digest, and every variable that is documented exists", () => {
  const texts = { files: new Map([["f", "a"]]), keys: KEYS };
  const digests = [
    seedDigest(OWN, texts),
    seedDigest({ ...OWN, timezone: "Europe/Berlin" }, texts),
    seedDigest(OWN, { ...texts, files: new Map([["f", "b"]]) }),
    seedDigest(OWN, { ...texts, keys: [] }),
  ];
  assert.equal(new Set(digests).size, digests.length);
  assert.equal(
    seedDigest({ run: ["true"], timezone: "UTC", user_data: "f", kind: "cloud-init" }, texts),
    digests[0],
  );
  const names = variableNames(Object.keys(FACTS.macs), { hostname: true });
  assert.deepEqual([...variablesOf(FACTS).keys()].toSorted(), names.toSorted());
  const document = Deno.readTextFileSync(new URL("../../../docs/first-boot.md", import.meta.url));
  for (const name of Object.keys(SEED_VARIABLES)) assert.ok(document.includes(`| \`${name}\``), name);
});

Deno.test("a guest cannot fetch what it needs for its network, so that comes by disk", () => {
  const host = { host: "10.0.0.5", simulated: false };
  const nic = {
    step: "nic0",
    order: 1,
    dtype: "NIC",
    name: "lan",
    attach: "br0",
    mac: "02:00:00:00:00:01",
  } as const;
  assert.equal(seedWay({ kind: "cloud-init" }, host, [nic]).way, "url");
  assert.deepEqual(seedWay({ kind: "cloud-init" }, host, []), {
    way: "disk",
    reason: "the guest has no network card to fetch it by",
  });
  assert.deepEqual(seedWay({ kind: "cloud-init", network: "seeds/net.yaml" }, host, [nic]), {
    way: "disk",
    reason: "the guest needs seeds/net.yaml before it can fetch anything",
  });
});

Deno.test("a plan says once what is wrong with the seeds of a type, and that two VMs would have one host name", () => {
  const types = [{ type: "worker", startPort: 5920 }, { type: "web", startPort: 5930 }];
  const found = (worker: SeedSection, web: SeedSection, text: string) => {
    const known = { known: true, texts: { files: new Map([["f", text]]), keys: [] } } as const;
    const plan = planCreation(input({
      configuration: withTypes({
        worker: { ...WORKER, count: 2, seed: worker },
        web: { ...WORKER, count: 1, seed: web },
      }),
      types,
      seeds: { host: "10.0.0.5", simulated: false, types: new Map([["worker", known], ["web", known]]) },
    }));
    return plan.findings.filter(({ field, severity }) => field.includes("seed") && severity === "error")
      .map(({ severity, vms, field, message }) => `${severity} | ${vms.join()} | ${field} | ${message}`);
  };
  const [first, ...others] = found({ kind: "cloud-init", user_data: "f" }, { kind: "cloud-init" }, "a: 1\n");
  assert.match(first ?? "", /^error \| worker01,worker02 \| worker\.seed \| f:1:1: The first line must say/);
  assert.deepEqual(others, []);
  const hostname = "node-{{ vm.index }}";
  assert.deepEqual(found({ kind: "cloud-init", hostname }, { kind: "cloud-init", hostname }, ""), [
    "error | worker01,web01 | worker.seed.hostname | worker01 and web01 would have the same host name node-1; use {{ vm.name }} in seed.hostname",
  ]);
});
