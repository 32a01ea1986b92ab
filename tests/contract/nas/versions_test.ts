/**
 * Protects every supported TrueNAS release and every way to connect: the whole job (list, create, fail and roll back,
 * destroy) over ws, wss with a CA, wss with a pinned certificate, and a Unix socket; the choice of the API version; and
 * a session that survives a hundred cuts and a stopped peer.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { FlatConfiguration } from "../../../lib/configuration/flat_configuration.ts";
import { parseConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { TrueNASConnectionError } from "../../../lib/errors/errors.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion, SimulatorOptions } from "../../../lib/simulator/types.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { type Certificates, fingerprintOf, makeCertificates } from "../../support/network/certificates.ts";
import { TEST_CONFIG, TEST_SETTLE, TEST_TIMES } from "../../support/pages/dashboard.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";

const VERSIONS: readonly SimulatedVersion[] = ["24.04", "24.10", "25.04.2", "25.10", "26.0", "27.0"];
const WAYS = ["ws", "wss with a CA", "wss with a pin", "a unix socket"] as const;

const certificates: Certificates = await makeCertificates();

/** 24.x draws displays only as SPICE and has no secure boot; nothing of the test's configuration needs more. */
const CONFIG: FlatConfiguration = parseConfiguration(TEST_CONFIG, "config.yaml").configuration;

interface Lab extends AsyncDisposable {
  readonly simulator: Simulator;
  readonly manager: VMManager;
}

