/**
 * Protects the step that waits for a node, with the simulated NAS: what counts as an answer, what becomes of a node that gives
 * none, and that waiting costs nobody a place, nor an outage or a restart of the program the wait.
 */
import assert from "node:assert/strict";
import { cp } from "node:fs/promises";
import type { ReadySection } from "../../../lib/first_boot/types.ts";
import { probePort } from "../../../lib/first_boot/readiness/probe_port.ts";
import { operationJson } from "../../../lib/inventory/json.ts";
import { Journal } from "../../../lib/operations/record/journal.ts";
import type { OperationView } from "../../../lib/operations/types.ts";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { repeatedly, soon, until } from "../../support/deadline.ts";
import { withFolder } from "../../support/folder.ts";
import { credentials, outcomes, vmNamed, vmNames, withLab, workers, zvols } from "../../support/lab.ts";

const NEW = { simulator: { version: "27.0" } } as const;

function awaited(count: number, ready: ReadySection, more: Partial<VmTypeSection> = {}) {
  return workers({ count, ready, ...more });
}

/** The guest has an agent from now on, which tells its address. */
function answer(simulator: Simulator, name: string): void {
  const vm = vmNamed(simulator, name);
  assert.equal(vm?.state, "RUNNING", `${name} is waited for only once it runs`);
  vm.agent = true;
}

function isWaitedFor(view: OperationView | undefined, name: string): boolean {
  return view?.vms.find((vm) => vm.name === name)?.steps.at(-1)?.status === "running" &&
    view.vms.find((vm) => vm.name === name)?.steps.at(-1)?.step === "ready";
}

async function untilWaited(manager: VMManager, names: readonly string[]): Promise<void> {
  await until(
    `${names.join(", ")} are waited for`,
    () => names.every((name) => isWaitedFor(manager.operations.store.list()[0], name)),
    (look) => manager.operations.store.onEvent(look),
  );
}

/** A clock that can be made to run fast: each look at it is an hour after the one before. */
function clocks() {
  let [isFast, ahead] = [false, 0];
  return {
    clock: () => performance.now() + (isFast ? ahead += HOUR_MS : ahead),
    runFast: () => void (isFast = true),
    runNormally: () => void (isFast = false),
  };
}

const HOUR_MS = 3_600_000;

Deno.test("a creation is done when the agents answer, with the addresses, however few VMs are made at a time", () =>
  withLab(NEW, async ({ simulator, manager }) => {
    const configuration = awaited(3, { when: "agent" }, { parallel: 1 });
    const ended = manager.createVmType(configuration, "worker", 5920);
    await untilWaited(manager, ["worker01", "worker02", "worker03"]);
    for (const name of ["worker01", "worker02", "worker03"]) answer(simulator, name);
    const { status, operation } = await soon(ended, "they answer");
    assert.equal(status, "done");
    const [vm] = operation.vms;
    const step = vm?.steps.at(-1);
    assert.deepEqual(step?.signs?.map(({ kind }) => kind), ["agent"]);
    assert.match(step?.detail ?? "", /^guest agent answers, address 192\.168\.1\.\d+$/);
    const [json] =
      (operationJson(operation)["steps"] as { step: string; awaits?: unknown; signs?: unknown[] }[])
        .filter((it) => it.step === "ready");
    assert.deepEqual(json?.awaits, { when: "agent", timeoutMs: 600_000, otherwise: "keep" });
    assert.equal(json?.signs?.length, 1);
  }));

Deno.test("a port that opens makes a node ready, and what it says of itself is told", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const greet = (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("SSH-2.0-Test\r\n"));
      connection.close();
    }
  })();
  let isOpen = false;
  const here = listener.addr.port;
  const options = {
    ...NEW,
    manager: {
      // The guests' addresses are on no network of this machine.
      probePort: (probed) => probePort({ ...probed, address: "127.0.0.1", port: isOpen ? here : 1 }),
    } satisfies Partial<ConstructorParameters<typeof VMManager>[0]>,
  };
  await withLab(options, async ({ simulator, manager }) => {
    const ended = manager.createVmType(awaited(1, { when: "tcp:22" }), "worker", 5920);
    await untilWaited(manager, ["worker01"]);
    answer(simulator, "worker01");
    await until(
      "the machine is there",
      () => manager.operations.store.list()[0]?.vms[0]?.steps.at(-1)?.signs?.length === 2,
      (look) => manager.operations.store.onEvent(look),
    );
    isOpen = true;
    const { operation } = await soon(ended, "it answers");
    const { signs = [] } = operation.vms[0]?.steps.at(-1) ?? {};
    assert.deepEqual(signs.map(({ kind }) => kind), ["network", "network", "port"]);
    const last = signs.at(-1);
    assert.ok(last?.kind === "port" && last.port === 22 && last.greeting === "SSH-2.0-Test");
  });
  listener.close();
  await greet;
});

