/** Protects config.yaml: valid values are read, and all mistakes are reported at once with line and column. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import fc from "../../support/packages/fast_check.ts";
import { stringify } from "../../../lib/configuration/yaml.ts";
import { fromFlat } from "../../../lib/configuration/flat_configuration.ts";
import { checkConfiguration } from "../../../lib/configuration/configuration.ts";
import { readConfiguration } from "../../../lib/configuration/configuration_file.ts";
import {
  loadConfiguration,
  parseConfiguration,
  vmTypes,
} from "../../../lib/configuration/load_configuration.ts";
import { ConfigurationError, type Problem } from "../../../lib/errors/errors.ts";

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

Deno.test("parseConfiguration() reads every value with its position", () => {
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
    ["root: 20", "2: 20", "worker.disk.2", 13, /must start with a letter/],
    ["lan: br0", "lan: 5", "worker.network.lan", 14, /must be text, found 5/],
    ["tank/vms", "/mnt/tank/vms", "storage.pool_path", 2, /without \/mnt\/: tank\/vms/],
    ["tank/vms", "tank//vms", "storage.pool_path", 2, /is not a dataset name/],
    ["/mnt/tank/iso/debian.iso", "iso/debian.iso", "storage.cdrom_path", 3, /full path under \/mnt\//],
    ["/mnt/tank/iso/debian.iso", '"/mnt/tank/{x}.iso"', "storage.cdrom_path", 3, /brace/],
    ["/mnt/tank/iso/debian.iso", "/mnt/tank/iso/", "storage.cdrom_path", 3, /is a folder/],
    [
      "pool_path: tank/vms",
      "pool: tank/vms",
      "storage.pool",
      2,
      /Unknown key "pool"; the known keys are pool_path, cdrom_path/,
    ],
    [
      "count: 3",
      "count: 3\n  start: maybe",
      "worker.start",
      10,
      /start must be true or false, found "maybe"/,
    ],
    ["count: 3", "count: 3\n  description: 5", "worker.description", 10, /must be text, found 5/],
    ["worker:", "gpu-node:", "gpu-node", 8, /letters, digits and underscores/],
    ["worker:", "w0rker:", "worker", 1, /There is no VM type "worker"/],
    ["storage:", "stores:", "storage", 1, /storage section is missing/],
    ["count: 3", "count: .nan", "worker.count", 9, /found NaN/],
    ["count: 3", "count: [3]", "worker.count", 9, /found \[3\]/],
    ["count: 3", "count: true", "worker.count", 9, /found true/],
    ["  memory: 4096\n", "", "worker.memory", 8, /Memory is missing; .* from 20 to 16777216 MiB/],
    [
      "cpu: 4",
      "cpu: 4\n  color: red",
      "worker.color",
      12,
      /Unknown key "color"; the known keys are count, memory, cpu/,
    ],
    ["data: 50", "__proto__: 50", "worker.disk.__proto__", 13, /must start with a letter/],
    ["root: 20", `${"r".repeat(65)}: 20`, `worker.disk.${"r".repeat(65)}`, 13, /must start with a letter/],
    ["root: 20, data: 50", "root: 20, data: 65537", "worker.disk.data", 13, /to 65536 GiB, found 65537/],
    ["{ root: 20, data: 50 }", "[20, 50]", "worker.disk", 13, /must be a list of name: value lines/],
    [
      "{ root: 20, data: 50 }",
      `{ ${numbered(17, "d", "1")} }`,
      "worker.disk",
      13,
      /The maximum is 16, found 17/,
    ],
    ["{ lan: br0 }", `{ ${numbered(9, "n", "br0")} }`, "worker.network", 14, /The maximum is 8, found 9/],
    ["lan: br0", 'lan: ""', "worker.network.lan", 14, /bridge is missing/],
    ["tank/vms", "", "storage.pool_path", 2, /dataset for zvols is missing/],
    ["tank/vms", "tank/vms/", "storage.pool_path", 2, /is not a dataset name/],
    ["tank/vms", "/tank/vms", "storage.pool_path", 2, /is not a dataset name; write it like tank\/vms/],
    ["tank/vms", "tank/../other", "storage.pool_path", 2, /is not a dataset name/],
    ["worker:", "wörker:", "wörker", 8, /cannot be named "wörker01"/],
    ["worker:", `${"w".repeat(101)}:`, "w".repeat(101), 8, /at most 100 characters; this one has 101/],
    ["storage:", "storage: none\nold:", "storage", 1, /must have pool_path and cdrom_path/],
  ];

/** `d0: 1, d1: 1, …` */
function numbered(count: number, name: string, value: string): string {
  return Array.from({ length: count }, (_, n) => `${name}${n}: ${value}`).join(", ");
}

