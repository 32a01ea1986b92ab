/**
 * Protects the library's promises on two simulated releases, over real sockets: groups are created once, a failure
 * affects only its VM and is undone, resources created elsewhere are not touched, and invalid input sends nothing.
 */
import assert from "node:assert/strict";
import { addDataset } from "../../../lib/simulator/store.ts";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { ConfigurationError, TrueNASConnectionError, TrueNASError } from "../../../lib/errors/errors.ts";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion, SimulatorOptions } from "../../../lib/simulator/types.ts";
import type { RunResult } from "../../../lib/operations/summary.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_CONFIG, TEST_SETTLE, TEST_TIMES } from "../../support/dashboard.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

const VERSIONS: readonly SimulatedVersion[] = ["25.10", "27.0"];
const CONFIG: FlatConfiguration = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;

/** So many small workers with two disks each. */
function workers(count: number): FlatConfiguration {
  const disks = "disk: { root: 1, data: 1 }";
  const text = `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }
controlplane: { count: 0, memory: 64, cpu: 1 }
worker: { count: ${count}, memory: 64, cpu: 1, ${disks}, network: { lan: br0 } }
`;
  return parseConfiguration(text, "config.yaml").configuration;
}

interface Lab {
  readonly simulator: Simulator;
  readonly manager: VMManager;
}

async function withLab(
  options: { simulator?: SimulatorOptions; manager?: Partial<VMManagerOptions> },
  test: (lab: Lab) => Promise<void>,
): Promise<void> {
  await using simulator = await startSimulator({ times: TEST_TIMES, ...options.simulator });
  await using manager = new VMManager({ ...credentials(simulator), ...options.manager });
  await manager.connect();
  await test({ simulator, manager });
}

function credentials(simulator: Simulator): VMManagerOptions {
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  return { host: simulator.url, ...account, settle: TEST_SETTLE, backoffMs: [10] };
}

function onEach(name: string, test: (version: SimulatedVersion) => Promise<void>): void {
  for (const version of VERSIONS) Deno.test(`${name} (${version})`, () => test(version));
}

function outcomes({ vms }: RunResult): string[] {
  return vms.map(({ name, outcome }) => `${name} ${outcome}`);
}

function vmNames({ store }: Simulator): string[] {
  return [...store.vms.values()].map(({ config }) => config.name).sort();
}

function zvols({ store }: Simulator): string[] {
  return [...store.datasets.values()].filter(({ type }) => type === "VOLUME").map(({ name }) => name).sort();
}

onEach(
  "createVmType() creates every VM of a type, running with its devices",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      const events: OperationEvent[] = [];
      const result = await manager.createVmType(CONFIG, "worker", 5920, {
        observer: (event) => events.push(event),
      });
      assert.equal(result.status, "done");
      assert.deepEqual(outcomes(result), ["worker01 created", "worker02 created", "worker03 created"]);
      const vms = await manager.list();
      assert.deepEqual(vms.map(({ state }) => state), ["RUNNING", "RUNNING", "RUNNING"]);
      assert.deepEqual(vms.map(({ displays }) => displays[0]?.port), [5920, 5921, 5922]);
      assert.equal(new Set(vms.flatMap(({ nics }) => nics.map(({ mac }) => mac))).size, 6);
      for (const { disks, cdroms } of vms) {
        const [root] = disks;
        const [cdrom] = cdroms;
        assert.ok(root !== undefined && cdrom !== undefined);
        assert.ok(root.order < cdrom.order, "the disk boots before the CD-ROM");
      }
      assert.deepEqual(events.map(({ seq }) => seq), events.map((_, index) => index + 1));
      const of = (status: string) =>
        events.filter((event) => event.type === "step" && event.status === status).length;
      assert.equal(of("running"), of("done"));
      assert.equal(simulator.connections, 1);
    }),
);

onEach(
  "a second createVmType() changes nothing, and a higher count creates only the new VMs",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(CONFIG, "worker", 5920);
      const calls = simulator.calls.length;
      const again = await manager.createVmType(CONFIG, "worker", 5920);
      assert.deepEqual(outcomes(again), ["worker01 kept", "worker02 kept", "worker03 kept"]);
      assert.ok(simulator.calls.slice(calls).every(({ method }) => !/create|start|delete/.test(method)));
      const worker = CONFIG.worker;
      assert.ok(worker !== undefined && "count" in worker);
      const more = await manager.createVmType({ ...CONFIG, worker: { ...worker, count: 5 } }, "worker", 5920);
      assert.deepEqual(outcomes(more).slice(3), ["worker04 created", "worker05 created"]);
      assert.deepEqual(vmNames(simulator), ["worker01", "worker02", "worker03", "worker04", "worker05"]);
    }),
);

