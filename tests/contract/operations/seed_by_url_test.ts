/**
 * Protects first configurations by URL: a created VM tells its guest where its seed is before it starts, the guest fetches it and
 * phones home, and afterwards the VM has the arguments of its template again. The guest is this test.
 */
import { parseNasAddress } from "../../../lib/configuration/environment/nas_address.ts";
import { maySimulateGuests, seedWay } from "../../../lib/first_boot/planning/seed_way.ts";
import assert from "node:assert/strict";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import { seedArgumentOf } from "../../../lib/first_boot/command_line_args.ts";
import type { SeedSection } from "../../../lib/first_boot/types.ts";
import { NOTHING_CHANGED } from "../../../lib/plan/changes.ts";
import type { CreationPlan, PlannedVm } from "../../../lib/plan/types.ts";
import { pathServerWhenNeeded, startPathServer } from "../../../lib/secret_paths/path_server.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import { Journal } from "../../../lib/operations/record/journal.ts";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";
import { loggerTo, TEST_TIMES } from "../../support/pages/dashboard.ts";
import { credentials, outcomes, vmNamed, workers } from "../../support/lab.ts";
import { withFolder } from "../../support/folder.ts";
import { repeatedly } from "../../support/deadline.ts";

const KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrlyaWhT3Z2bEKUcxGZI0cRrxNnFLCqQxjvTbOwVNj+ ops@example.org";
const SEED: SeedSection = { kind: "cloud-init", user: "admin", ssh_keys: [KEY] };
const TYPES = [{ type: "worker", startPort: 5920 }];

interface SeedLab {
  readonly simulator: Simulator;
  readonly manager: VMManager;
}

async function withGuests(
  test: (lab: SeedLab) => Promise<void>,
  options: Partial<VMManagerOptions> = {},
): Promise<void> {
  await using simulator = await startSimulator({ times: TEST_TIMES, version: "25.10" });
  await using paths = await startPathServer({ host: "127.0.0.1", port: 0 });
  await using manager = new VMManager({ ...credentials(simulator), paths, simulated: true, ...options });
  await manager.connect();
  await test({ simulator, manager });
}

/** Workers with a seed that nobody waits for. */
function seeded(count: number, change: Parameters<typeof workers>[0] = {}): FlatConfiguration {
  return workers({ count, seed: SEED, ready: { when: "none" }, ...change });
}

function argsOf(simulator: Simulator, name: string): string {
  return String(vmNamed(simulator, name)?.config.command_line_args ?? "");
}

/** Where the guest of a VM finds its seed; fails when its SMBIOS does not say. */
function seedUrl(simulator: Simulator, name: string): string {
  const url = seedArgumentOf(argsOf(simulator, name))?.url;
  assert.ok(url !== undefined, `${name} tells its guest: ${argsOf(simulator, name)}`);
  return url;
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url);
  assert.equal(response.status, 200, url);
  return await response.text();
}

function planned({ vms }: CreationPlan, name: string): PlannedVm {
  const vm = vms.find((it) => it.name === name);
  assert.ok(vm !== undefined, name);
  return vm;
}

