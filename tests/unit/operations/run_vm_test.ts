/** Protects what every operation reports about a VM: steps that did not run are skipped, and a stopped VM is not a failed one. */
import assert from "node:assert/strict";
import { TrueNASError } from "../../../lib/errors/errors.ts";
import { NotSent } from "../../../lib/operations/limits/call_limiter.ts";
import { OperationLog } from "../../../lib/operations/record/log.ts";
import { Cancelled, runStep } from "../../../lib/operations/steps/run_step.ts";
import { expectVm, findVm, runVm, type VmFailure } from "../../../lib/operations/steps/run_vm.ts";
import type { Caller } from "../../../lib/truenas/client.ts";

/** Runs a VM of three steps whose second throws; returns the steps when the failure was handled, and in the end. */
async function runUntil(error: Error, givenUp: string | null = null) {
  const log = new OperationLog("op", () => 0);
  const vms = [{ name: "a", steps: ["one", "two", "three"], summary: "" }];
  log.append({ type: "started", kind: "destroy", title: "", vms });
  const outages = { givenUp, hasRestarted: false };
  const context = { vmName: "a", log, settle: { settleMs: 1, pollMs: 1 }, outages };
  const steps = () => log.view.vms[0]?.steps.map(({ status }) => status);
  const handled: { failure?: VmFailure; steps?: unknown } = {};
  const step = (name: string, call: () => Promise<void>) =>
    runStep(context, { step: name, method: "vm.query", call, verify: null, detail: () => "" });
  await runVm(context, {
    id: 7,
    run: async () => {
      await step("one", () => Promise.resolve());
      await step("two", () => Promise.reject(error));
      return { outcome: "destroyed" };
    },
    onFailure: (failure) => {
      Object.assign(handled, { failure, steps: steps() });
      return { outcome: failure.cancelled ? "cancelled" : "failed", message: failure.message };
    },
  });
  const [vm] = log.view.vms;
  return { handled, steps: steps(), end: [vm?.outcome, vm?.message, vm?.vmId] };
}

Deno.test("runVm() skips pending steps before a failure is handled, and reports one result", async () => {
  const refused = new TrueNASError("vm.query: no", { method: "vm.query", outcome: "not-done" });
  const { handled, steps, end } = await runUntil(refused);
  assert.deepEqual(handled.steps, ["done", "failed", "skipped"]);
  assert.equal(handled.failure?.cause, refused);
  assert.deepEqual([steps, end], [["done", "failed", "skipped"], ["failed", "vm.query: no", 7]]);
});

Deno.test("runVm() undoes nothing and waits for a decision when nobody waits for the NAS any longer", async () => {
  const { handled, steps, end } = await runUntil(new TrueNASError("vm.query: away"), "The NAS is away");
  assert.deepEqual([handled, steps], [{}, ["done", "failed", "skipped"]]);
  assert.deepEqual(end, ["interrupted", "The NAS is away. Nothing more was sent", 7]);
});

Deno.test("runVm() reports a call that the user cancelled in the queue as cancelled", async () => {
  const { steps, end } = await runUntil(new NotSent("vm.query"));
  assert.deepEqual([steps, end], [["done", "skipped", "skipped"], ["cancelled", "Cancelled", 7]]);
  const log = new OperationLog("op", () => 0);
  await runVm({ vmName: "a", log, outages: { givenUp: null, hasRestarted: false } }, {
    run: () => Promise.reject(new Cancelled("Not started")),
    onFailure: ({ message, cancelled }) => {
      assert.deepEqual([message, cancelled], ["Not started", true]);
      return { outcome: "cancelled" };
    },
  });
});

const ROW = {
  id: 7,
  name: "a",
  uuid: "u",
  vcpus: 1,
  cores: 1,
  threads: 1,
  memory: 64,
  autostart: false,
  status: { state: "STOPPED" },
  devices: [],
};

/** A NAS with one VM, which records the filters of its queries. */
function nas() {
  const filters: unknown[] = [];
  const call = (_method: string, [filter]: readonly unknown[]) => {
    filters.push(filter);
    return Promise.resolve([ROW]);
  };
  return { caller: { call } as unknown as Caller, filters };
}

Deno.test("findVm() finds a VM by the uuid chosen for it, or by id, and reads nothing without either", async () => {
  const { caller, filters } = nas();
  await findVm(caller, { uuid: "u", vmId: 7 });
  await findVm(caller, { uuid: null, vmId: 7 });
  assert.equal(await findVm(caller, { uuid: null, vmId: null }), null);
  assert.deepEqual(filters, [[["uuid", "=", "u"]], [["id", "=", 7]]]);
});

Deno.test("expectVm() refuses a VM that was renamed or replaced", async () => {
  const { caller } = nas();
  assert.equal((await expectVm(caller, { id: 7, name: "a", uuid: "u" })).id, 7);
  await assert.rejects(expectVm(caller, { id: 7, name: "b" }), /b was renamed to a\. Nothing was changed/);
  await assert.rejects(expectVm(caller, { id: 7, name: "a", uuid: "other" }), /a no longer exists/);
  await assert.rejects(expectVm(caller, { id: 8, name: "a" }), /a no longer exists/);
});
