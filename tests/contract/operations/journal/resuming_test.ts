/** Protects people from creations that go on by themselves long after anybody wanted them. */
import assert from "node:assert/strict";
import { parseConfiguration } from "../../../../lib/configuration/load_configuration.ts";
import { fromFlat } from "../../../../lib/configuration/flat_configuration.ts";
import { Journal } from "../../../../lib/operations/record/journal.ts";
import { OperationStore } from "../../../../lib/operations/record/store.ts";
import { NOTHING_CHANGED } from "../../../../lib/plan/changes.ts";
import { startSimulator } from "../../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../../lib/vm_manager.ts";
import { TEST_CONFIG, TEST_TIMES } from "../../../support/pages/dashboard.ts";
import { withFolder } from "../../../support/folder.ts";
import { credentials, vmNames } from "../../../support/lab.ts";
import { changingCalls, createWorkers, planned, SMALL } from "../../../support/vms/replacing.ts";

const HOUR_MS = 60 * 60_000;
const CONFIGURATION = fromFlat(parseConfiguration(TEST_CONFIG, "config.yaml").configuration);

for (
  const [hours, what, names] of [
    [23, "goes on", ["controlplane01"]],
    [25, "waits for a decision", []],
  ] as const
) {
  Deno.test(`a creation that was interrupted ${hours} hours ago ${what}`, () =>
    withFolder(async (folder) => {
      await using simulator = await startSimulator({ times: TEST_TIMES });
      using journal = Journal.open(folder);
      const log = new OperationStore(() => Date.now() - hours * HOUR_MS, journal).create();
      const request = {
        kind: "create",
        configuration: CONFIGURATION,
        types: [{ type: "controlplane", startPort: 5910 }],
      } as const;
      const vms = [{ name: "controlplane01", steps: ["vm"], summary: "" }];
      log.append({ type: "started", kind: "create", title: "Create 1 VM", vms, request });
      await log.written();
      await using manager = new VMManager({ ...credentials(simulator), journal });
      await manager.connect();
      await manager.operations.resumeInterrupted();
      assert.deepEqual(vmNames(simulator), names);
      const [, first] = manager.operations.store.list();
      const { status } = first ?? manager.operations.store.list()[0] ?? assert.fail();
      assert.equal(status, "interrupted");
    }));
}

Deno.test("a replacement that was interrupted waits for a decision, because it removes disks", () =>
  withFolder(async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    await using maker = new VMManager(credentials(simulator));
    await maker.connect();
    await createWorkers(maker);
    const replaced = [await planned(maker)];
    using journal = Journal.open(folder);
    const log = new OperationStore(() => Date.now(), journal).create();
    const reconcile = { ...NOTHING_CHANGED, replace: ["worker02"] };
    const { configuration, types } = SMALL;
    const request = {
      kind: "create",
      configuration: fromFlat(configuration),
      types,
      reconcile,
      replaced,
    } as const;
    const vms = [{ name: "worker02", steps: ["verify"], summary: "" }];
    log.append({ type: "started", kind: "create", title: "Replace 1 VM", vms, request });
    await log.written();
    await using manager = new VMManager({ ...credentials(simulator), journal });
    await manager.connect();
    const since = simulator.calls.length;
    await manager.operations.resumeInterrupted();
    assert.deepEqual(changingCalls(simulator, since), []);
    const resumed = await (await manager.operations.resume(log.id))?.finished;
    assert.deepEqual(resumed?.vms.map(({ name, outcome }) => [name, outcome]), [["worker02", "replaced"]]);
  }));