Deno.test("parseConfiguration() reports each mistake with its line", () => {
  for (const [from, to, field, line, message] of MISTAKES) {
    assert.ok(GOOD.includes(from), from);
    const found = problemsOf(GOOD.replace(from, to)).find((problem) => problem.field === field);
    assert.ok(found, `${to} is a mistake at ${field}`);
    assert.match(found.message, message);
    assert.equal(found.line, line, to);
  }
});

Deno.test("parseConfiguration() reports all mistakes at once", () => {
  const problems = problemsOf(GOOD.replace("count: 3", "count: x").replace("memory: 2048", "memory: 1"));
  assert.deepEqual(problems.map(({ field }) => field), ["controlplane.memory", "worker.count"]);
});

Deno.test("parseConfiguration() locates invalid YAML, duplicate keys and unsupported features", () => {
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

Deno.test("loadConfiguration() reads a file, and says what to do if it is missing", () => {
  const folder = mkdtempSync(`${tmpdir()}/config-test-`);
  try {
    writeFileSync(`${folder}/config.yaml`, GOOD);
    assert.deepEqual(vmTypes(loadConfiguration(`${folder}/config.yaml`)), ["controlplane", "worker"]);
    assert.throws(() => loadConfiguration(`${folder}/none.yaml`), /none\.yaml: No such file/);
    assert.throws(() => loadConfiguration(folder), /The file cannot be read/);
    writeFileSync(`${folder}/huge.yaml`, "#".repeat(1_048_577));
    assert.throws(() => loadConfiguration(`${folder}/huge.yaml`), /more than 1048576 characters/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

Deno.test("config.yaml is the built-in example, which is there when somebody has deleted the file", () => {
  const example = readFileSync(new URL("../../../config.yaml", import.meta.url), "utf8");
  assert.equal(readConfiguration("there/is/none.yaml", true).text, example);
});

Deno.test("the example config.yaml is valid", () => {
  assert.deepEqual(vmTypes(loadConfiguration(new URL("../../../config.yaml", import.meta.url).pathname)), [
    "controlplane",
    "worker",
  ]);
});

Deno.test("a valid configuration written as YAML reads back unchanged", () => {
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
    assert.deepEqual(checkConfiguration(configuration), { ok: true, configuration: fromFlat(configuration) });
  }));
});

Deno.test("checkConfiguration() never throws for any JSON value", () => {
  fc.assert(fc.property(fc.anything(), (value) => {
    const checked = checkConfiguration(value);
    assert.ok(checked.ok || checked.problems.length > 0);
  }));
});

Deno.test("premise: the configuration without the mistake is valid", () => {
  assert.deepEqual(problemsOf(GOOD), []);
});

Deno.test("invalid YAML is reported with line and column", () => {
  const BROKEN: readonly (readonly [text: string, line: number, column: number])[] = [
    ["storage:\n\tpool_path: tank\n", 2, 1],
    ['worker: "half\n', 2, 1],
    ["a: 1\n---\nb: 1\n", 2, 1],
    ["storage:\n  pool_path: *nowhere\n", 2, 14],
    ["a: 1\n  b: 2\n", 1, 4],
    ["{ a: 1\n", 2, 1],
    ["- a\nb: 1\n", 2, 1],
  ];
  for (const [text, line, column] of BROKEN) {
    const [problem] = problemsOf(text);
    assert.deepEqual([problem?.line, problem?.column], [line, column], `${text}${problem?.message}`);
    assert.throws(() => parseConfiguration(text, "my.yaml"), new RegExp(`my\\.yaml:${line}:${column}: `));
  }
});

Deno.test("a variable without quotes, which YAML takes for a mapping, is said as such at its place", () => {
  for (const seed of ["seed:\n    hostname: {{ vm.name }}", "seed: { hostname: {{ vm.name }} }"]) {
    const text = `${GOOD}web:\n  count: 1\n  ${seed}\n`;
    const [problem, ...others] = problemsOf(text);
    assert.match(problem?.message ?? "", /write text that begins with them in quotes: "\{\{ vm\.name \}\}"/);
    const lines = text.split("\n");
    const line = lines.findIndex((it) => it.includes("{{"));
    assert.deepEqual(others, []);
    assert.deepEqual([problem?.line, problem?.column], [line + 1, (lines[line]?.indexOf("{{") ?? 0) + 1]);
  }
});

Deno.test("an alias of an earlier section is read as that section", () => {
  const { configuration } = parseConfiguration(GOOD.replace("worker:", "worker: &w") + "gpu: *w\n", "x");
  assert.deepEqual(configuration.gpu, configuration.worker);
});

Deno.test("all missing sections are reported in one error", () => {
  assert.deepEqual(problemsOf("gpu: { count: 1, memory: 512, cpu: 1 }\n").map(({ field }) => field), [
    "storage",
    "controlplane",
    "worker",
  ]);
});

Deno.test("checkConfiguration() requires the given VM types", () => {
  const { configuration } = parseConfiguration(GOOD, "x");
  const fieldsOf = (require: string[]) => {
    const checked = checkConfiguration(configuration, require);
    return checked.ok ? [] : checked.problems.map(({ field }) => field);
  };
  assert.deepEqual([fieldsOf([]), fieldsOf(["worker"]), fieldsOf(["gpu", "db"])], [[], [], ["gpu", "db"]]);
});

Deno.test("checkConfiguration() never throws for a value that is not plain data", () => {
  const circle: Record<string, unknown> = {};
  circle.self = circle;
  const value = fc.oneof(
    fc.anything({ withBigInt: true, withDate: true, withMap: true }),
    fc.constantFrom(circle, Symbol("s")),
  );
  const section = fc.dictionary(
    fc.constantFrom("count", "memory", "cpu", "threads", "disk", "network", "odd"),
    value,
  );
  const storage = fc.dictionary(fc.constantFrom("pool_path", "cdrom_path", "odd"), value);
  fc.assert(fc.property(storage, section, section, (storage, controlplane, worker) => {
    const checked = checkConfiguration({ storage, controlplane, worker });
    assert.ok(checked.ok || checked.problems.every(({ message }) => message !== ""));
  }));
});

Deno.test("loadConfiguration() requires its default sections unless the caller allows any types (fault 28)", () => {
  const web = GOOD.replace(/controlplane:[^]*/, "web:\n  count: 1\n  memory: 2048\n  cpu: 2\n");
  const folder = mkdtempSync(`${tmpdir()}/config-test-`);
  try {
    writeFileSync(`${folder}/web.yaml`, web);
    assert.throws(
      () => loadConfiguration(`${folder}/web.yaml`),
      /no VM type "controlplane"[^]*no VM type "worker"/,
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
  const { configuration } = parseConfiguration(web, "web.yaml", { require: [] });
  assert.deepEqual(vmTypes(configuration), ["web"]);
});
