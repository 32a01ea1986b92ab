/**
 * Protects the interface to the NAS: every request of the program and every reply of the simulated NAS is valid by
 * TrueNAS's own JSON Schemas of that version. The program runs its own work (create, fail and roll back, lose the
 * connection, destroy), and then every other method of the simulator is called.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { Ajv2020, type ValidateFunction } from "../../support/packages/ajv.ts";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import type { ReceivedCall, SimulatedVersion } from "../../../lib/simulator/types.ts";
import { METHODS } from "../../../lib/truenas/methods.ts";
import { rulesFor } from "../../../lib/truenas/versions.ts";
import type { VmChange } from "../../../lib/operations/steps/change_vm.ts";
import type { VmActionName } from "../../../lib/inventory/vm_actions.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { goBack, remove, take } from "../../support/vms/checkpoints.ts";
import { TEST_CONFIG, TEST_SETTLE, TEST_TIMES } from "../../support/pages/dashboard.ts";

interface MethodSchema {
  readonly accepts: object;
  readonly returns: object;
  readonly param_order: readonly string[];
}

const SCHEMAS: readonly (readonly [SimulatedVersion, string])[] = [
  ["25.04.2", "v25_04_2"],
  ["25.10", "v25_10_5"],
  ["26.0", "v26_0_0"],
  ["27.0", "v27_0_0"],
];

/** What 27.0 refuses by role or has not, and what needs a state that the tour does not make. */
const TOUR: readonly (readonly [method: string, params: readonly unknown[]])[] = [
  ["core.ping", []],
  ["core.set_options", [{ legacy_jobs: true }]],
  ["auth.me", []],
  ["auth.generate_token", []],
  ["auth.mechanism_choices", []],
  ["system.version", []],
  ["system.info", []],
  ["system.host_id", []],
  ["system.boot_id", []],
  ["system.ready", []],
  ["system.state", []],
  ["system.product_type", []],
  ["pool.query", []],
  ["pool.get_instance", [1]],
  ["pool.dataset.query", []],
  ["pool.dataset.create", [{ name: "tank/vms/thin", type: "VOLUME", volsize: 1024 ** 3, sparse: true }]],
  ["pool.dataset.delete", ["tank/vms/thin"]],
  ["filesystem.stat", ["/mnt/tank/iso/debian.iso"]],
  ["filesystem.listdir", ["/mnt/tank/iso"]],
  ["interface.choices", []],
  ["interface.ip_in_use", []],
  ["vm.query", [[], { count: true }]],
  ["vm.query", [[["name", "=", "homeassistant"]], { get: true }]],
  ["vm.get_instance", [1]],
  ["vm.status", [1]],
  ["vm.update", [1, { description: "x" }]],
  ["vm.get_memory_usage", [1]],
  ["vm.get_vmemory_in_use", []],
  ["vm.get_vm_memory_info", [2]],
  ["vm.get_console", [1]],
  ["vm.log_file_path", [1]],
  ["vm.flags", []],
  ["vm.virtualization_details", []],
  ["vm.supports_virtualization", []],
  ["vm.port_wizard", []],
  ["vm.resolution_choices", []],
  ["vm.bootloader_options", []],
  ["vm.bootloader_ovmf_choices", []],
  ["vm.cpu_model_choices", []],
  ["vm.guest_architecture_and_machine_choices", []],
  ["vm.random_mac", []],
  ["vm.get_display_devices", [1]],
  ["vm.get_display_web_uri", [1]],
  ["vm.suspend", [1]],
  ["vm.resume", [1]],
  ["vm.restart", [1]],
  ["vm.stop", [1, { force_after_timeout: true }]],
  ["vm.clone", [2, "copy"]],
  ["vm.device.query", []],
  ["vm.device.get_instance", [1]],
  ["vm.device.update", [1, { attributes: { dtype: "NIC", nic_attach: "br1" } }]],
  ["vm.device.delete", [4]],
  ["vm.device.iotype_choices", []],
  ["vm.device.disk_choices", []],
  ["vm.device.iommu_enabled", []],
  ["vm.device.passthrough_device_choices", []],
  ["vm.device.usb_passthrough_choices", []],
  ["vm.device.usb_controller_choices", []],
  ["auth.logout", []],
];

const IMAGE = "/mnt/tank/iso/debian.qcow2";

const IMAGE_CONFIG = `
storage: { pool_path: tank/vms }
images: { debian: { path: ${IMAGE} } }
imaged: { count: 1, memory: 256, cpu: 1, image: debian, disk: { root: 2 } }
`;

