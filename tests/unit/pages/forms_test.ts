/**
 * Protects forms: a configuration survives the form unchanged, every mistake is shown at its field, and entries are
 * never lost.
 */
import assert from "node:assert/strict";
import fc from "../../support/packages/fast_check.ts";
import type { Configuration } from "../../../lib/configuration/configuration.ts";
import { firstBootFields } from "../../../routes/forms/first_boot.ts";
import { atField, configurationOf } from "../../../routes/forms/form_configuration.ts";
import { prefixesOf, readForm } from "../../../routes/forms/read_form.ts";
import { createFormOf, formOf } from "../../../routes/forms/typed_types.ts";
import type { CreateForm } from "../../../templates/pages/create_page.tsx";
import { textsOf } from "../../../templates/parts/type_form/first_boot.ts";
import type { CreateFormType, NetworkRow } from "../../../templates/parts/type_form/form.ts";

const CONFIG: Configuration = {
  storage: { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" },
  types: {
    controlplane: { count: 1, memory: 2048, cpu: 2, disk: {}, network: {} },
    worker: {
      count: 3,
      memory: 4096,
      cpu: 4,
      threads: 2,
      disk: { root: 20, "data.1": 50 },
      network: { lan: "br0" },
      seed: { kind: "cloud-init", user: "admin", packages: ["curl", "git"], run: ["a b", "c"] },
      addresses: { lan: { list: ["10.0.0.5/24", "10.0.0.7/24", "10.0.0.9/24"], gateway: "10.0.0.1" } },
      ready: { when: "tcp:22", timeout: "5m", otherwise: "stop" },
      quorum: true,
    },
  },
};

/** The fields that a browser sends of a form. */
function fieldsOf(form: CreateForm): URLSearchParams {
  const fields = new URLSearchParams();
  fields.set("storage.pool_path", form.pool_path);
  fields.set("storage.cdrom_path", form.cdrom_path);
  for (const shown of form.types) {
    const { name: type, disks, networks, firstBoot: _, ...numbers } = shown;
    for (const [key, value] of Object.entries(numbers)) {
      if (Array.isArray(value) || value === null) continue;
      const name = key === "onFailure" ? "on_failure" : key;
      if (typeof value === "string") fields.set(`${type}.${name}`, value);
      else for (const sent of value ? ["no", "yes"] : ["no"]) fields.append(`${type}.${name}`, sent);
    }
    for (const [n, { name, sizeGib }] of disks.entries()) {
      fields.set(`${type}.disk.${n}.name`, name);
      fields.set(`${type}.disk.${n}.size`, sizeGib);
    }
    for (const [n, { name, bridge, macs }] of networks.entries()) {
      fields.set(`${type}.network.${n}.name`, name);
      fields.set(`${type}.network.${n}.bridge`, bridge);
      fields.set(`${type}.network.${n}.macs`, macs);
    }
    for (const [name, value] of firstBootFields(shown)) fields.set(`${type}.${name}`, value);
  }
  return fields;
}

const WORKER_AND_GPU: Configuration = {
  ...CONFIG,
  types: { ...CONFIG.types, gpu: { count: 0, memory: 20, cpu: 1, disk: {}, network: {} } },
};

const FORM: CreateForm = formOf(CONFIG, { autostart: true });

/** The problems of a form whose worker is changed. */
function problemsOf(change: Partial<CreateFormType>) {
  const types = FORM.types.map((type) => type.name === "worker" ? { ...type, ...change } : type);
  const checked = configurationOf({ ...FORM, types });
  return checked.ok ? [] : checked.problems.map(({ field, message }) => [field, message] as const);
}

Deno.test("a configuration survives the form unchanged", () => {
  const sent = createFormOf(new URLSearchParams(fieldsOf(FORM).toString()), CONFIG);
  assert.deepEqual(sent, FORM);
  const ticks = { start: true, autostart: true, overcommit: false };
  const { storage, types: { controlplane, worker } } = CONFIG;
  const types = { controlplane: { ...controlplane, ...ticks }, worker: { ...worker, ...ticks } };
  const configuration = { storage, types };
  assert.deepEqual(configurationOf(FORM), { ok: true, configuration });
});

/** Objects as the program makes them. */
const PLAIN = { noNullPrototype: true } as const;

Deno.test("entries are shown again as typed, valid or not", () => {
  const typed = fc.string().map((text) => text.trim());
  const filled = (row: object) => Object.values(row).some((value) => value !== "");
  const disks = fc.array(fc.record({ name: typed, sizeGib: typed }, PLAIN).filter(filled), { maxLength: 4 });
  const network = { name: typed, bridge: typed, macs: typed };
  const address = fc.record({ addresses: typed, gateway: typed, dns: typed }, PLAIN);
  const seed = fc.record(textsOf(() => typed), PLAIN);
  const others = { when: typed, port: typed, timeout: typed, otherwise: typed.map((text) => text || "keep") };
  const firstBoot = fc.record({ kind: typed, seed, ...others, quorum: fc.boolean() }, PLAIN);
  const typeWith = (
    firstBoot: fc.Arbitrary<CreateFormType["firstBoot"]>,
    network: { [Key in keyof NetworkRow]: fc.Arbitrary<NetworkRow[Key]> },
  ) =>
    fc.record({
      name: fc.constant("worker"),
      count: typed,
      memory: typed,
      cpu: typed,
      threads: typed,
      start: fc.boolean(),
      autostart: fc.boolean(),
      overcommit: fc.boolean(),
      sparse: fc.boolean(),
      image: fc.oneof(typed, fc.constant(null)),
      cdrom: fc.oneof(typed, fc.constant(null)),
      clone: fc.oneof(fc.boolean(), fc.constant(null)),
      description: typed,
      parallel: typed,
      onFailure: typed.map((text) => text || "roll-back"),
      firstBoot,
      firstBootSaid: fc.constant(FORM.types[1]?.firstBootSaid ?? []),
      overrides: fc.constant([]),
      disks,
      networks: fc.array(
        fc.record(network, PLAIN).filter((row) => filled({ ...row, ...row.address, address: "" })),
        {
          maxLength: 4,
        },
      ),
    }, PLAIN);
  const form = fc.record({
    pool_path: typed,
    cdrom_path: typed,
    types: fc.tuple(
      fc.oneof(typeWith(fc.constant(null), network), typeWith(firstBoot, { ...network, address })),
    ),
  }, PLAIN);
  const likeAChoice = createFormOf(
    new URLSearchParams("storage.cdrom_path=?&worker.count=1"),
    WORKER_AND_GPU,
  );
  assert.equal(likeAChoice?.cdrom_path, "?", "also what stands for another choice in a list");
  fc.assert(fc.property(form, (form) => {
    assert.deepEqual(createFormOf(fieldsOf(form), WORKER_AND_GPU), form);
    const checked = configurationOf(form);
    assert.ok(checked.ok || checked.problems.length > 0);
  }));
});

Deno.test("createFormOf() is null without a form, and omits types that the form does not contain", () => {
  assert.equal(createFormOf(new URLSearchParams("confirm=yes"), CONFIG), null);
  const one = createFormOf(new URLSearchParams("worker.count= 2 &worker.disk.3.size=5"), CONFIG);
  assert.deepEqual(one?.types.map(({ name, count, disks }) => [name, count, disks]), [
    ["worker", "2", [{ name: "", sizeGib: "5" }]],
  ]);
});

Deno.test("premise: the form without the mistake is valid", () => assert.deepEqual(problemsOf({}), []));

Deno.test("every mistake is reported at its field", () => {
  const MISTAKES: readonly (readonly [change: Partial<CreateFormType>, field: string, message: RegExp])[] = [
    [{ count: "" }, "worker.count", /Count is missing/],
    [{ count: "-1" }, "worker.count", /from 0 to 99, found -1$/],
    [{ count: "1.5" }, "worker.count", /found 1\.5$/],
    [{ count: "1000" }, "worker.count", /found 1000$/],
    [{ count: "two" }, "worker.count", /found "two"$/],
    [{ count: "Infinity" }, "worker.count", /found "Infinity"$/],
    [{ memory: "19" }, "worker.memory", /from 20 to/],
    [{ threads: "3" }, "worker.threads", /cannot be divided/],
    [{ disks: [{ name: "root", sizeGib: "" }] }, "worker.disk.0.size", /size is missing/],
    [{ disks: [{ name: "root", sizeGib: "0" }] }, "worker.disk.0.size", /from 1 to/],
    [{ disks: [{ name: "", sizeGib: "5" }] }, "worker.disk.0.name", /Enter a name for the disk/],
    [
      { disks: [{ name: "a.b", sizeGib: "5" }, { name: "a.c", sizeGib: "x" }] },
      "worker.disk.1.size",
      /found "x"$/,
    ],
    [
      { disks: [{ name: "a", sizeGib: "5" }, { name: "a", sizeGib: "6" }] },
      "worker.disk.1.name",
      /Two rows have the name "a"/,
    ],
    [{ disks: [{ name: "__proto__", sizeGib: "5" }] }, "worker.disk.0.size", /must start with a letter/],
    [{ networks: [{ name: "lan", bridge: "", macs: "" }] }, "worker.network.0.bridge", /bridge is missing/],
    [
      { networks: [{ name: "", bridge: "br0", macs: "" }] },
      "worker.network.0.name",
      /Enter a name for the network/,
    ],
    [
      { networks: [{ name: "2nd", bridge: "br0", macs: "" }] },
      "worker.network.0.bridge",
      /must start with a letter/,
    ],
    [
      { networks: [{ name: "lan", bridge: "br0", macs: "02:00:00:00:00:01" }] },
      "worker.network.0.macs",
      /3 VMs need as many MAC addresses, found 1/,
    ],
    [
      { networks: [{ name: "lan", bridge: "br0", macs: "x, 02-00-00-00-00-02 02:00:00:00:00:03" }] },
      "worker.network.0.macs",
      /"x" is not a unicast MAC/,
    ],
    [{ parallel: "0" }, "worker.parallel", /from 1 to 99, found 0$/],
    [{ onFailure: "explode" }, "worker.on_failure", /must be roll-back, keep, stop; found "explode"$/],
  ];
  for (const [change, field, message] of MISTAKES) {
    const problems = problemsOf(change);
    assert.deepEqual(problems.map(([field]) => field), [field], JSON.stringify(change));
    assert.match(problems[0]?.[1] ?? "", message);
  }
});

Deno.test("all mistakes are reported at once, including those of the storage", () => {
  const types = FORM.types.map((type) => ({ ...type, count: "", memory: "" }));
  const checked = configurationOf({ pool_path: "/mnt/tank", cdrom_path: "", types });
  assert.deepEqual(checked.ok ? [] : checked.problems.map(({ field }) => field), [
    "storage.pool_path",
    "storage.cdrom_path",
    "controlplane.count",
    "controlplane.memory",
    "worker.count",
    "worker.memory",
  ]);
});

Deno.test("a form with one VM type does not require the others", () => {
  const types = FORM.types.filter(({ name }) => name === "worker");
  const checked = configurationOf({ ...FORM, types });
  assert.ok(checked.ok);
  assert.deepEqual(Object.keys(checked.configuration.types), ["worker"]);
});

Deno.test("atField() leaves a problem unchanged if the form has no row for it", () => {
  for (const field of ["", "worker", "worker.count", "worker.disk", "worker.disk.none", "gpu.disk.root"]) {
    const problem = { field, message: "It is wrong" };
    assert.equal(atField(problem, FORM), problem);
  }
  const finding = { field: "worker.disk.data.1", message: "It is wrong", severity: "error" };
  assert.deepEqual(atField(finding, FORM), { ...finding, field: "worker.disk.1.size" });
  assert.equal(atField({ field: "worker.network.lan" }, FORM).field, "worker.network.0.bridge");
});

Deno.test("readForm() reads both kinds of form and nothing else", async () => {
  const send = (body: BodyInit, headers: HeadersInit = {}) =>
    readForm(new Request("http://localhost/", { method: "POST", body, headers }));
  assert.deepEqual([...await send(new URLSearchParams("a=1&a=2&b=x+y")) ?? []], [["a", "1"], ["a", "2"], [
    "b",
    "x y",
  ]]);
  const form = new FormData();
  form.append("a", "1");
  form.append("file", new File(["text"], "x.txt"));
  assert.deepEqual([...await send(form) ?? []], [["a", "1"]], "a file is no field");
  assert.equal(await send("{}", { "content-type": "application/json" }), null);
  assert.equal(await readForm(new Request("http://localhost/", { method: "POST" })), null);
});

Deno.test("prefixesOf() splits prefixes at commas and spaces, without duplicates", () => {
  assert.deepEqual(prefixesOf(" worker, controlplane,,worker\n gpu "), ["worker", "controlplane", "gpu"]);
  for (const nothing of ["", " ", ", ,"]) assert.deepEqual(prefixesOf(nothing), []);
  fc.assert(
    fc.property(fc.string(), (typed) => assert.ok(prefixesOf(typed).every((it) => /^[^\s,]+$/.test(it)))),
  );
});