Deno.test("guests fetch their seed and phone home; then their VMs have the template's arguments again", async () => {
  await withGuests(async ({ simulator, manager }) => {
    const args = "-cpu host,+x2apic -name 'a b'";
    const configuration = seeded(2, { template: { vm: { command_line_args: args } } });
    const plan = await manager.planCreation({ configuration, types: TYPES });
    const { steps, seed } = planned(plan, "worker01");
    assert.deepEqual(steps.slice(-2), ["seed", "start"]);
    assert.deepEqual({ ...seed, digest: "" }, {
      kind: "cloud-init",
      hostname: "worker01",
      way: "url",
      reason: "guests can fetch it from this program at 127.0.0.1",
      files: [],
      keys: [{ key: KEY, from: "inline" }],
      digest: "",
    });
    assert.deepEqual(plan.findings.filter(({ severity }) => severity === "error"), []);
    const before = { ...simulator.store };
    assert.equal(before.vms.size, 0, "planning changes nothing");

    const result = await manager.create({ configuration, types: TYPES });
    assert.deepEqual(outcomes(result), ["worker01 created", "worker02 created"]);
    for (const name of ["worker01", "worker02"]) {
      const vm = vmNamed(simulator, name);
      const url = seedUrl(simulator, name);
      assert.equal(argsOf(simulator, name), `${args} -smbios 'type=1,serial=ds=nocloud-net;s=${url}'`);
      assert.match(await textOf(`${url}user-data`), /^#cloud-config\n[\s\S]*ops@example\.org/);
      assert.match(await textOf(`${url}meta-data`), new RegExp(`"${vm?.config.uuid}"[\\s\\S]*"${name}"`));
      assert.match(await textOf(`${url}vendor-data`), /manual_cache_clean: true/);
      const again = await manager.planCreation({ configuration, types: TYPES });
      const { action, differences } = planned(again, name);
      assert.deepEqual([action, differences], ["keep", []], "the seed's address is no difference");

      const served = manager.seeds?.find(String(vm?.config.uuid)) ?? null;
      const hour = (served?.until ?? 0) - Date.now();
      assert.ok(hour > 59 * 60_000 && hour <= 60 * 60_000, "an hour from the start");
      const form = { instance_id: String(vm?.config.uuid), hostname: name };
      const home = await fetch(served?.phoneHomeUrl ?? "", {
        method: "POST",
        body: new URLSearchParams(form),
      });
      assert.equal(home.status, 200);
      await home.body?.cancel();
      assert.equal(await served?.ended, "answered");
      await repeatedly(
        "the address is taken from the VM",
        () => Promise.resolve(argsOf(simulator, name) === args || null),
      );
      const gone = await fetch(`${url}user-data`);
      assert.equal(gone.status, 404);
      await gone.body?.cancel();
    }
    const journal = JSON.stringify(manager.operations.store.list());
    assert.ok(!/[0-9a-f]{64}\//.test(journal) && !journal.includes("-smbios"), "no address in what is kept");
  });
});

Deno.test("an operation that was interrupted serves the seed where the guest looks for it", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES, version: "27.0" });
  const configuration = seeded(1, { disk: { root: 10 } });
  const stop = new AbortController();
  const url = await withProgram(simulator, async (manager) => {
    const observer: Parameters<VMManager["create"]>[1] = {
      signal: stop.signal,
      observer: (event) => {
        if (event.type === "step" && event.step === "seed" && event.status === "done") stop.abort("keep");
      },
    };
    const { vms } = await manager.create({ configuration, types: TYPES }, observer);
    assert.equal(vms[0]?.outcome, "cancelled-kept");
    assert.equal(vmNamed(simulator, "worker01")?.state, "STOPPED", "the premise: it was not started");
    const [operation] = manager.operations.store.list();
    const first = seedUrl(simulator, "worker01");
    const resumed = await manager.operations.resume(operation?.id ?? "");
    assert.equal((await resumed?.finished)?.status, "done");
    assert.equal(seedUrl(simulator, "worker01"), first, "the same address");
    assert.equal(vmNamed(simulator, "worker01")?.state, "RUNNING");
    assert.match(await textOf(`${first}user-data`), /#cloud-config/);
    return first;
  });
  assert.notEqual(url, "");
});

