/** Protects config.yaml: what it takes, and that every mistake is told at once with its line and column. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import fc from "fast-check";
import { stringify } from "yaml";
import { checkConfiguration, loadConfiguration, parseConfiguration, vmTypes } from "../../lib/config.ts";
import { ConfigurationError, type Problem } from "../../lib/errors.ts";

const GOOD = `storage:
  pool_path: tank/vms
  cdrom_path: /mnt/tank/iso/debian.iso
controlplane:
  count: 1
  memory: 2048
  cpu: 2
worker:
  count: 3
  memory: 4096
  cpu: 4
  threads: 2
  disk: { root: 20, data: 50 }
  network: { lan: br0 }
`;

function problemsOf(text: string): readonly Problem[] {
  try {
    parseConfiguration(text, "config.yaml");
  } catch (error) {
    assert.ok(error instanceof ConfigurationError);
    return error.problems;
  }
  return [];
}

Deno.test("parseConfiguration() reads every value and knows its place", () => {
  const { configuration, places } = parseConfiguration(GOOD, "config.yaml");
  assert.deepEqual(vmTypes(configuration), ["controlplane", "worker"]);
  assert.deepEqual(configuration.worker, {
    count: 3,
    memory: 4096,
    cpu: 4,
    threads: 2,
    disk: { root: 20, data: 50 },
    network: { lan: "br0" },
  });
  assert.deepEqual(configuration.controlplane, { count: 1, memory: 2048, cpu: 2, disk: {}, network: {} });
  assert.equal(places.get("worker.memory")?.line, 10);
  assert.deepEqual(places.get("worker.disk.data"), { line: 13, column: 27 });
});

const MISTAKES:
  readonly (readonly [from: string, to: string, field: string, line: number, message: RegExp])[] = [
    ["count: 3", "count: -1", "worker.count", 9, /from 0 to 99, found -1/],
    ["count: 3", "count: 1.5", "worker.count", 9, /found 1\.5/],
    ["count: 3", "count: 1000", "worker.count", 9, /found 1000/],
    ["count: 3", 'count: "3"', "worker.count", 9, /found "3"/],
    ["count: 3", "count:", "worker.count", 9, /Count is missing/],
    ["memory: 4096", "memory: 19", "worker.memory", 10, /from 20/],
    ["cpu: 4", "cpu: 256", "worker.cpu", 11, /from 1 to 255/],
    ["threads: 2", "threads: 3", "worker.threads", 12, /cannot be divided/],
    ["root: 20", "root: 0", "worker.disk.root", 13, /from 1 to 65536 GiB/],
    ["root: 20", "2: 20", "worker.disk.2", 13, /must begin with a letter/],
    ["lan: br0", "lan: 5", "worker.network.lan", 14, /must be text, found 5/],
    ["tank/vms", "/mnt/tank/vms", "storage.pool_path", 2, /without \/mnt\/: tank\/vms/],
    ["tank/vms", "tank//vms", "storage.pool_path", 2, /is no dataset/],
    ["/mnt/tank/iso/debian.iso", "iso/debian.iso", "storage.cdrom_path", 3, /full path below \/mnt\//],
    ["/mnt/tank/iso/debian.iso", '"/mnt/tank/{x}.iso"', "storage.cdrom_path", 3, /brace/],
    ["/mnt/tank/iso/debian.iso", "/mnt/tank/iso/", "storage.cdrom_path", 3, /is a folder/],
    [
      "pool_path: tank/vms",
      "pool: tank/vms",
      "storage.pool",
      2,
      /Unknown key "pool"; known are pool_path, cdrom_path/,
    ],
    ["worker:", "gpu-node:", "gpu-node", 8, /letters, digits and underscores/],
    ["worker:", "w0rker:", "worker", 1, /There is no VM type "worker"/],
    ["storage:", "stores:", "storage", 1, /storage section is missing/],
  ];

Deno.test("parseConfiguration() tells each mistake at its line", () => {
  for (const [from, to, field, line, message] of MISTAKES) {
    assert.ok(GOOD.includes(from), from);
    const found = problemsOf(GOOD.replace(from, to)).find((problem) => problem.field === field);
    assert.ok(found, `${to} is a mistake at ${field}`);
    assert.match(found.message, message);
    assert.equal(found.line, line, to);
  }
});

Deno.test("parseConfiguration() tells all mistakes at once", () => {
  const problems = problemsOf(GOOD.replace("count: 3", "count: x").replace("memory: 2048", "memory: 1"));
  assert.deepEqual(problems.map(({ field }) => field), ["controlplane.memory", "worker.count"]);
});

Deno.test("parseConfiguration() tells where a text is no YAML, has a key twice, or is too clever", () => {
  const [broken] = problemsOf("storage:\n  pool_path: [tank\n");
  assert.ok(broken?.line !== undefined && broken.line >= 2);
  const [twice] = problemsOf(GOOD + "worker: {}\n");
  assert.match(twice?.message ?? "", /unique/i);
  assert.equal(twice?.line, 15);
  const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [${"*a,".repeat(9)}]\nc: &c [${"*b,".repeat(9)}]\nd: [${
    "*c,".repeat(9)
  }]\n`;
  assert.match(problemsOf(bomb)[0]?.message ?? "", /alias/i);
  for (const text of ["", "[]", "just text", "42"]) {
    assert.match(problemsOf(text)[0]?.message ?? "", /sections/);
  }
});

Deno.test("loadConfiguration() reads a file, and says what to do when there is none", () => {
  const folder = mkdtempSync(`${tmpdir()}/config-test-`);
  try {
    writeFileSync(`${folder}/config.yaml`, GOOD);
    assert.deepEqual(vmTypes(loadConfiguration(`${folder}/config.yaml`)), ["controlplane", "worker"]);
    assert.throws(() => loadConfiguration(`${folder}/none.yaml`), /none\.yaml: There is no such file/);
    assert.throws(() => loadConfiguration(folder), /Cannot be read/);
    writeFileSync(`${folder}/huge.yaml`, "#".repeat(1_048_577));
    assert.throws(() => loadConfiguration(`${folder}/huge.yaml`), /more than 1048576 characters/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("the example config.yaml is good", () => {
  assert.deepEqual(vmTypes(loadConfiguration(new URL("../../config.yaml", import.meta.url).pathname)), [
    "controlplane",
    "worker",
  ]);
});

Deno.test("a good configuration written as YAML is read back as it was", () => {
  const part = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,10}$/);
  const section = fc.record({
    count: fc.integer({ min: 0, max: 99 }),
    memory: fc.integer({ min: 20, max: 1_000_000 }),
    cpu: fc.integer({ min: 1, max: 255 }),
    disk: fc.dictionary(part, fc.integer({ min: 1, max: 65_536 }), { maxKeys: 5, noNullPrototype: true }),
    network: fc.dictionary(part, part, { maxKeys: 5, noNullPrototype: true }),
  }, { noNullPrototype: true });
  fc.assert(fc.property(section, section, (controlplane, worker) => {
    const storage = { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" };
    const { configuration } = parseConfiguration(stringify({ storage, controlplane, worker }), "x");
    assert.deepEqual(configuration, { storage, controlplane, worker });
    assert.deepEqual(checkConfiguration(configuration), { ok: true, configuration });
  }));
});

Deno.test("checkConfiguration() never throws, whatever it is given", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    const checked = checkConfiguration(value);
    assert.ok(checked.ok || checked.problems.length > 0);
  }));
});