async function runProduct(simulator: Simulator): Promise<void> {
  const account = { username: "admin", password: "truenas", vncPassword: "pw" };
  await using manager = new VMManager({
    host: simulator.url,
    ...account,
    settle: TEST_SETTLE,
    backoffMs: [5],
  });
  await manager.connect();
  await manager.inventory.live.ready();
  const { configuration } = parseConfiguration(TEST_CONFIG, "config.yaml");
  await manager.inventory.choices(configuration);
  await manager.inventory.capacity("tank/vms");
  const failing = { method: "vm.device.create", moment: "middle", action: "fail" } as const;
  simulator.addFault({ ...failing, matches: (params) => JSON.stringify(params).includes("worker01-disk1") });
  await manager.createVmType(configuration, "worker", 5920);
  simulator.clearFaults();
  simulator.addFault({ method: "vm.device.create", skip: 3, moment: "after", action: "cut" });
  await manager.createVmType(configuration, "worker", 5920);
  simulator.clearFaults();
  await manager.createVmType(configuration, "worker", 5920);
  await take(manager, "first");
  await goBack(manager, "first");
  await remove(manager, "first");
  const workers = [...simulator.store.vms.values()].filter(({ config }) => config.name.startsWith("worker0"));
  const [stopped, , suspended] = workers;
  assert.ok(stopped && suspended);
  stopped.state = "STOPPED";
  await manager.createVmType(configuration, "worker", 5920);
  const { controlplane } = configuration;
  await manager.createVmType(
    { ...configuration, controlplane: { ...controlplane, start: false } },
    "controlplane",
    5910,
  );
  await manager.createVmType(configuration, "controlplane", 5910);
  await useVm(manager, simulator);
  stopped.state = "RUNNING";
  suspended.state = "SUSPENDED";
  addSnapshot(simulator.store, `tank/vms/${suspended.config.name}-disk0@daily`);
  await manager.destroyManagedVms(["worker"], { shutdown: true });
  await manager.planCleaning();
  addFile(simulator.store, IMAGE, { head: qcow2Head(1024 ** 3) });
  const imaged = parseConfigurationFile({ text: IMAGE_CONFIG, source: "config.yaml" });
  assert.equal((await manager.operations.create(imaged)).status, "done");
  const sent = { fileName: "talos.qcow2", stream: new Blob([qcow2Head(1024 ** 3)]).stream() };
  const uploaded = await manager.images.upload({ dataset: "tank/images", name: "talos", ...sent });
  assert.equal((await uploaded.finished).status, "done");
  await using second = new VMManager({
    host: simulator.url,
    username: "otp",
    password: "otp-pw",
    askOtp: () => Promise.resolve("123456"),
  });
  await second.connect();
  const apiKey = simulator.store.accounts[0]?.apiKey ?? "";
  await using third = new VMManager({ host: simulator.url, username: "admin", apiKey });
  await third.connect();
}

/** What people do to one VM from its page. */
async function useVm(manager: VMManager, simulator: Simulator): Promise<void> {
  const vm = (await manager.list()).find(({ name, state }) =>
    name.startsWith("worker0") && state === "RUNNING"
  );
  assert.ok(vm);
  const act = async (action: VmActionName, state: string) => {
    const request = { action, id: vm.id, name: vm.name, state, overcommit: false };
    const view = await manager.changes.act(action, [request]).finished;
    assert.equal(view.status, "done", JSON.stringify(view.vms));
  };
  await act("suspend", "RUNNING");
  await act("resume", "SUSPENDED");
  await act("restart", "RUNNING");
  await manager.consoles.displayUri(vm.id);
  const { cores, threads, memoryMib, autostart, description, name } = vm;
  const settings = { kind: "settings", name, description, cores, threads, memoryMib, autostart } as const;
  const boot = { kind: "boot-first", deviceId: vm.disks[0]?.deviceId ?? 0 } as const;
  const changes: readonly VmChange[] = [settings, boot, { kind: "clone", name: "replica" }];
  for (const change of changes) assert.deepEqual(await manager.changes.change(vm, change).problems, []);
  const copy = [...simulator.store.vms.values()].find(({ config }) => config.name === "replica");
  assert.ok(copy);
}

/** Calls the simulator directly, one after another. */
/** `newer`: calls that only some versions' schemas describe. */
async function takeTour(simulator: Simulator, newer: typeof TOUR): Promise<void> {
  const socket = new WebSocket(`${simulator.url}/api/current`);
  await new Promise((resolve) => socket.onopen = resolve);
  const call = async (id: number, method: string, params: readonly unknown[]) => {
    const answered = new Promise<void>((resolve) => {
      socket.onmessage = ({ data }) => {
        if (JSON.parse(data).id === id) resolve();
      };
    });
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, method, params }));
    await answered;
  };
  await call(0, "auth.login_ex", [{ mechanism: "PASSWORD_PLAIN", username: "admin", password: "truenas" }]);
  for (const [index, [method, params]] of [...newer, ...TOUR].entries()) {
    await call(index + 1, method, params);
  }
  const closed = new Promise((resolve) => socket.onclose = resolve);
  socket.close();
  await closed;
}