Deno.test("after a restart of this program a started VM has its seed served again, for the rest of its hour", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES, version: "27.0" });
  await withFolder(async (folder) => {
    const time = { ms: Date.now() };
    const program = async (work: (manager: VMManager) => Promise<void>) => {
      using journal = Journal.open(folder);
      await using paths = await startPathServer({ host: "127.0.0.1", port });
      const options = { paths, simulated: true, journal, now: () => time.ms };
      await using manager = new VMManager({ ...credentials(simulator), ...options });
      await manager.connect();
      await work(manager);
    };
    let port = 0;
    await startPathServer({ host: "127.0.0.1", port }).then(async (free) => {
      port = free.port;
      await free[Symbol.asyncDispose]();
    });
    await program(async (manager) => {
      await manager.create({ configuration: seeded(2), types: TYPES });
      const second = String(vmNamed(simulator, "worker02")?.config.uuid);
      const home = manager.seeds?.find(second)?.phoneHomeUrl ?? "";
      await (await fetch(home, { method: "POST", body: new URLSearchParams({ instance_id: second }) }))
        .text();
      await repeatedly(
        "it has answered",
        () => Promise.resolve(argsOf(simulator, "worker02") === "" || null),
      );
    });
    const url = seedUrl(simulator, "worker01");
    await assert.rejects(fetch(url), "nobody listens");
    time.ms += 20 * 60_000;
    await program(async (manager) => {
      await manager.serveSeedsAgain();
      assert.match(await textOf(`${url}meta-data`), /worker01/);
      const [served, ...others] = manager.seeds?.all ?? [];
      assert.deepEqual(others, [], "the other guest has answered");
      const leftMs = (served?.until ?? 0) - time.ms;
      assert.ok(leftMs > 39 * 60_000 && leftMs <= 40 * 60_000, "40 minutes are left");
    });
    time.ms += 41 * 60_000;
    await program(async (manager) => {
      await manager.serveSeedsAgain();
      assert.deepEqual([...manager.seeds?.all ?? []], []);
      assert.equal(argsOf(simulator, "worker01"), "", "its time is over");
    });
  });
});

async function withProgram<T>(simulator: Simulator, work: (manager: VMManager) => Promise<T>): Promise<T> {
  await using paths = await startPathServer({ host: "127.0.0.1", port: 0 });
  await using manager = new VMManager({ ...credentials(simulator), paths, simulated: true });
  await manager.connect();
  return await work(manager);
}

Deno.test("a seed that guests could not fetch is said in the plan, and blocks its VMs", async () => {
  const errorsOf = async (
    options: Partial<VMManagerOptions>,
    change: Parameters<typeof workers>[0] = {},
  ): Promise<string> => {
    let text = "";
    await withGuests(async ({ manager }) => {
      const { findings, vms } = await manager.planCreation({
        configuration: seeded(2, change),
        types: TYPES,
      });
      assert.deepEqual(vms.map(({ action }) => action), ["blocked", "blocked"]);
      const errors = findings.filter(({ severity, field }) =>
        severity === "error" && field === "worker.seed"
      );
      assert.ok(errors.every(({ vms }) => vms.join() === "worker01,worker02"), "each is said once");
      text = errors.map(({ message }) => message).join("\n");
    }, options);
    return text;
  };
  const ignition = { seed: { kind: "ignition", config: "node.ign" } } as const;
  assert.match(await errorsOf({}, ignition), /without access to files of seeds/);
  const own = { template: { vm: { command_line_args: "-smbios type=1,serial=mine" } } };
  assert.match(await errorsOf({}, own), /SMBIOS serial number already/);
  const long = { template: { vm: { command_line_args: `-name ${"x".repeat(1_000)}` } } };
  assert.match(await errorsOf({}, long), /TrueNAS takes 1024/);
});

Deno.test("a seed that guests cannot fetch comes on a CD-ROM, and the plan says why", async () => {
  const reasonOf = async (options: Partial<VMManagerOptions>): Promise<string> => {
    let text = "";
    await withGuests(async ({ manager }) => {
      const plan = await manager.planCreation({ configuration: seeded(1), types: TYPES });
      const { action, seed } = planned(plan, "worker01");
      assert.deepEqual([action, seed?.way], ["create", "disk"]);
      text = seed?.reason ?? "";
    }, options);
    return text;
  };
  const nowhere = { paths: undefined } as unknown as Partial<VMManagerOptions>;
  assert.match(await reasonOf(nowhere), /^SEED_HOST is not set/);
  const loopback = { host: "127.0.0.1", simulated: false };
  const nic = {
    step: "nic0",
    order: 1,
    dtype: "NIC",
    name: "lan",
    attach: "br0",
    mac: "02:00:00:00:00:01",
  } as const;
  const { way, reason } = seedWay({ kind: "cloud-init" }, loopback, [nic]);
  assert.deepEqual([way, reason], ["disk", "SEED_HOST is 127.0.0.1, which guests cannot reach"]);
});