onEach(
  "two simultaneous runs are serialised, and ports never collide",
  (version) =>
    withLab({ simulator: { version } }, async ({ manager }) => {
      const results = await Promise.all([
        manager.createVmType(CONFIG, "controlplane", 5920),
        manager.createVmType(CONFIG, "worker", 5920),
      ]);
      assert.deepEqual(results.map(({ status }) => status), ["done", "done"]);
      const ports = (await manager.list()).flatMap(({ displays }) =>
        displays.flatMap(({ port, webPort }) => [port, webPort])
      );
      assert.equal(new Set(ports).size, 8);
    }),
);

onEach(
  "an existing zvol blocks only its VM and keeps its data",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      const existing = "tank/vms/worker02-disk0";
      addDataset(simulator.store, {
        name: existing,
        type: "VOLUME",
        volsizeBytes: 1024 ** 3,
        sparse: false,
        userProperties: {},
        createdAt: 0,
      });
      const result = await manager.createVmType(CONFIG, "worker", 5920);
      assert.equal(result.status, "partly-done");
      assert.deepEqual(outcomes(result), ["worker01 created", "worker02 failed", "worker03 created"]);
      assert.match(result.vms[1]?.message ?? "", /already exists/);
      await manager.destroyManagedVms();
      assert.deepEqual(zvols(simulator), [existing]);
    }),
);

onEach(
  "a VM that does not fit in memory is removed, and the others continue",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      simulator.addFault({
        method: "vm.start",
        skip: 1,
        action: "fail",
        error: { errno: 12, errname: "ENOMEM", reason: "[ENOMEM] Cannot guarantee memory for guest" },
      });
      const result = await manager.createVmType(CONFIG, "worker", 5920);
      assert.equal(result.vms.filter(({ outcome }) => outcome === "created").length, 2);
      assert.equal(result.vms.filter(({ outcome }) => outcome === "rolled-back").length, 1);
      assert.equal(vmNames(simulator).length, 2);
      assert.equal(zvols(simulator).length, 4);
    }),
);

onEach(
  "destroyManagedVms() destroys VMs named prefix and number, and nothing else",
  (version) =>
    withLab({ simulator: { version, foreignVms: 5 } }, async ({ simulator, manager }) => {
      const before = { names: vmNames(simulator), zvols: zvols(simulator) };
      assert.ok(before.names.includes("workerold"), "there is a VM that only looks like ours");
      await manager.createVmType(CONFIG, "worker", 5920);
      await manager.createVmType(CONFIG, "controlplane", 5910);
      const result = await manager.destroyManagedVms();
      assert.equal(result.status, "done");
      assert.equal(result.vms.length, 4);
      assert.deepEqual({ names: vmNames(simulator), zvols: zvols(simulator) }, before);
      assert.deepEqual((await manager.destroyManagedVms()).vms, []);
    }),
);

onEach(
  "destroyManagedVms() names whatever it could not remove",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(CONFIG, "controlplane", 5910);
      const error = { errno: 16, errname: "EBUSY", reason: "[EBUSY] dataset is busy" };
      simulator.addFault({ method: "vm.delete", times: Infinity, action: "fail", error });
      const result = await manager.destroyManagedVms(["controlplane"]);
      assert.equal(result.status, "failed");
      assert.match(result.vms[0]?.message ?? "", /dataset is busy/);
      assert.deepEqual(vmNames(simulator), ["controlplane01"]);
    }),
);

Deno.test("an account without permission to delete zvols destroys VMs together with their disks", async () => {
  const roles = ["VM_READ", "VM_WRITE", "VM_DEVICE_READ", "VM_DEVICE_WRITE", "DATASET_READ"];
  const account = { username: "lab", password: "lab-pw" };
  await withLab(
    { simulator: { accounts: [{ ...account, roles }] } },
    async ({ simulator, manager: maker }) => {
      await maker.createVmType(workers(5), "worker", 5920);
      await using manager = new VMManager({ ...credentials(simulator), ...account });
      await manager.connect();
      assert.equal((await manager.destroyManagedVms(["worker"])).status, "done");
      assert.deepEqual([vmNames(simulator), zvols(simulator)], [[], []]);
      assert.ok(simulator.calls.every(({ method }) => method !== "pool.dataset.delete"));
    },
  );
});

