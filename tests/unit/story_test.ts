/** Protects the demo's story: what a newcomer finds, and that it is told fast enough to be waited for. */
import assert from "node:assert/strict";
import { recoveryOf } from "../../lib/operations/recovery.ts";
import { OperationStore } from "../../lib/operations/record/store.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { tellStory } from "../../lib/simulator/story.ts";

Deno.test("the story leaves a VM that was rolled back, and an interrupted operation to decide about", async () => {
  await using simulator = await startSimulator({ foreignVms: 2 });
  const nas = { host: simulator.url, username: "admin", password: "truenas", vncPassword: "demo" };
  const journal = await tellStory(simulator, { ...nas, simulated: true });
  const [interrupted, failed] = new OperationStore(undefined, journal).list();
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