Deno.test("only a NAS that may be simulated has guests at a loopback address, and the plan warns of a real one", async () => {
  const nas = (text: string) => {
    const parsed = parseNasAddress(text);
    return parsed.ok ? parsed.address : assert.fail(text);
  };
  assert.equal(maySimulateGuests(nas("ws://127.0.0.1:6000")), true);
  for (const text of ["nas.lan", "wss://192.0.2.5", "unix:/run/middleware/middlewared.sock"]) {
    assert.equal(maySimulateGuests(nas(text)), false, text);
  }
  await withGuests(async ({ manager }) => {
    const plan = await manager.planCreation({ configuration: seeded(1), types: TYPES });
    assert.equal(planned(plan, "worker01").seed?.way, "url");
    const [warned, ...others] = plan.findings;
    assert.deepEqual([warned?.severity, warned?.field], ["warning", "worker.seed"]);
    const [empty = "", ...rest] = others.map(({ message }) => message);
    assert.match(
      empty,
      /The first disk of worker is empty, so only its install image could read .* \(seed\)/,
    );
    assert.deepEqual(rest, []);
    assert.match(warned?.message ?? "", /only guests of a simulated NAS on this machine reach/);
  }, { simulated: false });
});

Deno.test("the plan warns of a SEED_HOST outside the networks of the guests, as far as the account may read them", async () => {
  const operator = {
    username: "operator",
    password: "operator-password",
    roles: ["VM_WRITE", "VM_DEVICE_WRITE", "DATASET_WRITE"],
  };
  for (const version of ["24.10", "25.10", "27.0"] as const) {
    await using simulator = await startSimulator({ times: TEST_TIMES, version, accounts: [operator] });
    await using paths = await startPathServer({ host: "127.0.0.1", port: 0 });
    const warnings = async (host: string, change: Parameters<typeof workers>[0] = {}, account = {}) => {
      const at = { ...paths, host };
      await using manager = new VMManager({
        ...credentials(simulator),
        paths: at,
        simulated: true,
        ...account,
      });
      await manager.connect();
      const request = { configuration: seeded(1, { network: { lan: "br0" }, ...change }), types: TYPES };
      const { findings } = await manager.planCreation({ ...request, asksNetwork: false });
      return findings.flatMap(({ message, field }) =>
        /SEED_HOST/.test(message) ? [`${field}: ${message}`] : []
      );
    };
    assert.deepEqual(await warnings("192.168.1.77"), []);
    assert.deepEqual(await warnings("10.9.8.7"), [
      "worker.seed: The guests of worker may not reach this program at SEED_HOST (10.9.8.7): it is not in the network of br0 " +
      "(192.168.1.0/24), so they need a router that leads there. If they do not, set it to an address of this " +
      "machine in their network",
    ]);
    // A name, a bridge without an address of the NAS, and an account that may not ask: nothing is known.
    assert.deepEqual(await warnings("seeds.lan"), []);
    assert.deepEqual(await warnings("10.9.8.7", { network: { lan: "br1" } }), []);
    const asked = simulator.calls.filter(({ method }) => method === "interface.query").length;
    assert.deepEqual(
      await warnings("10.9.8.7", {}, { username: operator.username, password: operator.password }),
      [],
    );
    assert.equal(simulator.calls.filter(({ method }) => method === "interface.query").length, asked);
    const [macvlan = ""] = await warnings("192.168.1.10", { network: { lan: "eno1" } });
    assert.match(
      macvlan,
      /an address of the NAS, which guests attached to eno1 without a bridge do not reach/,
    );
    const fixed = {
      addresses: { lan: { range: "10.0.0.21-22/24" } },
      ready: { when: "phone-home" },
    } as const;
    const [alone = ""] = await warnings("192.168.1.77", fixed);
    assert.match(alone, /not in their network \(10\.0\.0\.0\/24\), and they have no gateway/);
  }
});