onEach(
  "cancelling rolls back unfinished VMs and starts nothing new",
  (version) =>
    withLab({ simulator: { version }, manager: { parallel: 1 } }, async ({ simulator, manager }) => {
      const cancel = new AbortController();
      const observer = (event: OperationEvent) => {
        if (event.type === "step" && event.vm === "worker02" && event.step === "disk0") cancel.abort();
      };
      const result = await manager.createVmType(CONFIG, "worker", 5920, { observer, signal: cancel.signal });
      assert.equal(result.status, "cancelled");
      assert.deepEqual(outcomes(result), ["worker01 created", "worker02 cancelled", "worker03 cancelled"]);
      assert.deepEqual(vmNames(simulator), ["worker01"]);
      assert.equal(zvols(simulator).length, 2);
    }),
);

onEach(
  "cancelling a destruction spares every untouched VM",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      const configuration = workers(12);
      await manager.createVmType(configuration, "worker", 5920);
      const before = zvols(simulator);
      // Ten go at once: when the first is there, two were not sent.
      const held = Promise.withResolvers<void>();
      const cancel = new AbortController();
      const matches = () => {
        cancel.abort();
        held.resolve();
        return true;
      };
      simulator.addFault({ method: "vm.poweroff", action: "hold", until: held.promise, matches });
      const result = await manager.destroyManagedVms(["worker"], { signal: cancel.signal });
      assert.equal(result.status, "cancelled");
      assert.deepEqual(new Set(result.vms.map(({ outcome }) => outcome)), new Set(["cancelled"]));
      assert.match(
        result.vms[0]?.message ?? "",
        /^Cancelled; it was powered off and nothing was removed/,
      );
      assert.match(result.vms[11]?.message ?? "", /^Cancelled; nothing was changed/);
      assert.deepEqual([vmNames(simulator).length, zvols(simulator)], [12, before]);
      assert.equal([...simulator.store.vms.values()].at(-1)?.state, "RUNNING");
    }),
);

onEach(
  "a partly removed VM is removed completely after a cancellation",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(workers(12), "worker", 5920);
      const cancel = new AbortController();
      const observer = (event: OperationEvent) => {
        if (event.type === "step" && event.step === "check" && event.status === "running") cancel.abort();
      };
      const result = await manager.destroyManagedVms(["worker"], { observer, signal: cancel.signal });
      assert.deepEqual(
        new Set(result.vms.map(({ outcome }) => outcome)),
        new Set(["destroyed", "cancelled"]),
      );
      const spared = result.vms.filter(({ outcome }) => outcome === "cancelled").map(({ name }) => name);
      assert.deepEqual(vmNames(simulator), spared);
      assert.deepEqual(
        zvols(simulator),
        spared.flatMap((name) => [`tank/vms/${name}-disk0`, `tank/vms/${name}-disk1`]),
      );
    }),
);

onEach(
  "a cancelled destruction reports a VM as powered off only if it is",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(CONFIG, "controlplane", 5910);
      // The guest ignores the shutdown request, and the user cancels.
      simulator.addFault({ method: "vm.stop", action: "answer", result: 1 });
      simulator.addFault({
        method: "core.get_jobs",
        action: "answer",
        result: [{ id: 1, state: "SUCCESS" }],
      });
      const cancel = new AbortController();
      const observer = (event: OperationEvent) => {
        if (event.type === "step" && event.step === "shutdown" && event.status === "done") cancel.abort();
      };
      const options = { observer, signal: cancel.signal, shutdown: true };
      const result = await manager.destroyManagedVms(["controlplane"], options);
      assert.deepEqual(result.vms.map(({ message }) => message), [
        "Cancelled; nothing was changed",
      ]);
      assert.equal([...simulator.store.vms.values()].at(-1)?.state, "RUNNING");
    }),
);