for (
  const [otherwise, outcome, left] of [
    ["keep", "not-ready", true],
    ["roll-back", "rolled-back", false],
    ["stop", "rolled-back", false],
  ] as const
) {
  Deno.test(`a node that does not answer in time: ${otherwise}`, () => {
    const { clock, runFast, runNormally } = clocks();
    return withLab({ ...NEW, manager: { clock } }, async ({ simulator, manager }) => {
      const ended = manager.createVmType(awaited(1, { when: "agent", otherwise }), "worker", 5920);
      await untilWaited(manager, ["worker01"]);
      runFast();
      const result = await soon(ended, "the time is over");
      assert.deepEqual(outcomes(result), [`worker01 ${outcome}`]);
      assert.match(result.vms[0]?.message ?? "", /worker01 did not answer within 10 min.*qemu-guest-agent/);
      assert.deepEqual(vmNames(simulator), left ? ["worker01"] : []);
      assert.equal(zvols(simulator).length > 0, left);
      if (otherwise !== "keep") return;
      runNormally();
      assert.equal(result.status, "partly-done");
      const again = await manager.operations.resume(result.operation.id);
      await untilWaited(manager, ["worker01"]);
      answer(simulator, "worker01");
      const resumed = await soon(again?.finished ?? Promise.reject(), "it answers");
      assert.equal(resumed.status, "done");
      assert.deepEqual(resumed.vms[0]?.steps.map(({ step }) => step), ["ready"]);
    });
  });
}

Deno.test("cancelling ends the wait: the VM goes, or stays as it is", async () => {
  for (const mode of ["roll-back", "keep"] as const) {
    await withLab(NEW, async ({ simulator, manager }) => {
      const ended = manager.createVmType(awaited(1, { when: "agent" }), "worker", 5920);
      await untilWaited(manager, ["worker01"]);
      manager.operations.cancel(manager.operations.store.list()[0]?.id ?? "", mode);
      const result = await soon(ended, "it is cancelled");
      assert.deepEqual(outcomes(result), [`worker01 ${mode === "keep" ? "cancelled-kept" : "cancelled"}`]);
      assert.equal(vmNamed(simulator, "worker01")?.state, mode === "keep" ? "RUNNING" : undefined);
    });
  }
});

Deno.test("an interrupted program leaves VMs that it only waits for as they are, and removes unfinished ones", () =>
  withLab(NEW, async ({ simulator, manager }) => {
    const interrupt = new AbortController();
    const types = [{ type: "worker", startPort: 5920 }];
    const configuration = awaited(2, { when: "agent" });
    const held = Promise.withResolvers<void>();
    simulator.addFault({ method: "vm.create", skip: 1, action: "hold", until: held.promise });
    const ended = manager.create({ configuration, types }, { signal: interrupt.signal });
    await untilWaited(manager, ["worker01"]);
    interrupt.abort();
    held.resolve();
    const result = await soon(ended, "it ends");
    assert.deepEqual(outcomes(result), ["worker01 not-ready", "worker02 cancelled"]);
    assert.match(
      result.vms[0]?.message ?? "",
      /because the program was interrupted\. The VM was kept; resume/,
    );
    assert.deepEqual(vmNames(simulator), ["worker01"]);
  }));

Deno.test("an outage of the NAS while a node is waited for does not fail it", () =>
  withLab(NEW, async ({ simulator, manager }) => {
    const ended = manager.createVmType(awaited(1, { when: "agent" }), "worker", 5920);
    await untilWaited(manager, ["worker01"]);
    await simulator.goAway();
    await until(
      "the operation waits for the NAS",
      () => manager.operations.store.list()[0]?.status === "waiting",
      (look) => manager.operations.store.onEvent(look),
    );
    await simulator.comeBack();
    await untilWaited(manager, ["worker01"]);
    answer(simulator, "worker01");
    assert.equal((await soon(ended, "it answers")).status, "done");
  }));

