/** Protects what editors complete and underline: the JSON Schema accepts what the program accepts and refuses the rest. */
import assert from "node:assert/strict";
import { Ajv2020 } from "../../support/packages/ajv.ts";
import { checkConfiguration } from "../../../lib/configuration/configuration.ts";
import { configurationSchema, keyHelp } from "../../../lib/configuration/editing/json_schema.ts";

const STORAGE = { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" };
const WORKER = { count: 3, memory: 2048, cpu: 2, disk: { root: 20 }, network: { lan: "br0" } };

/** Sections of the type worker, and whether they are right. */
const SECTIONS: readonly (readonly [Record<string, unknown>, boolean])[] = [
  [WORKER, true],
  [{ count: 0, memory: 20, cpu: 1 }, true],
  [{ ...WORKER, start: false, autostart: true, overcommit: true, sparse: true, parallel: 2 }, true],
  [
    { ...WORKER, description: "lab", threads: 2, on_failure: "keep", template: { vm: { time: "UTC" } } },
    true,
  ],
  [{ ...WORKER, macs: { lan: ["02:00:5e:10:00:01", "02:00:5e:10:00:02", "02:00:5e:10:00:03"] } }, true],
  [{ ...WORKER, count: 100 }, false],
  [{ ...WORKER, count: "3" }, false],
  [{ ...WORKER, count: 1.5 }, false],
  [{ ...WORKER, memory: 19 }, false],
  [{ ...WORKER, cpu: undefined }, false],
  [{ ...WORKER, start: "yes" }, false],
  [{ ...WORKER, disk: { root: 0 } }, false],
  [{ ...WORKER, disk: [20] }, false],
  [{ ...WORKER, network: { lan: "" } }, false],
  [{ ...WORKER, on_failure: "explode" }, false],
  [{ ...WORKER, unknown: 1 }, false],
  [{ ...WORKER, template: { unknown: {} } }, false],
];

const NAMES: readonly (readonly [string, boolean])[] = [
  ["gpu_node", true],
  ["x-notes", true],
  ["gpu-node", false],
  ["gpu1", false],
  ["images", false],
];

Deno.test("the schema and the program agree on sections and names", () => {
  const validate = new Ajv2020({ strict: false }).compile(configurationSchema());
  const agree = (configuration: Record<string, unknown>, wanted: boolean) => {
    const plain = JSON.parse(JSON.stringify(configuration));
    assert.equal(checkConfiguration(plain).ok, wanted, JSON.stringify(configuration));
    assert.equal(
      validate(plain),
      wanted,
      `${JSON.stringify(configuration)}: ${JSON.stringify(validate.errors)}`,
    );
  };
  for (const [worker, wanted] of SECTIONS) agree({ storage: STORAGE, worker }, wanted);
  for (const [name, wanted] of NAMES) agree({ storage: STORAGE, worker: WORKER, [name]: WORKER }, wanted);
  agree({ storage: { pool_path: "tank/vms" }, worker: WORKER }, false);
  agree({ worker: WORKER }, false);
});

Deno.test("every key is explained", () => {
  const { storage, type } = keyHelp();
  for (const { name, help, takes } of [...storage, ...type]) assert.ok(help !== "" && takes !== "", name);
  assert.deepEqual(type.filter(({ required }) => required).map(({ name }) => name), [
    "count",
    "memory",
    "cpu",
  ]);
  assert.equal(type.find(({ name }) => name === "on_failure")?.takes, "roll-back, keep, stop");
});