onEach(
  "a VM is checked again when its turn comes",
  (version) =>
    withLab({ simulator: { version }, manager: { parallel: 1 } }, async ({ simulator, manager }) => {
      await manager.createVmType(CONFIG, "worker", 5920);
      const observer = (event: OperationEvent) => {
        if (event.type !== "step" || event.vm !== "worker01" || event.step !== "poweroff") return;
        for (const vm of simulator.store.vms.values()) {
          if (vm.config.name === "worker02") vm.config.name = "precious";
        }
      };
      const result = await manager.destroyManagedVms(["worker"], { observer });
      assert.deepEqual(outcomes(result), ["worker01 destroyed", "worker02 failed", "worker03 destroyed"]);
      assert.match(result.vms[1]?.message ?? "", /has changed since the list was shown \(now precious/);
      assert.deepEqual(vmNames(simulator), ["precious"]);
    }),
);

onEach(
  "VMs are checked again if reading them for the plan took too long",
  (version) =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      await manager.createVmType(CONFIG, "controlplane", 5910);
      // The end of that operation is read; then there is another one, of whose readings this is the only one of zvols.
      await manager.inventory.live.ready(10_000);
      await using fresh = new VMManager(credentials(simulator));
      await fresh.connect();
      await fresh.inventory.live.ready();
      const slow = Promise.withResolvers<void>();
      const matches = () => {
        // The VMs are read at the same time, but their zvols a second later, when another VM has the name.
        setTimeout(() => {
          for (const vm of simulator.store.vms.values()) vm.config.name = "precious";
          slow.resolve();
        }, 1_050);
        return true;
      };
      simulator.addFault({ method: "pool.dataset.query", action: "hold", until: slow.promise, matches });
      const result = await fresh.destroyManagedVms(["controlplane"]);
      assert.match(result.vms[0]?.message ?? "", /has changed since the list was shown \(now precious/);
      assert.deepEqual(vmNames(simulator), ["precious"]);
    }),
);

onEach(
  "READ_ONLY and NO_DESTROY are enforced by method name",
  (version) =>
    withLab({ simulator: { version }, manager: { noDestroy: true } }, async ({ simulator, manager }) => {
      await manager.createVmType(CONFIG, "controlplane", 5910);
      const refused = await manager.destroyManagedVms(["controlplane"]);
      assert.match(refused.vms[0]?.message ?? "", /NO_DESTROY is set/);
      await using reader = new VMManager({ ...credentials(simulator), readOnly: true });
      await reader.connect();
      const created = await reader.createVmType(CONFIG, "worker", 5920);
      assert.equal(created.status, "failed");
      assert.match(created.vms[0]?.message ?? "", /READ_ONLY is set/);
      assert.deepEqual(vmNames(simulator), ["controlplane01"]);
    }),
);

onEach(
  "a read-only account gets the NAS's error for each VM, and warnings for unreadable parts",
  (version) => {
    const accounts = [{ username: "viewer", password: "viewer-pw", roles: ["VM_READ", "VM_DEVICE_READ"] }];
    return withLab({
      simulator: { version, accounts },
      manager: { username: "viewer", password: "viewer-pw" },
    }, async ({ manager }) => {
      const plan = await manager.planCreation({ configuration: CONFIG });
      assert.ok(plan.findings.length > 0);
      assert.ok(
        plan.findings.every(({ severity, message }) =>
          severity === "warning" &&
          /not checked because|cannot read the NAS|does not have the role/.test(message)
        ),
      );
      const result = await manager.createVmType(CONFIG, "worker", 5920);
      assert.equal(result.status, "failed");
      assert.match(result.vms[0]?.message ?? "", /Not authorized/);
    });
  },
);

onEach(
  "a type's start, autostart, description and overcommit settings take effect",
  (version) =>
    withLab({ simulator: { version, freeMemoryBytes: 1024 ** 3 } }, async ({ simulator, manager }) => {
      const { controlplane } = CONFIG;
      const quiet = {
        ...CONFIG,
        controlplane: { ...controlplane, start: false, autostart: false, description: "lab 7" },
      };
      assert.equal((await manager.createVmType(quiet, "controlplane", 5910)).status, "done");
      const [vm] = await manager.list();
      assert.deepEqual([vm?.state, vm?.autostart, vm?.description], [
        "STOPPED",
        false,
        "lab 7 [truenas-vm-manager]",
      ]);
      const tight = await manager.createVmType(CONFIG, "worker", 5920);
      assert.equal(tight.status, "failed", "2 GiB each do not fit in 1 GiB");
      const eager = { ...CONFIG, worker: { ...CONFIG.worker, overcommit: true } };
      assert.equal((await manager.createVmType(eager, "worker", 5920)).status, "done");
      const starts = simulator.calls.filter(({ method }) => method === "vm.start").map(({ params }) =>
        params[1]
      );
      assert.deepEqual(starts, [{ overcommit: true }, { overcommit: true }, { overcommit: true }]);
    }),
);

Deno.test("invalid input is rejected before anything is sent", () =>
  withLab({}, async ({ simulator, manager }) => {
    const sent = simulator.calls.length;
    const { storage: _storage, ...withoutStorage } = CONFIG;
    const wrong: readonly (readonly [unknown, string, number, RegExp])[] = [
      [CONFIG, "gpu", 5930, /There is no VM type "gpu"/],
      [withoutStorage, "worker", 5920, /storage section is missing/],
      [{ ...CONFIG, worker: { ...CONFIG.worker, memory: "2048" } }, "worker", 5920, /whole number/],
      [null, "worker", 5920, /sections/],
      [CONFIG, "worker", 0, /display port/],
      [CONFIG, "worker", 5899, /display port must be a whole number from 5900 to 65535, found 5899/],
    ];
    for (const [config, type, port, message] of wrong) {
      await assert.rejects(manager.createVmType(config, type, port), (error) => {
        assert.ok(error instanceof ConfigurationError && error instanceof TrueNASError);
        assert.match(error.message, message);
        return true;
      });
    }
    assert.equal(simulator.calls.length, sent);
  }));

