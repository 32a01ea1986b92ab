/**
 * Protects the sections of first boot in config.yaml: what is wrong is named at its key, with what is expected, and the JSON
 * Schema for editors accepts what the program accepts.
 */
import assert from "node:assert/strict";
import { Ajv2020 } from "../../support/packages/ajv.ts";
import { checkConfiguration } from "../../../lib/configuration/configuration.ts";
import { configurationSchema } from "../../../lib/configuration/editing/json_schema.ts";
import { applyEdits } from "../../../lib/configuration/editing/edits.ts";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { readyTimeoutMs } from "../../../lib/first_boot/timeouts.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { KEY } from "./seed_samples.ts";

const STORAGE = { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" };
const WORKER = { count: 3, memory: 2048, cpu: 2, disk: { root: 20 }, network: { lan: "br0" } };

const RIGHT: readonly Record<string, unknown>[] = [
  { seed: { kind: "cloud-init" } },
  {
    seed: {
      kind: "cloud-init",
      hostname: "node-{{ vm.index }}",
      user: "admin",
      ssh_keys: [KEY, "seeds/team.pub", "github:some-one"],
      timezone: "Europe/Berlin",
      packages: ["curl", "qemu-guest-agent", "nginx=1.2-3"],
      run: ["echo {{ vm.name }} {{ vm.mac.lan }} {{ .Other }}"],
      user_data: "./seeds/worker.yaml",
      network: "seeds/network.yaml",
    },
    ready: "phone-home",
    quorum: true,
  },
  {
    seed: { kind: "talos", config: "worker.yaml", patches: ["seeds/a.yaml"], version: 1.13 },
    ready: "talos",
  },
  { seed: { kind: "talos", config: "worker.yaml", version: "v1.13.4" } },
  { seed: { kind: "talos", config: "worker.yaml", version: "1.11.3" } },
  { seed: { kind: "ignition", config: "seeds/node.ign", user: "core", ssh_keys: [KEY] } },
  { addresses: { lan: "dhcp" } },
  { addresses: { lan: { range: "10.0.0.21-29/24", gateway: "10.0.0.1", dns: ["10.0.0.1"] } } },
  { addresses: { lan: { list: ["10.0.0.21/24", "10.0.0.25/24", "10.0.0.29/24"] } } },
  { ready: "tcp:22" },
  { ready: { when: "agent", timeout: "90s", otherwise: "roll-back" } },
  { ready: { timeout: "20m" } },
];

Deno.test("the schema for editors accepts every section of first boot that the program accepts", () => {
  const validate = new Ajv2020({ strict: false }).compile(configurationSchema());
  for (const sections of RIGHT) {
    const configuration = { storage: STORAGE, worker: { ...WORKER, ...sections } };
    assert.deepEqual(problemsOf(sections), [], JSON.stringify(sections));
    assert.ok(validate(configuration), `${JSON.stringify(sections)}: ${JSON.stringify(validate.errors)}`);
  }
  for (
    const sections of [
      { ready: "tcp" },
      { ready: { when: "soon" } },
      { ready: { when: "agent", timeout: "10" } },
      { seed: { kind: "puppet" } },
      { seed: { kind: "cloud-init", packages: "curl" } },
      { quorum: "yes" },
    ]
  ) {
    assert.notDeepEqual(problemsOf(sections), []);
    assert.ok(!validate({ storage: STORAGE, worker: { ...WORKER, ...sections } }), JSON.stringify(sections));
  }
});

Deno.test("ready as a single word is short for when, and times are written with their unit", () => {
  const configuration = checkConfiguration({ storage: STORAGE, worker: { ...WORKER, ready: "tcp:6443" } });
  assert.ok(configuration.ok);
  assert.deepEqual(configuration.configuration.types.worker?.ready, { when: "tcp:6443" });
  assert.deepEqual([{}, { timeout: "90s" }, { timeout: "2h" }].map(readyTimeoutMs), [
    600_000,
    90_000,
    7_200_000,
  ]);
});

/** A section, the key it is complained about at, and what is said. */
const WRONG: readonly (readonly [Record<string, unknown>, string, RegExp])[] = [
  [{ seed: "cloud-init" }, "seed", /seed must have a kind \(cloud-init, talos or ignition\)/],
  [{ seed: { kind: "puppet" } }, "seed.kind", /kind must be cloud-init, talos, ignition; found "puppet"/],
  [
    { seed: { kind: "cloud-init", pakages: ["a"] } },
    "seed.pakages",
    /known keys are kind, hostname, user, ssh_keys/,
  ],
  [
    { seed: { kind: "talos", config: "a.yaml", packages: ["a"] } },
    "seed.packages",
    /only cloud-init has; remove it/,
  ],
  [{ seed: { kind: "cloud-init", version: "1.13" } }, "seed.version", /only talos has/],
  [{ seed: { kind: "talos" } }, "seed.config", /talosctl gen config.*config: seeds\/worker.yaml/],
  [{ seed: { kind: "ignition" } }, "seed.config", /butane/],
  [
    { seed: { kind: "talos", config: "a.yaml", version: "1.9" } },
    "seed.version",
    /must be 1.11, 1.12.*found "1.9"/,
  ],
  [
    { seed: { kind: "cloud-init", user_data: "/etc/shadow" } },
    "seed.user_data",
    /below the folder of config.yaml.*seeds\/shadow/,
  ],
  [{ seed: { kind: "cloud-init", user_data: "../x.yaml" } }, "seed.user_data", /leads out of the folder/],
  [
    { seed: { kind: "cloud-init", user_data: "a/../../x.yaml" } },
    "seed.user_data",
    /leads out of the folder/,
  ],
  [{ seed: { kind: "cloud-init", user_data: ".env" } }, "seed.user_data", /is hidden/],
  [{ seed: { kind: "cloud-init", user_data: "a\\b" } }, "seed.user_data", /not the name of a file/],
  [{ seed: { kind: "cloud-init", user_data: "x".repeat(10_000) } }, "seed.user_data", /10000 characters/],
  [{ seed: { kind: "cloud-init", ssh_keys: KEY } }, "seed.ssh_keys", /must be a list/],
  [{ seed: { kind: "cloud-init", ssh_keys: [] } }, "seed.ssh_keys", /is empty/],
  [
    { seed: { kind: "cloud-init", ssh_keys: ["ssh-ed25519 AAAA me"] } },
    "seed.ssh_keys.0",
    /incomplete or damaged/,
  ],
  [
    { seed: { kind: "cloud-init", ssh_keys: ["ssh-dss AAAA me"] } },
    "seed.ssh_keys.0",
    /starts with its kind/,
  ],
  [{ seed: { kind: "cloud-init", ssh_keys: ["github:../x"] } }, "seed.ssh_keys.0", /github:NAME/],
  [{ seed: { kind: "cloud-init", ssh_keys: ["~/.ssh/id.pub"] } }, "seed.ssh_keys.0", /seeds\/id.pub/],
  [{ seed: { kind: "cloud-init", user: "Bob Smith" } }, "seed.user", /not a user's name/],
  [{ seed: { kind: "cloud-init", user: "root" } }, "seed.user", /enter a user of your own/],
  [{ seed: { kind: "cloud-init", timezone: "Berlin" } }, "seed.timezone", /Europe\/Berlin/],
  [{ seed: { kind: "cloud-init", packages: ["--help"] } }, "seed.packages.0", /not the name of a package/],
  [
    { seed: { kind: "cloud-init", hostname: "node" } },
    "seed.hostname",
    /All 3 VMs would have the host name "node"; add/,
  ],
  [{ seed: { kind: "cloud-init", hostname: "a b" } }, "seed.hostname", /not a host name/],
  [
    { seed: { kind: "cloud-init", hostname: "{{ vm.nmae }}" } },
    "seed.hostname",
    /no variable vm.nmae; there are vm.name/,
  ],
  [{ seed: { kind: "cloud-init", run: ["echo {{ vm.mac.wan }}"] } }, "seed.run.0", /vm.mac.wan.*vm.mac.lan/],
  [{ seed: { kind: "cloud-init", run: ["x".repeat(5_000)] } }, "seed.run.0", /5000 characters/],
  [{ ready: "soon" }, "ready", /phone-home, tcp:PORT, talos, agent, console, none; found "soon"/],
  [{ ready: "tcp:0" }, "ready", /from 1 to 65535, such as 22; found "0"/],
  [{ ready: "tcp:70000" }, "ready", /from 1 to 65535/],
  [{ ready: { when: "agent", timeout: 600 } }, "ready.timeout", /90s, 10m or 1h; found 600/],
  [{ ready: { when: "agent", timeout: "25h" } }, "ready.timeout", /from 10s to 24h/],
  [{ ready: { when: "agent", timeout: "1s" } }, "ready.timeout", /from 10s to 24h/],
  [
    { ready: { when: "agent", then: "keep" } },
    "ready.then",
    /Unknown key "then"; ready has when, timeout and otherwise/,
  ],
  [{ ready: { when: "agent", otherwise: "panic" } }, "ready.otherwise", /keep, roll-back, stop/],
  [{ ready: "phone-home" }, "ready", /Only a guest with a seed of kind cloud-init phones home/],
  [{ quorum: "yes" }, "quorum", /quorum must be true or false/],
];

Deno.test("each mistake in a section of first boot is named at its key, with what is expected", () => {
  for (const [sections, field, message] of WRONG) {
    const problems = problemsOf(sections);
    assert.deepEqual(
      problems.map((it) => it.field),
      [`worker.${field}`],
      JSON.stringify([sections, problems]),
    );
    assert.match(problems[0]?.message ?? "", message);
  }
});

Deno.test("a private key among the public ones is refused without being repeated", () => {
  const secret = "-----BEGIN OPENSSH PRIVATE KEY----- b3BlbnNzaC1rZXk";
  const [problem] = problemsOf({ seed: { kind: "cloud-init", ssh_keys: [secret] } });
  assert.match(problem?.message ?? "", /This is a private key; enter the public one/);
  assert.ok(!problem?.message.includes("b3Blb"));
});

const TEXT = `storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
worker:
  count: 3
  memory: 2048
  cpu: 2
  network: { lan: br0 }
  seed: # the first configuration
    kind: cloud-init
    user: admin
    hostname: "{{ vm.nmae }}"
  addresses: { lan: { range: 10.0.0.21-29/24 } }
  ready: tcp:22
  quorum: true
`;

Deno.test("mistakes have line and column, and changing a type keeps its first boot as it was written", () => {
  assert.throws(
    () => parseConfigurationFile({ text: TEXT, source: "config.yaml" }),
    (error) =>
      error instanceof ConfigurationError && /^config.yaml:10:15: worker.seed.hostname/.test(error.message),
  );
  const right = TEXT.replace("nmae", "name");
  const edited = applyEdits(right, [{
    kind: "change",
    name: "worker",
    values: { count: 5, memory: 2048, cpu: 2 },
  }]);
  assert.ok(edited.ok);
  assert.equal(edited.text, right.replace("count: 3", "count: 5"));
});

function problemsOf(sections: Record<string, unknown>) {
  const checked = checkConfiguration({ storage: STORAGE, worker: { ...WORKER, ...sections } });
  return checked.ok ? [] : checked.problems;
}