Deno.test("a VM that was rolled back or destroyed no longer has its seed served", async () => {
  await withGuests(async ({ simulator, manager }) => {
    simulator.addFault({ method: "vm.start", action: "fail" });
    const configuration = seeded(1);
    const { vms } = await manager.create({ configuration, types: TYPES });
    assert.equal(vms[0]?.outcome, "rolled-back");
    assert.deepEqual([...manager.seeds?.all ?? []], []);
    await manager.create({ configuration, types: TYPES });
    assert.equal([...manager.seeds?.all ?? []].length, 1);
    const url = seedUrl(simulator, "worker01");
    await manager.destroyManagedVms(["worker"]);
    const gone = await fetch(`${url}user-data`);
    assert.equal(gone.status, 404);
    await gone.body?.cancel();
  });
});

Deno.test("a clone of a VM is not told where the original's seed is, and keeps what else it is told", async () => {
  await withGuests(async ({ simulator, manager }) => {
    const configuration = seeded(1, { template: { vm: { command_line_args: "-name 'a b'" } } });
    await manager.create({ configuration, types: TYPES });
    const url = seedUrl(simulator, "worker01");
    const { id = 0, config } = vmNamed(simulator, "worker01") ?? {};
    const vm = { id, name: "worker01", uuid: String(config?.uuid) };
    assert.deepEqual(await manager.changes.change(vm, { kind: "clone", name: "copy" }).problems, []);
    assert.equal(argsOf(simulator, "copy"), "-name 'a b'");
    assert.equal(seedUrl(simulator, "worker01"), url);
  });
});

Deno.test("a change of the template's arguments keeps the address that a guest has still to see", async () => {
  await withGuests(async ({ simulator, manager }) => {
    await manager.create({ configuration: seeded(1), types: TYPES });
    const url = seedUrl(simulator, "worker01");
    const configuration = seeded(1, { template: { vm: { command_line_args: "-name changed" } } });
    const request = { configuration, types: TYPES };
    const { differences } = planned(await manager.planCreation(request), "worker01");
    assert.deepEqual(differences.map(({ field, found, wanted }) => [field, found, wanted]), [
      ["command_line_args", "", "-name changed"],
    ]);
    const reconcile = { ...NOTHING_CHANGED, change: ["worker01"] };
    const result = await manager.create({ ...request, reconcile });
    assert.deepEqual(outcomes(result), ["worker01 changed"], JSON.stringify(result.vms));
    assert.equal(
      argsOf(simulator, "worker01"),
      `-name changed -smbios 'type=1,serial=ds=nocloud-net;s=${url}'`,
    );
  });
});

Deno.test("an address that could not be taken from its VM is taken when the NAS answers again", async () => {
  const lines: string[] = [];
  await withGuests(async ({ simulator, manager }) => {
    await manager.create({ configuration: seeded(1), types: TYPES });
    const uuid = String(vmNamed(simulator, "worker01")?.config.uuid);
    const home = manager.seeds?.find(uuid)?.phoneHomeUrl ?? "";
    simulator.addFault({ method: "vm.update", action: "cut" });
    await (await fetch(home, { method: "POST", body: new URLSearchParams({ instance_id: uuid }) })).text();
    await repeatedly("it is taken", () => Promise.resolve(argsOf(simulator, "worker01") === "" || null));
    assert.match(lines.join("\n"), /could not be taken from a VM yet/, "the premise");
  }, { logger: loggerTo((message) => void lines.push(message)) });
});

Deno.test("with READ_ONLY nothing is served", async () => {
  await withGuests(({ manager }) => Promise.resolve(assert.equal(manager.seeds, null)), { readOnly: true });
});

Deno.test("a taken SEED_PORT ends the step with what to do, and nothing stays behind", async () => {
  await using other = await startPathServer({ host: "127.0.0.1", port: 0 });
  await using paths = pathServerWhenNeeded({ host: "127.0.0.1", port: other.port });
  await withGuests(async ({ simulator, manager }) => {
    const { vms } = await manager.create({ configuration: seeded(1), types: TYPES });
    assert.equal(vms[0]?.outcome, "rolled-back");
    assert.match(vms[0]?.message ?? "", /Port \d+ is in use\. Set SEED_PORT to another port/);
    assert.equal(simulator.store.vms.size, 0);
  }, { paths });
});