Deno.test("connect() says what is wrong and what to do", async () => {
  await using simulator = await startSimulator({ times: TEST_TIMES });
  const { port } = simulator;
  const cases: readonly (readonly [Partial<VMManagerOptions>, string, RegExp])[] = [
    [{ host: "ws://127.0.0.1:1" }, "refused", /address and port/],
    [{ host: "ws://nas.invalid" }, "dns", /IP address/],
    [{ password: "wrong" }, "login", /API_USERNAME/],
    [{ host: `wss://127.0.0.1:${port}` }, "not-truenas", /wss:\/\/ or ws:\/\//],
  ];
  for (const [options, failure, remedy] of cases) {
    await using manager = new VMManager({ ...credentials(simulator), ...options });
    await assert.rejects(manager.connect(), (error) => {
      assert.ok(error instanceof TrueNASConnectionError);
      assert.equal(error.failure, failure);
      assert.match(error.remedy, remedy);
      return true;
    });
  }
});

async function failureOf(host: string): Promise<TrueNASConnectionError> {
  await using manager = new VMManager({ host, username: "admin", password: "truenas" });
  const error = await manager.connect().then(() => null, (error: unknown) => error);
  assert.ok(error instanceof TrueNASConnectionError);
  return error;
}

Deno.test("a server that is not TrueNAS is distinguished from a NAS without a VM API", async () => {
  await using server = Deno.serve(
    { port: 0, onListen: () => {} },
    () => new Response("hello", { status: 404 }),
  );
  assert.equal((await failureOf(`ws://127.0.0.1:${server.addr.port}`)).failure, "not-truenas");
});

/** TrueNAS 25.04.0: every vm.* is unknown. */
function answerWithoutVms(text: string): string {
  const { id, method } = JSON.parse(text);
  if (method === "vm.query") {
    return JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32601, message: "Method does not exist" } });
  }
  const result = method === "auth.login_ex" ? { response_type: "SUCCESS" } : "25.04.0";
  return JSON.stringify({ jsonrpc: "2.0", id, result });
}

Deno.test("a NAS without a VM API is reported with a remedy", async () => {
  const closed = Promise.withResolvers<void>();
  const handler = (request: Request) => {
    const { socket, response } = Deno.upgradeWebSocket(request);
    socket.onmessage = ({ data }) => socket.send(answerWithoutVms(data));
    socket.onclose = () => closed.resolve();
    return response;
  };
  await using server = Deno.serve({ port: 0, onListen: () => {} }, handler);
  const error = await failureOf(`ws://127.0.0.1:${server.addr.port}`);
  assert.equal(error.failure, "no-vm-api");
  assert.match(error.message, /TrueNAS 25\.04\.0 has no VM API/);
  assert.match(error.remedy, /Update to 25\.04\.2 or later/);
  await closed.promise;
});

Deno.test("an untrusted certificate is reported with the setting that trusts it", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const [key, cert] = [`${folder}/key.pem`, `${folder}/cert.pem`];
    const args = [
      "req",
      "-x509",
      "-newkey",
      "rsa:2048",
      "-nodes",
      "-days",
      "2",
      "-subj",
      "/CN=truenas",
      "-keyout",
      key,
      "-out",
      cert,
    ];
    assert.ok((await new Deno.Command("openssl", { args, stderr: "null" }).output()).success);
    const tls = { key: await Deno.readTextFile(key), cert: await Deno.readTextFile(cert) };
    await using server = Deno.serve({ port: 0, onListen: () => {}, ...tls }, () => new Response("hello"));
    const error = await failureOf(`wss://127.0.0.1:${server.addr.port}`);
    assert.equal(error.failure, "tls-unknown-issuer");
    assert.match(
      error.message,
      /The certificate is CN=truenas, valid from .* with the SHA-256 fingerprint ([0-9A-F]{2}:){31}/,
    );
    assert.match(
      error.remedy,
      /TRUENAS_CA_FILE to the CA that signed it\. Add: TRUENAS_CERT_FINGERPRINT=([0-9A-F]{2}:){31}/,
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
