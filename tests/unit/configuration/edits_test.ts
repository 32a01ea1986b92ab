/**
 * Protects people's configuration files: an edit changes what it says and leaves every other character as it was,
 * comments, order and style included. What cannot be changed so is refused, never damaged.
 */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import { parseText } from "../../../lib/configuration/configuration_text.ts";
import {
  applyEdits,
  type ConfigurationEdit,
  type SectionValues,
} from "../../../lib/configuration/editing/edits.ts";

const FILE = `# The VMs of a cluster.

storage:
  # The dataset; it has to be there.
  pool_path: tank/vms
  cdrom_path: /mnt/tank/iso/debian.iso   # the install image

# Each further section is a VM type.
controlplane:
  count: 1 # 0 to 99
  memory:   4096
  cpu: 2
  disk: # name: GiB
    root: 20
  network:
    lan: br0


worker:
  count: 3
  memory: 0x1000
  cpu: 4
  disk:
    root: 20   # the system
    data: 50
  network: {lan: br0}
  # start: false

# That is all.
`;

const DEFAULTS = { start: true, autostart: true, overcommit: false, sparse: false, on_failure: "roll-back" };

const GPU: SectionValues = {
  count: 2,
  memory: 8192,
  cpu: 4,
  disk: { root: 40 },
  network: { lan: "br0" },
};

function edited(text: string, ...edits: ConfigurationEdit[]): string {
  const result = applyEdits(text, edits, DEFAULTS);
  assert.ok(result.ok, JSON.stringify(result));
  return result.text;
}

function refusal(text: string, ...edits: ConfigurationEdit[]): string {
  const result = applyEdits(text, edits, DEFAULTS);
  assert.ok(!result.ok);
  return result.problems.map(({ message }) => message).join("; ");
}

/** The lines of one text that the other does not have. */
function difference(before: string, after: string): { gone: string[]; added: string[] } {
  const count = (lines: string[], line: string) => lines.filter((it) => it === line).length;
  const [a, b] = [before.split("\n"), after.split("\n")];
  return {
    gone: [...new Set(a)].filter((line) => count(a, line) > count(b, line)),
    added: [...new Set(b)].filter((line) => count(b, line) > count(a, line)),
  };
}

Deno.test("a changed number changes its line and keeps the comment behind it", () => {
  const text = edited(FILE, { kind: "change", name: "controlplane", values: { count: 3, memory: 4096 } });
  assert.deepEqual(difference(FILE, text), {
    gone: ["  count: 1 # 0 to 99"],
    added: ["  count: 3 # 0 to 99"],
  });
  assert.equal(text.length, FILE.length);
});

Deno.test("an equal section changes nothing at all", () => {
  const values = {
    count: 3,
    memory: 4096,
    cpu: 4,
    threads: undefined,
    disk: { root: 20, data: 50 },
    network: { lan: "br0" },
    start: true,
    sparse: false,
    description: undefined,
  };
  assert.equal(edited(FILE, { kind: "change", name: "worker", values }), FILE);
});

Deno.test("keys are added after the others, and removed with their lines", () => {
  const added = edited(FILE, {
    kind: "change",
    name: "worker",
    values: { start: false, threads: 2, description: "lab: 7", disk: { root: 20 } },
  });
  assert.deepEqual(difference(FILE, added), {
    gone: ["    data: 50"],
    added: ["  start: false", "  threads: 2", '  description: "lab: 7"'],
  });
  assert.match(added, /network: \{lan: br0\}\n {2}start: false\n {2}threads: 2\n/);
  const removed = edited(added, {
    kind: "change",
    name: "worker",
    values: { start: true, threads: undefined, description: undefined },
  });
  assert.deepEqual(difference(added, removed), {
    gone: ["  start: false", "  threads: 2", '  description: "lab: 7"'],
    added: ["  start: true"],
  });
});