/** On the wire a time is `{"$date": ms}`; the schemas describe it as it was before. */
function withDates(result: unknown): unknown {
  return JSON.parse(JSON.stringify(result), (_key, value) => {
    const ms = typeof value === "object" && value !== null ? value.$date : undefined;
    return typeof ms === "number" ? new Date(ms).toISOString() : value;
  });
}

const JOBS: readonly string[] = [
  "vm.stop",
  "vm.restart",
  "vm.device.convert",
  "vm.import_disk_image",
  "filesystem.put",
];

class Validators {
  readonly #ajv = new Ajv2020({ strict: false, validateFormats: false, allErrors: true });
  readonly #schemas: Readonly<Record<string, MethodSchema>>;
  readonly #compiled = new Map<object, ValidateFunction>();

  constructor(file: string) {
    const path = fileURLToPath(new URL(`../../data/schemas/${file}.json`, import.meta.url));
    this.#schemas = JSON.parse(readFileSync(path, "utf8"));
  }

  has(method: string): boolean {
    return method in this.#schemas;
  }

  /** What is wrong with a call, by its version's schemas. */
  problems({ method, params, answer }: ReceivedCall): string[] {
    const schema = this.#schemas[method];
    if (schema === undefined) return [`${method} is not in the schemas`];
    const named = Object.fromEntries(
      params.map((value, index) => [schema.param_order[index] ?? `extra${index}`, value]),
    );
    const sent = this.#check(schema.accepts, named).map((error) => `${method} sent ${error}`);
    // A job's call is answered with the job's id; the schema is that of the job's own result.
    const isJobId = JOBS.includes(method);
    if (answer === undefined || !("result" in answer) || isJobId) return sent;
    return [
      ...sent,
      ...this.#check(schema.returns, { result: withDates(answer.result) }).map((error) =>
        `${method} given ${error}`
      ),
    ];
  }

  #check(schema: object, value: unknown): string[] {
    const validate = this.#compiled.get(schema) ?? this.#ajv.compile(schema);
    this.#compiled.set(schema, validate);
    if (validate(value)) return [];
    return (validate.errors ?? []).map(({ instancePath, message, params }) =>
      `${instancePath} ${message} ${JSON.stringify(params)}`
    );
  }
}

for (const [version, file] of SCHEMAS) {
  Deno.test(`every request of the program and every reply of the simulator is valid on ${version}`, async () => {
    const otp = { username: "otp", password: "otp-pw", roles: ["FULL_ADMIN"], otp: "123456" };
    await using simulator = await startSimulator({
      version,
      times: TEST_TIMES,
      foreignVms: 3,
      accounts: [otp],
    });
    await runProduct(simulator);
    const product = [...simulator.calls];
    const validators = new Validators(file);
    await takeTour(simulator, validators.has("interface.query") ? [["interface.query", []]] : []);
    assert.deepEqual([...new Set(simulator.calls.flatMap((call) => validators.problems(call)))], []);
    // The premise: the runs reached the product's methods, and the tour was answered with results.
    const called = new Set(product.map(({ method }) => method.replace(/^zfs\.snapshot/, "pool.snapshot")));
    const missed = Object.keys(METHODS).filter((method) => !called.has(method));
    const { showsRun, imageMethod, resourceSnapshots } = rulesFor(version);
    const unasked = [
      showsRun === "log" ? "vm.status" : "vm.log_file_path",
      ...(imageMethod === "vm.device.convert"
        ? ["vm.import_disk_image"]
        : ["vm.device.convert", "vm.device.virtual_size"]),
      ...(resourceSnapshots ? [] : ["zfs.resource.snapshot.create", "zfs.resource.snapshot.query"]),
    ];
    const unknown = missed.filter((method) => !unasked.includes(method) && !NOT_IN_THE_RUN.has(method));
    assert.deepEqual(unknown, []);
    const refused = simulator.calls.slice(product.length).filter(({ answer }) =>
      answer === undefined || "error" in answer
    );
    assert.deepEqual(refused.map(({ method, answer }) => [method, answer]), []);
  });
}

/**
 * Sign-ins by other ways, what lets the NAS fetch a file (its own test checks it), what only completing an existing VM or a quiet connection calls, what only 26.0 and later
 * are asked, and what is not among the schemas.
 */
const NOT_IN_THE_RUN: ReadonlySet<string> = new Set([
  "auth.mechanism_choices",
  "vm.reset",
  "vm.get_guest_network_interfaces",
  "core.ping_remote",
  "core.arp",
  "interface.query",
  "core.resize_shell",
  "auth.login",
  "auth.login_with_api_key",
  "auth.me",
  "core.ping",
  "core.unsubscribe",
  "system.host_id",
  "vm.device.delete",
  "core.job_abort",
  "cloudsync.credentials.create",
  "cloudsync.credentials.query",
  "cloudsync.credentials.delete",
  "cloudsync.sync_onetime",
  "pool.dataset.promote",
]);