Deno.test("a wait goes on after a restart of the program, and what then does not answer can be removed", () =>
  withFolder((folder) =>
    withLab(NEW, async ({ simulator, manager: spare }) => {
      await spare.disconnect();
      const { clock, runFast } = clocks();
      {
        using journal = Journal.open(folder);
        await using first = new VMManager({ ...credentials(simulator), journal });
        await first.connect();
        const ended = first.createVmType(
          awaited(1, { when: "agent", otherwise: "roll-back" }),
          "worker",
          5920,
        );
        await untilWaited(first, ["worker01"]);
        await first.operations.drain({ finishMs: 0, cancelMs: 5_000 });
        assert.equal((await ended).status, "interrupted");
      }
      using journal = Journal.open(folder);
      await using second = new VMManager({ ...credentials(simulator), journal, clock });
      await second.connect();
      const [view] = second.operations.store.list();
      const resumed = await second.operations.resume(view?.id ?? "");
      await untilWaited(second, ["worker01"]);
      runFast();
      const { vms } = await soon(resumed?.finished ?? Promise.reject(), "the time is over");
      assert.deepEqual(vms.map(({ outcome }) => outcome), ["rolled-back"]);
      assert.deepEqual([vmNames(simulator), zvols(simulator)], [[], []]);
    })
  ));

Deno.test("a wait goes on by itself after the program was killed, and the node counts once", () =>
  withFolder((folder) =>
    withLab(NEW, async ({ simulator, manager: spare }) => {
      await spare.disconnect();
      const left = `${folder}/left`;
      {
        using journal = Journal.open(`${folder}/first`);
        await using first = new VMManager({ ...credentials(simulator), journal });
        await first.connect();
        const ended = first.createVmType(awaited(2, { when: "agent" }), "worker", 5920);
        await untilWaited(first, ["worker01", "worker02"]);
        answer(simulator, "worker01");
        await until(
          "one answers",
          () => first.operations.store.list()[0]?.vms[0]?.outcome === "created",
          (look) => first.operations.store.onEvent(look),
        );
        await journal.written();
        // What a killed program leaves.
        await cp(`${folder}/first`, left, { recursive: true });
        await first.operations.drain({ finishMs: 0, cancelMs: 5_000 });
        await ended;
      }
      using journal = Journal.open(left);
      await using second = new VMManager({ ...credentials(simulator), journal, resume: true });
      const [before] = second.operations.store.list();
      assert.deepEqual(before?.vms.map(({ outcome }) => outcome), ["created", "interrupted"]);
      const uuid = String(vmNamed(simulator, "worker01")?.config.uuid);
      assert.equal(second.readiness.of({ uuid, state: "RUNNING" })?.state, "ready", "as the journal has it");
      await second.connect();
      await untilWaited(second, ["worker02"]);
      answer(simulator, "worker02");
      await until(
        "the rest is done",
        () => second.operations.store.list()[0]?.status === "done",
        (look) => second.operations.store.onEvent(look),
      );
      assert.deepEqual(vmNames(simulator), ["worker01", "worker02"]);
    })
  ));

Deno.test("a VM whose start the killed program did not see any more is waited for, too", () =>
  withFolder((folder) =>
    withLab(NEW, async ({ simulator, manager: spare }) => {
      await spare.disconnect();
      const held = Promise.withResolvers<void>();
      simulator.addFault({ method: "vm.start", moment: "after", action: "hold", until: held.promise });
      {
        using journal = Journal.open(`${folder}/first`);
        await using first = new VMManager({ ...credentials(simulator), journal });
        await first.connect();
        const ended = first.createVmType(awaited(1, { when: "agent" }), "worker", 5920);
        await repeatedly(
          "the NAS has started it",
          () => Promise.resolve(vmNamed(simulator, "worker01")?.state === "RUNNING" || null),
        );
        await journal.written();
        await cp(`${folder}/first`, `${folder}/left`, { recursive: true });
        held.resolve();
        await first.operations.drain({ finishMs: 0, cancelMs: 5_000 });
        await ended;
      }
      using journal = Journal.open(`${folder}/left`);
      await using second = new VMManager({ ...credentials(simulator), journal, resume: true });
      await second.connect();
      await untilWaited(second, ["worker01"]);
      answer(simulator, "worker01");
      await until(
        "it is done",
        () => second.operations.store.list()[0]?.status === "done",
        (look) => second.operations.store.onEvent(look),
      );
      const uuid = String(vmNamed(simulator, "worker01")?.config.uuid);
      assert.equal(second.readiness.of({ uuid, state: "RUNNING" })?.state, "ready");
    })
  ));

Deno.test("a request that does not wait leaves the step out", () =>
  withLab(NEW, async ({ manager }) => {
    const request = { configuration: awaited(1, { when: "agent" }), waitReady: false };
    const { status, operation } = await manager.create({
      ...request,
      types: [{ type: "worker", startPort: 5920 }],
    });
    assert.equal(status, "done");
    assert.equal(operation.vms[0]?.steps.at(-1)?.step, "start");
  }));
