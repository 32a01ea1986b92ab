/**
 * Protects the configuration for the tools that manage it besides us, such as Ansible: PyYAML, a reader of YAML 1.1, finds
 * in an edited config.yaml what was entered, whatever it resembles.
 */
import assert from "node:assert/strict";
import fc from "../support/packages/fast_check.ts";
import { applyEdits } from "../../lib/configuration/editing/edits.ts";
import { consume } from "../support/consumers.ts";

const FILE = `# The VMs.
storage:
  pool_path: tank/vms
worker:
  count: 3 # 0 to 99
  memory: 0x1000
  disk: { root: 20 }
  network:
    lan: br0
`;

const LOAD = "import json, sys, yaml; json.dump(yaml.safe_load(sys.stdin.buffer), sys.stdout, default=repr)";

/** Edits the file as the form does, and has PyYAML read it. */
async function readAfter(network: Readonly<Record<string, string>>): Promise<void> {
  const disk = Object.fromEntries(Object.keys(network).map((name, n) => [name, n + 1]));
  const edited = applyEdits(FILE, [
    { kind: "change", name: "worker", values: { count: 2, memory: 8192, disk, network } },
    { kind: "add", name: "gpu", values: { count: 1, start: false, network } },
  ]);
  assert.ok(edited.ok);
  const { code, stdout, stderr } = await consume("python3", ["-c", LOAD], edited.text);
  assert.equal(code, 0, `${stderr}\n${edited.text}`);
  assert.deepEqual(JSON.parse(stdout), {
    storage: { pool_path: "tank/vms" },
    worker: { count: 2, memory: 8192, disk, network },
    gpu: { count: 1, start: false, network },
  }, edited.text);
}

/** Texts that YAML 1.1 or 1.2 take for something else when they stand without quotes, or cannot contain as they are. */
const ODD = [
  ..."yes No on OFF null ~ 012 0o17 0x1f 1_000 12:30:45 1e3 .5 .inf 2026-11-26".split(" "),
  ..."&a *a !a %a @a `a 'a' \"a\" [a] {a} a,b = << é 😀".split(" "),
  ..."|a: b|a #b|- a| a |a\nb|a\tb|\u0000|\u007f|\u0085|\u2028|\ufeff|\ufffe".split("|"),
];

Deno.test("PyYAML reads from an edited configuration what was entered", async () => {
  await readAfter(Object.fromEntries(ODD.map((text, n) => [`nic${n}`, text])));
  await readAfter(Object.fromEntries(ODD.map((text) => [text, "br0"])));
  const texts = fc.array(fc.string({ unit: "binary" }), { maxLength: 20 });
  await fc.assert(
    fc.asyncProperty(texts, (texts) => readAfter(Object.fromEntries(texts.map((text) => [text, text])))),
    { numRuns: 5 },
  );
});
