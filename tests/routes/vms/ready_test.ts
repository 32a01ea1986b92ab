/**
 * Protects what people see of nodes that answer, and of one that stops: list, group, chip, page, JSON. Also after a restart of the
 * program, and what a stop of the VM makes of it. The ports are played.
 */
import assert from "node:assert/strict";
import type { ProbePort } from "../../../lib/first_boot/readiness/probe_port.ts";
import { startDashboard, TEST_CONFIG } from "../../support/pages/dashboard.ts";
import { until } from "../../support/deadline.ts";
import { vmNamed } from "../../support/lab.ts";

const CONFIG = TEST_CONFIG.replace("worker:\n  count: 3", "worker:\n  ready: tcp:22\n  count: 2");

Deno.test("nodes that answer are Ready with their address, and one that stops answering needs a look", async () => {
  const silent = new Set<string>();
  const probePort: ProbePort = ({ address }) =>
    Promise.resolve({
      state: silent.has(address) ? "silent" : "open",
      greeting: null,
      because: null,
    });
  await using dashboard = await startDashboard({
    config: CONFIG,
    simulator: { version: "27.0" },
    manager: { probePort, checkMs: 20 },
  });
  const { manager, simulator, url } = dashboard;
  const get = async (path: string, accept = "text/html") =>
    await (await fetch(`${url}${path}`, { headers: { accept } })).text();
  const list = async () =>
    (JSON.parse(await get("/", "application/json")) as {
      vms: { id: number; name: string; ready: Record<string, unknown> }[];
    }).vms;
  const creation = manager.create({
    configuration: dashboard.configuration().configuration,
    types: [{ type: "worker", startPort: 5920 }, { type: "controlplane", startPort: 5910 }],
  });
  await until(
    "both are waited for",
    () =>
      ["worker01", "worker02"].every((name) =>
        manager.operations.store.list()[0]?.vms.find((vm) => vm.name === name)?.steps.at(-1)?.status ===
          "running"
      ),
    (look) => manager.operations.store.onEvent(look),
  );
  const running = await get(`/operations/${manager.operations.store.list()[0]?.id}`);
  assert.match(running, /0 of 3 VMs ready|1 of 3 VMs/, "the operation counts those that are ready");
  assert.match(running, /First boot/);
  assert.match(running, /until port 22 answers/);
  for (const name of ["worker01", "worker02"]) Object.assign(vmNamed(simulator, name) ?? {}, { agent: true });
  assert.equal((await creation).status, "done");
  await manager.inventory.live.ready();

  const page = await get("/");
  assert.equal(page.match(/data-ready="ready"/g)?.length, 2);
  assert.match(page, /All 2 ready/);
  assert.match(page, /All 1 running/, "nobody waited for the control plane");
  const vms = await list();
  const [first] = vms.filter(({ name }) => name === "worker01");
  assert.ok(first !== undefined);
  const { state, by, address, at } = first.ready;
  assert.deepEqual([state, by], ["ready", "tcp:22"]);
  assert.match(String(address), /^192\.168\.1\.\d+$/);
  assert.ok(Date.parse(String(at)) > 0);
  assert.deepEqual(vms.find(({ name }) => name === "controlplane01")?.ready, {
    state: "unknown",
    address: null,
    by: null,
    at: null,
  });
  assert.ok(page.includes(String(address)), "the list shows the address");
  const own = await get(`/vms/${first.id}`);
  assert.match(own, /Port 22 answers at 192\.168\.1\.\d+/);
  assert.match(await get("/metrics"), /^truenas_vm_manager_vms_ready\{state="ready"\} 2$/m);

  silent.add(String(address));
  await manager.readiness.check();
  assert.deepEqual((await list()).map(({ ready }) => ready["state"]).toSorted(), [
    "lost",
    "ready",
    "unknown",
  ]);
  const later = await get("/?state=needs-look");
  assert.match(later, /data-vm="worker01"/);
  assert.doesNotMatch(later, /data-vm="worker02"/);
  assert.match(later, /No answer/);
  assert.match(await get("/"), /1 of 2 ready/);

  silent.clear();
  await manager.readiness.check();
  assert.match(await get("/"), /All 2 ready/);
  const vm = vmNamed(simulator, "worker01");
  assert.ok(vm !== undefined);
  vm.state = "STOPPED";
  await manager.inventory.live.refreshNow(vm.id);
  const stopped = (await list()).find(({ name }) => name === "worker01");
  assert.equal(stopped?.ready["state"], "unknown", "a VM that is off does not answer, and is not lost");
  vm.state = "RUNNING";
  await manager.inventory.live.refreshNow(vm.id);
  assert.equal((await list()).find(({ name }) => name === "worker01")?.ready["state"], "unknown");
  await manager.readiness.check();
  assert.equal((await list()).find(({ name }) => name === "worker01")?.ready["state"], "ready");
});

Deno.test("a node that did not answer in time leads to waiting again, and nothing is said to be missing", async () => {
  let [isFast, ahead] = [false, 0];
  const clock = () => performance.now() + (isFast ? ahead += 3_600_000 : 0);
  const config = TEST_CONFIG.replace("worker:\n  count: 3", "worker:\n  ready: agent\n  count: 1");
  await using dashboard = await startDashboard({
    config,
    simulator: { version: "27.0" },
    manager: { clock },
  });
  const { manager, url } = dashboard;
  const { configuration } = dashboard.configuration();
  isFast = true;
  const { operation } = await manager.create({ configuration, types: [{ type: "worker", startPort: 5920 }] });
  const page = await (await fetch(`${url}/operations/${operation.id}`)).text();
  assert.match(page, /data-status="partly-done"/);
  assert.match(page, /0 of 1 VM ready/);
  assert.match(page, /0 done, 1 without an answer/);
  assert.match(page, /id="resume-operation">Wait again for 1 VM</);
  assert.match(page, /worker01 did not answer within 10 min/);
  await manager.inventory.live.ready();
  const list = await (await fetch(`${url}/?state=needs-look`)).text();
  assert.match(list, /data-vm="worker01"[\s\S]*data-ready="lost"/);
  assert.doesNotMatch(list, /Unfinished/);
});