Deno.test("disks keep their order: renamed in place, added at the end, written anew where the order changes", () => {
  const change = (disk: Record<string, number>) =>
    difference(FILE, edited(FILE, { kind: "change", name: "worker", values: { disk } }));
  assert.deepEqual(change({ system: 20, data: 60 }), {
    gone: ["    root: 20   # the system", "    data: 50"],
    added: ["    system: 20   # the system", "    data: 60"],
  });
  assert.deepEqual(change({ root: 20, data: 50, logs: 5 }), { gone: [], added: ["    logs: 5"] });
  const swapped = edited(FILE, { kind: "change", name: "worker", values: { disk: { data: 50, root: 20 } } });
  assert.match(swapped, /disk:\n {4}data: 50\n {4}root: 20 {3}# the system\n {2}network/);
});

Deno.test("the last disk goes with its key's place kept valid", () => {
  const text = edited(FILE, { kind: "change", name: "controlplane", values: { disk: {} } });
  assert.deepEqual(parsed(text).controlplane, {
    count: 1,
    memory: 4096,
    cpu: 2,
    disk: {},
    network: { lan: "br0" },
  });
});

Deno.test("a new type stands after the last one, written as the others are", () => {
  const text = edited(FILE, { kind: "add", name: "gpu", values: GPU });
  assert.equal(
    text,
    FILE.replace(
      "  # start: false\n",
      `  # start: false

gpu:
  count: 2
  memory: 8192
  cpu: 4
  disk:
    root: 40
  network:
    lan: br0
`,
    ),
  );
  const flow =
    "storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/x.iso }\nworker:\n    count: 1\n    disk: { root: 20 }";
  assert.equal(
    edited(flow, { kind: "add", name: "gpu", values: GPU }),
    `${flow}\n\ngpu:\n    count: 2\n    memory: 8192\n    cpu: 4\n    disk: { root: 40 }\n    network: { lan: br0 }`,
  );
});

Deno.test("the first type of an empty file, or of one with only comments", () => {
  const storage: ConfigurationEdit = {
    kind: "add",
    name: "storage",
    values: { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian 12.iso" },
  };
  const text = edited("", storage, { kind: "add", name: "gpu", values: { count: 1, memory: 512, cpu: 1 } });
  assert.equal(
    text,
    "storage:\n  pool_path: tank/vms\n  cdrom_path: /mnt/tank/iso/debian 12.iso\n\ngpu:\n  count: 1\n  memory: 512\n  cpu: 1\n",
  );
  assert.equal(edited("# mine\n", storage).slice(0, 16), "# mine\n\nstorage:");
});

Deno.test("a copy has the comments of its original and stands after it", () => {
  const text = edited(
    FILE,
    { kind: "add", name: "edge", values: {}, copyOf: "controlplane" },
    { kind: "change", name: "edge", values: { count: 2 } },
  );
  assert.match(text, /lan: br0\n\nedge:\n {2}count: 2 # 0 to 99\n {2}memory: {3}4096\n/);
  assert.deepEqual(Object.keys(parsed(text)), ["storage", "controlplane", "edge", "worker"]);
  assert.deepEqual(difference(FILE, text).gone, []);
});

Deno.test("a renamed type stays where it is", () => {
  const text = edited(FILE, { kind: "rename", name: "controlplane", to: "master" });
  assert.deepEqual(difference(FILE, text), { gone: ["controlplane:"], added: ["master:"] });
});

Deno.test("a removed type takes its own lines and leaves the comments around it", () => {
  const text = edited(FILE, { kind: "remove", name: "controlplane" });
  assert.equal(text, FILE.replace(/controlplane:[^]*?(?=worker:)/, ""));
  const last = edited(FILE, { kind: "remove", name: "worker" });
  assert.equal(last, FILE.replace(/worker:[^]*?(?=# That)/, ""));
});

Deno.test("windows line ends, a missing last line end and JSON stay what they are", () => {
  const windows = FILE.replaceAll("\n", "\r\n");
  const text = edited(
    windows,
    { kind: "add", name: "gpu", values: GPU },
    { kind: "add", name: "copy", values: {}, copyOf: "worker" },
    { kind: "change", name: "worker", values: { start: false } },
    { kind: "remove", name: "controlplane" },
  );
  assert.doesNotMatch(text, /(?<!\r)\n|\r\r/);
  const json = JSON.stringify({ storage: { pool_path: "a" }, worker: { count: 1, disk: { root: 20 } } });
  const changed = edited(
    json,
    { kind: "change", name: "worker", values: { count: 2, disk: { root: 20, data: 5 } } },
    { kind: "add", name: "gpu", values: GPU },
    { kind: "rename", name: "gpu", to: "fast" },
    { kind: "remove", name: "worker" },
  );
  assert.deepEqual(parsed(changed), { storage: { pool_path: "a" }, fast: { ...GPU } });
});

Deno.test("what comes from an anchor is overridden where that works, and refused where it does not", () => {
  const file = `x-base: &base
  count: 1
  memory: 512
  cpu: 1
  threads: 1
worker:
  <<: *base
  count: 2
big: &big
  <<: *base
  memory: 2048
huge: *big
`;
  const text = edited(file, { kind: "change", name: "worker", values: { memory: 1024, count: 3 } });
  assert.deepEqual(parsed(text).worker, { count: 3, memory: 1024, cpu: 1, threads: 1 });
  assert.match(refusal(file, { kind: "change", name: "worker", values: { threads: undefined } }), /anchors/);
  assert.match(refusal(file, { kind: "change", name: "huge", values: { count: 1 } }), /YAML tab/);
  assert.match(refusal(file, { kind: "change", name: "big", values: { memory: 1 } }), /anchors/);
  assert.match(refusal(file, { kind: "remove", name: "big" }), /anchors/);
  const copy = edited(file, { kind: "add", name: "other", values: {}, copyOf: "big" });
  assert.deepEqual(parsed(copy).other, { count: 1, memory: 2048, cpu: 1, threads: 1 });
});

Deno.test("a section that is gone is named", () => {
  assert.match(refusal(FILE, { kind: "remove", name: "gpu" }), /no section "gpu" any more/);
  assert.match(refusal(FILE, { kind: "change", name: "gpu", values: {} }), /"gpu"/);
  assert.match(refusal("# nothing\n", { kind: "rename", name: "gpu", to: "x" }), /"gpu"/);
  assert.match(refusal("- a\n", { kind: "add", name: "gpu", values: {} }), /does not have sections/);
});

function parsed(text: string): Record<string, unknown> {
  return parseText(text, "config.yaml").value as Record<string, unknown>;
}

Deno.test("whatever a form sends comes back from the file, and every other section as it was", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9_.-]{0,8}$/);
  const values = fc.record({
    count: fc.oneof(fc.integer(), fc.string()),
    description: fc.option(fc.string({ unit: "binary" }), { nil: undefined }),
    disk: fc.dictionary(name, fc.integer({ min: 1, max: 9 }), { maxKeys: 4 }),
    network: fc.dictionary(name, fc.string(), { maxKeys: 3 }),
    macs: fc.option(fc.dictionary(name, fc.array(fc.string(), { maxLength: 3 }), { maxKeys: 3 }), {
      nil: undefined,
    }),
    start: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.constantFrom("worker", "controlplane"),
      fc.array(values, { minLength: 1, maxLength: 4 }),
      (type, steps) => {
        const before = parsed(FILE);
        const edits = steps.map((it): ConfigurationEdit => ({ kind: "change", name: type, values: it }));
        const after = parsed(edited(FILE, ...edits));
        const wanted = steps.at(-1) ?? assert.fail();
        const { start = true, ...rest } = after[type] as Record<string, unknown>;
        assert.equal(start, wanted.start);
        for (const key of ["count", "description", "disk", "network", "macs"] as const) {
          assert.equal(JSON.stringify(rest[key]), JSON.stringify(wanted[key]), key);
        }
        for (const other of Object.keys(before).filter((it) => it !== type)) {
          assert.deepEqual(after[other], before[other]);
        }
      },
    ),
    { numRuns: 25 },
  );
});
