/** Protects the measured duration of steps: only real work counts, not waiting steps that were skipped. */
import assert from "node:assert/strict";
import type { LiveInventory } from "../../lib/inventory/live_inventory.ts";
import { Metrics } from "../../lib/observability/metrics.ts";
import { OperationStore } from "../../lib/operations/record/store.ts";
import { measureManager } from "../../lib/observability/telemetry.ts";
import type { Session } from "../../lib/truenas/connection/session.ts";

Deno.test("measureManager() counts skipped steps separately, and measures only the others", () => {
  let now = 0;
  const metrics = new Metrics();
  const operations = new OperationStore(() => now);
  const session = { state: { kind: "live" }, onState: () => () => {} } as unknown as Session;
  const live = { snapshot: { vms: null } } as unknown as LiveInventory;
  measureManager(metrics, { operations, session, live, concurrency: () => 10 });
  const log = operations.create();
  const steps = ["poweroff", "disks-1", "delete"];
  log.append({ type: "started", kind: "destroy", title: "", vms: [{ name: "a", steps, summary: "" }] });
  for (
    const [step, status] of [["poweroff", "done"], ["disks-1", "failed"], ["delete", "skipped"]] as const
  ) {
    log.append({ type: "step", vm: "a", step, status: "running" });
    now += 2_000;
    log.append({ type: "step", vm: "a", step, status });
  }
  log.append({ type: "finished", status: "cancelled" });
  const text = metrics.render();
  const values = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}\\{(.+)\\} (.+)$`, "gm"))].map(([, labels, value]) =>
      `${labels} ${value}`
    );
  assert.deepEqual(values("truenas_vm_manager_steps_total"), [
    'step="poweroff",status="done" 1',
    'step="disks",status="failed" 1',
    'step="delete",status="skipped" 1',
  ]);
  assert.deepEqual(values("truenas_vm_manager_step_seconds_sum"), ['step="poweroff" 2', 'step="disks" 2']);
  const counted = values("truenas_vm_manager_operations_total");
  assert.deepEqual(counted.filter((it) => !it.endsWith(" 0")), ['kind="destroy",status="cancelled" 1']);
  assert.ok(counted.includes('kind="create",status="failed" 0'), "a counter begins with 0");
});
