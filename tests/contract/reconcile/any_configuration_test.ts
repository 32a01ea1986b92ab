/**
 * Protects the promise of a declared configuration: whatever VMs were made from one configuration, applying any second one
 * with everything selected gives exactly what it says, on VMs that are stopped and that run; planning again keeps all.
 */
import assert from "node:assert/strict";
import process from "node:process";
import fc from "../../support/packages/fast_check.ts";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import { isGood } from "../../../lib/operations/summary.ts";
import { planned, TYPES, workersOf } from "../../support/vms/changing.ts";
import { withLab, workers } from "../../support/lab.ts";

const NAME = fc.constantFrom("a", "b", "c", "d");

const SECTION: fc.Arbitrary<VmTypeSection> = fc.record({
  count: fc.integer({ min: 1, max: 3 }),
  memory: fc.constantFrom(512, 1024, 1536),
  cpu: fc.constantFrom(2, 4, 8),
  threads: fc.constantFrom(1, 2),
  disk: fc.dictionary(NAME, fc.integer({ min: 1, max: 4 }), { maxKeys: 3 }),
  network: fc.dictionary(NAME, fc.constantFrom("br0", "br1", "eno1"), { maxKeys: 3 }),
  sparse: fc.boolean(),
  autostart: fc.boolean(),
  description: fc.constantFrom("lab 7", "a → b", "x"),
  template: fc.record({
    vm: fc.record({ cpu_mode: fc.constantFrom("HOST-PASSTHROUGH", "HOST-MODEL") }),
    display: fc.record({ bind: fc.constantFrom("0.0.0.0", "127.0.0.1") }),
    nic: fc.record({ type: fc.constantFrom("VIRTIO", "E1000") }),
    disk: fc.record({ type: fc.constantFrom("VIRTIO", "AHCI") }),
  }),
});

interface Case {
  readonly first: VmTypeSection;
  readonly second: VmTypeSection;
  readonly running: readonly boolean[];
  readonly how: "at-next-start" | "restart";
}

const CASE: fc.Arbitrary<Case> = fc.record({
  first: SECTION,
  second: SECTION,
  running: fc.array(fc.boolean(), { minLength: 3, maxLength: 3 }),
  how: fc.constantFrom("at-next-start" as const, "restart" as const),
});

const PLAIN: VmTypeSection = {
  count: 1,
  memory: 512,
  cpu: 2,
  disk: { a: 2 },
  network: { a: "br0", c: "br0" },
};

/** The address that network a was given goes to network c while the VM is replaced. */
const MOVED_ADDRESS: Case = {
  first: PLAIN,
  second: { ...PLAIN, disk: { a: 1 }, network: { a: "br0", b: "br0", c: "br0" } },
  running: [false, false, false],
  how: "restart",
};

const RUNS = process.env.FAULTS === "all" ? 200 : 8;

/** With fixed addresses for half of the VMs, in an order that the second configuration can turn around. */
function section(given: VmTypeSection, isTurned: boolean): VmTypeSection {
  const networks = Object.keys(given.network);
  const [first, second] = isTurned ? networks.toReversed() : networks;
  const list = (net: number) => [1, 2, 3].map((vm) => `02:00:00:00:0${net}:0${vm}`);
  const macs = first === undefined || second === undefined
    ? {}
    : { macs: { [first]: list(1), [second]: list(2) } };
  return { ...given, ...macs };
}

for (const version of ["24.10", "25.10", "27.0"] as const) {
  Deno.test(`any configuration is applied to VMs of any other, on ${version}`, () =>
    fc.assert(
      fc.asyncProperty(CASE, ({ first, second, running, how }) =>
        withLab({ simulator: { version, freeMemoryBytes: 64 * 2 ** 30 } }, async ({ manager, simulator }) => {
          const made = await manager.create({ configuration: workers(section(first, false)), types: TYPES });
          assert.equal(made.status, "done", JSON.stringify(made.vms));
          for (const [n, vm] of workersOf(simulator).entries()) {
            vm.state = running[n] === true ? "RUNNING" : "STOPPED";
          }
          const configuration = workers(section(second, true));
          const apply = async () => {
            const plan = await planned(manager, configuration);
            const named = (action: string) =>
              plan.filter((vm) =>
                vm.action === action
              ).map(({ name }) => name);
            const reconcile = {
              change: named("change"),
              replace: named("replace"),
              running: how,
              atATime: 2,
            };
            const { status, vms, operation } = await manager.create({
              configuration,
              types: TYPES,
              reconcile,
            });
            const bad = vms.filter(({ outcome }) => !isGood(operation.kind, outcome));
            assert.equal(status, "done", JSON.stringify(bad));
            return reconcile.replace.length;
          };
          // Disks that a replaced VM keeps are changed once they are the new VM's.
          if (await apply() > 0) await apply();
          for (const { name, action, differences } of await planned(manager, configuration)) {
            const unexplained = differences.filter(({ never }) => never === null);
            assert.deepEqual([name, action, unexplained], [name, "keep", []]);
          }
          const [before, now] = [made.vms.length, workersOf(simulator)];
          for (const [n, vm] of now.slice(0, before).entries()) {
            assert.equal(
              vm.state,
              running[n] === true ? "RUNNING" : "STOPPED",
              `${vm.config.name} as it was`,
            );
          }
        })),
      { numRuns: RUNS, examples: [[MOVED_ADDRESS]] },
    ));
}
