/** Protects the demo's story: what a newcomer finds, and that it is told fast enough to be waited for. */
import assert from "node:assert/strict";
import { recoveryOf } from "../../lib/operations/recovery.ts";
import { OperationStore } from "../../lib/operations/record/store.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { goAwayOnce, tellStory } from "../../lib/simulator/story.ts";
import { parseConfiguration } from "../../lib/configuration/load_configuration.ts";
import { VMManager } from "../../lib/vm_manager.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";

Deno.test("the story leaves a VM that was rolled back, one that differs, and an interrupted operation to decide about", async () => {
  await using simulator = await startSimulator({ foreignVms: 2 });
  const nas = { host: simulator.url, username: "admin", password: "truenas", vncPassword: "demo" };
  const journal = await tellStory(simulator, { ...nas, simulated: true });
  const [interrupted, failed, early] = new OperationStore(undefined, journal).list();
  assert.equal(early?.status, "done");
  const vm = [...simulator.store.vms.values()].find(({ config }) => config.name === "controlplane01");
  assert.deepEqual([vm?.config.memory, vm?.state], [2048, "STOPPED"], "less than the example says");
  const healed = failed?.vms.filter(({ steps }) => steps.some((step) => step.healed > 0));
  assert.deepEqual(healed?.map(({ name }) => name), ["web01"]);
  assert.equal(failed?.status, "partly-done");
  assert.deepEqual(failed?.vms.map(({ name, outcome }) => [name, outcome]), [
    ["web01", "created"],
    ["web02", "rolled-back"],
    ["web03", "created"],
  ]);
  assert.equal(interrupted?.status, "interrupted");
  assert.deepEqual(interrupted?.vms.map(({ outcome }) => outcome), ["created", "interrupted", "created"]);
  assert.ok(interrupted !== undefined && recoveryOf(interrupted).resumable.length > 0);
  const names = [...simulator.store.vms.values()].map(({ config }) => config.name);
  for (const name of ["web01", "web03", "db01", "db02", "db03"]) assert.ok(names.includes(name), name);
});

Deno.test("in the story the NAS goes away once while the last VM gets its disk, and not after the end", async () => {
  await using simulator = await startSimulator({ foreignVms: 0 });
  await using outage = goAwayOnce(simulator);
  const manager = new VMManager({
    host: simulator.url,
    username: "admin",
    password: "truenas",
    vncPassword: "demo",
    simulated: true,
  });
  await manager.connect();
  const configuration = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;
  const away = Promise.withResolvers<void>();
  manager.operations.store.onEvent((_view, { type }) => {
    if (type === "waiting") away.resolve();
  });
  const types = [{ type: "worker", startPort: 5920 }];
  const creation = manager.create({ configuration, types });
  await away.promise;
  await outage[Symbol.asyncDispose]();
  await simulator.comeBack();
  const { status, operation } = await creation;
  assert.equal(status, "done");
  assert.equal(operation.outages.length, 1);
  assert.ok(operation.vms.some(({ steps }) => steps.some(({ healed }) => healed > 0)));
  await manager.disconnect();
});
