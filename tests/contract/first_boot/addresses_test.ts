/**
 * Protects devices that already have an address: plans ask the NAS's network and remember what was given out, and never
 * wait for long or fail because they may not ask.
 */
import assert from "node:assert/strict";
import { EXPORT_FORMATS } from "../../../lib/exports/formats.ts";
import { presentNodes } from "../../../lib/command_line/commands/export_command.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { CONFIG, credentials, onEach, outcomes, workers } from "../../support/lab.ts";

const LAN = { range: "10.0.0.21-29/24", gateway: "10.0.0.1", dns: ["10.0.0.1"] } as const;
const OWN = { count: 2, network: { lan: "br0" }, addresses: { lan: LAN }, start: false } as const;
const WORKERS = workers(OWN);
const TYPES = [{ type: "worker", startPort: 5920 }];
const REQUEST = { configuration: WORKERS, types: TYPES };

function about(findings: readonly { severity: string; field: string; message: string }[]): string[] {
  return findings.filter(({ field }) => field.includes("addresses.lan")).map(({ severity, message }) =>
    `${severity}: ${message}`
  );
}

onEach(
  "an address that another device answers at blocks its VM, and is planned again once it is free",
  async ({ simulator, manager }) => {
    simulator.store.hosts.set("10.0.0.22", "02:AA:00:00:00:01");
    const plan = await manager.planCreation(REQUEST);
    assert.deepEqual(about(plan.findings), [
      "error: A device with the MAC address 02:aa:00:00:00:01 answers at the address 10.0.0.22; choose another one",
    ]);
    assert.deepEqual(plan.vms.map(({ action }) => action), ["create", "blocked"]);
    assert.deepEqual(
      simulator.calls.filter(({ method }) => method === "core.ping_remote").map(({ params }) => params),
      [
        [{ hostname: "10.0.0.21", timeout: 1, count: 1 }],
        [{ hostname: "10.0.0.22", timeout: 1, count: 1 }],
      ],
    );
    simulator.store.hosts.clear();
    simulator.store.arp.clear();
    assert.deepEqual(about((await manager.planCreation(REQUEST)).findings), []);
    const { length } = simulator.calls;
    await manager.planCreation(REQUEST);
    const asked = simulator.calls.slice(length).filter(({ method }) => method.startsWith("core."));
    assert.deepEqual(asked, [], "what was free is not asked again at once");
  },
);

onEach("a VM's address stays its own after it was created, in plans and exports", async ({ manager }) => {
  const result = await manager.create({
    ...REQUEST,
    configuration: workers({ ...OWN, count: 1 }),
  });
  assert.deepEqual(outcomes(result), ["worker01 created"]);
  await expectOwned(manager);
});

onEach("a VM that was kept although it did not answer keeps its address, too", async ({ manager }) => {
  const configuration = workers({ ...OWN, count: 1, start: true, ready: { when: "console" } });
  const interrupt = new AbortController();
  const observer = (event: OperationEvent) => {
    if (event.type === "step" && event.step === "ready") interrupt.abort();
  };
  const result = await manager.create({ ...REQUEST, configuration }, { observer, signal: interrupt.signal });
  assert.deepEqual(outcomes(result), ["worker01 not-ready"]);
  await expectOwned(manager);
});

/** The address of worker01 is planned for no other VM, and exported. */
async function expectOwned(manager: VMManager): Promise<void> {
  const { worker: web } = workers({ ...OWN, count: 1, addresses: { lan: { range: "10.0.0.21/24" } } });
  const plan = await manager.planCreation({
    configuration: { ...CONFIG, web },
    types: [{ type: "web", startPort: 5930 }],
  });
  assert.deepEqual(about(plan.findings), [
    "error: The address 10.0.0.21 already belongs to worker01, which got it when it was created; choose another one",
  ]);
  const nodes = await presentNodes(manager);
  const dnsmasq = EXPORT_FORMATS.dnsmasq.write(nodes).files[0]?.text ?? "";
  assert.match(dnsmasq, /^dhcp-host=[0-9a-f:]{17},10\.0\.0\.21,worker01$/m);
}

Deno.test("an account that may not ask the network plans without it, and says so", async () => {
  const account = {
    username: "maker",
    password: "secret-maker",
    roles: ["VM_WRITE", "VM_DEVICE_WRITE", "DATASET_WRITE"],
  };
  await using simulator = await startSimulator({ times: TEST_TIMES, accounts: [account] });
  await using manager = new VMManager({ ...credentials(simulator), ...account });
  await manager.connect();
  simulator.store.hosts.set("10.0.0.22", "02:aa:00:00:00:01");
  const plan = await manager.planCreation(REQUEST);
  assert.deepEqual(plan.vms.map(({ action }) => action), ["create", "create"]);
  assert.deepEqual(
    plan.findings.filter(({ field, message }) =>
      field.includes("addresses") && message.includes("not checked")
    ).map((
      { field, message },
    ) => [field, message]),
    [[
      "worker.addresses",
      "Whether another device has a planned address: not checked because only an account with the role FULL_ADMIN may ask",
    ]],
  );
});

Deno.test("a NAS that does not answer the question holds no plan up", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  await using manager = new VMManager(credentials(simulator));
  await manager.connect();
  simulator.addFault({ method: "core.ping_remote", action: "fail" });
  const plan = await manager.planCreation(REQUEST);
  assert.match(
    plan.findings.map(({ message }) => message).join("\n"),
    /not checked because .*Simulated failure/,
  );
  assert.deepEqual(plan.vms.map(({ action }) => action), ["create", "create"]);
});