async function startLab(
  version: SimulatedVersion,
  way: (typeof WAYS)[number],
  options: Partial<SimulatorOptions> = {},
): Promise<Lab> {
  const folder = await Deno.makeTempDir();
  const unixPath = `${folder}/middlewared.sock`;
  const simulator = await startSimulator({
    version,
    times: TEST_TIMES,
    foreignVms: 2,
    ...(way.startsWith("wss")
      ? { tls: way.endsWith("CA") ? certificates.good : certificates.selfSigned }
      : {}),
    ...(way === "a unix socket" ? { unixPath } : {}),
    ...options,
  });
  const account = { username: "admin", password: "truenas" };
  const byWay: Readonly<Record<(typeof WAYS)[number], VMManagerOptions>> = {
    ws: { host: simulator.url, ...account },
    "wss with a CA": { host: simulator.url, ...account, caCerts: [certificates.ca] },
    "wss with a pin": {
      host: simulator.url,
      ...account,
      certFingerprint: await fingerprintOf(certificates.selfSigned),
    },
    "a unix socket": { host: `unix:${unixPath}` },
  };
  const manager = new VMManager({
    ...byWay[way],
    vncPassword: "pw",
    settle: TEST_SETTLE,
    backoffMs: [5],
  });
  await manager.connect();
  return {
    simulator,
    manager,
    [Symbol.asyncDispose]: async () => {
      await manager.disconnect();
      await simulator.stop();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

for (const version of VERSIONS) {
  for (const way of WAYS) {
    Deno.test(`the whole job works on ${version} over ${way}: list, create, fail and roll back, destroy`, async () => {
      await using lab = await startLab(version, way);
      const { simulator, manager } = lab;
      const before = new Set(simulator.store.datasets.keys());
      assert.equal((await manager.list()).length, 2);
      simulator.addFault({
        method: "vm.start",
        action: "fail",
        matches: ([id]) => simulator.store.vms.get(Number(id))?.config.name === "worker02",
      });
      const created = await manager.createVmType(CONFIG, "worker", 5920);
      assert.deepEqual(created.vms.map(({ name, outcome }) => `${name} ${outcome}`), [
        "worker01 created",
        "worker02 rolled-back",
        "worker03 created",
      ]);
      const again = await manager.createVmType(CONFIG, "worker", 5920);
      assert.deepEqual(again.vms.map(({ outcome }) => outcome), ["kept", "created", "kept"]);
      const kinds = [...simulator.store.devices.values()].filter(({ vm }) =>
        simulator.store.vms.get(vm)?.config.name === "worker02"
      ).map(({ attributes }) => attributes.dtype);
      assert.deepEqual(kinds, ["DISPLAY", "CDROM", "NIC", "NIC", "DISK", "DISK"]);
      const destroyed = await manager.destroyManagedVms(["worker"], { shutdown: true });
      assert.equal(destroyed.status, "done", JSON.stringify(destroyed.vms));
      assert.deepEqual(new Set(simulator.store.datasets.keys()), before);
      assert.equal(simulator.store.vms.size, 2);
    });
  }
}

for (const version of VERSIONS) {
  Deno.test(`changes made elsewhere are noticed on ${version}`, async () => {
    await using lab = await startLab(version, "ws");
    const { simulator, manager } = lab;
    await manager.inventory.live.ready();
    const [vm] = simulator.store.vms.values();
    const seen = Promise.withResolvers<string>();
    manager.inventory.live.onChange((change) => {
      if (change.type === "changed" && change.vm.id === vm?.id) seen.resolve(change.vm.state);
    });
    await using other = new VMManager({ host: simulator.url, username: "admin", password: "truenas" });
    await other.connect();
    const socket = await callDirectly(
      simulator,
      version,
      vm?.state === "RUNNING" ? "vm.poweroff" : "vm.start",
      [vm?.id],
    );
    assert.equal(await seen.promise, vm?.state);
    socket.close();
  });
}

/** Calls a method on a connection of its own, as the NAS's own page would. */
async function callDirectly(
  simulator: Simulator,
  version: SimulatedVersion,
  method: string,
  params: readonly unknown[],
): Promise<WebSocket> {
  const legacy = version.startsWith("24.");
  const socket = new WebSocket(`${simulator.url}${legacy ? "/websocket" : "/api/current"}`);
  const say = (frame: object) => socket.send(JSON.stringify(frame));
  await new Promise((resolve) => socket.onopen = resolve);
  const answer = () => new Promise((resolve) => socket.onmessage = resolve);
  if (legacy) {
    say({ msg: "connect", version: "1", support: ["1"] });
    await answer();
  }
  const call = async (id: number, name: string, args: readonly unknown[]) => {
    say(
      legacy
        ? { msg: "method", id: String(id), method: name, params: args }
        : { jsonrpc: "2.0", id, method: name, params: args },
    );
    await answer();
  };
  await call(1, "auth.login", ["admin", "truenas"]);
  await call(2, method, params);
  return socket;
}

Deno.test("the newest known API is used, with a notice if the NAS has a newer one", async () => {
  for (
    const [version, newerApiVersion, apiVersion, notice] of [
      ["25.10", undefined, "current", null],
      ["24.10", undefined, "legacy", null],
      ["27.0", "v28.0.0", "v27.0.0", /v28\.0\.0 is newer than this program, which uses v27\.0\.0/],
    ] as const
  ) {
    await using simulator = await startSimulator({
      version,
      times: TEST_TIMES,
      ...(newerApiVersion === undefined ? {} : { newerApiVersion }),
    });
    await using manager = new VMManager({ host: simulator.url, username: "admin", password: "truenas" });
    await manager.connect();
    const state = manager.connection.state;
    assert.ok(state.kind === "live");
    assert.equal(state.nas.apiVersion, apiVersion);
    if (notice === null) assert.equal(state.nas.notice, null);
    else assert.match(state.nas.notice ?? "", notice);
  }
});

const REMEMBERED_MS = 400;

Deno.test("a hundred cuts leave one session, no leak, and no more logins than allowed", async () => {
  const logins = { most: 5, withinMs: REMEMBERED_MS };
  await using simulator = await startSimulator({ times: TEST_TIMES, rateWindowMs: REMEMBERED_MS });
  await using manager = new VMManager({
    host: simulator.url,
    username: "admin",
    password: "truenas",
    backoffMs: [1],
    logins,
  });
  await manager.connect();
  await manager.inventory.live.ready();
  const CUTS = 100;
  for (let cut = 0; cut < CUTS; cut++) {
    simulator.cutConnections();
    await manager.list();
  }
  assert.equal(simulator.connections, 1);
  const made = simulator.calls.filter(({ method }) => method === "auth.login_ex");
  assert.equal(made.length, CUTS + 1, "one login for each connection");
  assert.ok(
    made.every(({ answer }) => answer !== undefined && "result" in answer),
    "none was refused as too many",
  );
  const told = Promise.withResolvers<void>();
  manager.inventory.live.onChange(({ type }) => type === "changed" && told.resolve());
  await (await callDirectly(simulator, "25.10", "vm.create", [{ name: "late", memory: 256 }])).close();
  await told.promise;
});

Deno.test("a stopped NAS process is noticed, and used again when it continues", async () => {
  const main = fileURLToPath(new URL("../../../main.ts", import.meta.url));
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-prompt", main, "simulate", "--vms", "1"],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let said = "";
  while (!/ws:\/\/\S+/.test(said)) said += (await reader.read()).value ?? "";
  const host = /ws:\/\/\S+/.exec(said)?.[0] ?? "";
  const manager = new VMManager({ host, username: "admin", password: "truenas", backoffMs: [50] });
  try {
    await manager.connect();
    await manager.inventory.live.ready();
    const lost = Promise.withResolvers<void>();
    const back = Promise.withResolvers<void>();
    manager.connection.onState(({ kind }) => {
      if (kind === "reconnecting") lost.resolve();
      if (kind === "live") back.resolve();
    });
    child.kill("SIGSTOP");
    await lost.promise;
    child.kill("SIGCONT");
    await back.promise;
    assert.equal((await manager.list()).length, 1);
  } finally {
    child.kill("SIGCONT");
    await manager.disconnect();
    child.kill("SIGKILL");
    await child.status;
    await reader.cancel();
  }
});

Deno.test("an account with a one-time password signs in once, and reconnects without another", async () => {
  const accounts = [{ username: "otp", password: "otp-pw", roles: ["FULL_ADMIN"], otp: "123456" }];
  for (const version of ["25.10", "27.0"] as const) {
    await using simulator = await startSimulator({ version, times: TEST_TIMES, accounts });
    let asked = 0;
    await using manager = new VMManager({
      host: simulator.url,
      username: "otp",
      password: "otp-pw",
      backoffMs: [5],
      askOtp: () => {
        asked++;
        return Promise.resolve("123456");
      },
    });
    await manager.connect();
    simulator.cutConnections();
    await manager.list();
    assert.equal(asked, 1, "the token of the first login spares a second one-time password");
  }
});

Deno.test("a wrong one-time password can be corrected up to 25.10, and ends the sign-in from 26 on", async () => {
  const accounts = [{ username: "otp", password: "otp-pw", roles: ["FULL_ADMIN"], otp: "123456" }];
  const attempt = async (version: SimulatedVersion) => {
    await using simulator = await startSimulator({ version, times: TEST_TIMES, accounts });
    const codes = ["000000", "123456"];
    const askOtp = () => Promise.resolve(codes.shift() ?? "");
    await using manager = new VMManager({ host: simulator.url, username: "otp", password: "otp-pw", askOtp });
    return await manager.connect().then(() => null, (error: unknown) => error);
  };
  assert.equal(await attempt("25.10"), null);
  const refused = await attempt("27.0");
  assert.ok(refused instanceof TrueNASConnectionError);
  assert.equal(refused.failure, "otp");
  assert.match(refused.message, /does not accept the one-time password/);
});

Deno.test("missing roles are reported, each with what fails without it", async () => {
  const accounts = [{ username: "vm", password: "vm-pw", roles: ["VM_WRITE", "DATASET_READ"] }];
  for (const version of ["24.10", "25.10", "27.0"] as const) {
    await using simulator = await startSimulator({ version, times: TEST_TIMES, accounts });
    await using manager = new VMManager({ host: simulator.url, username: "vm", password: "vm-pw" });
    await manager.connect();
    assert.deepEqual(manager.connection.missingRoles.map(({ role, essential }) => [role, essential]), [
      ["VM_DEVICE_READ", false],
      ["VM_DEVICE_WRITE", true],
      ["DATASET_WRITE", false],
      ["DATASET_DELETE", false],
      ["SNAPSHOT_READ", false],
      ["SNAPSHOT_WRITE", false],
      ["SNAPSHOT_DELETE", false],
      ["FILESYSTEM_ATTRS_READ", false],
      ["CLOUD_SYNC_WRITE", false],
      ["REPORTING_READ", false],
    ]);
  }
});
