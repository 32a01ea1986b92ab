/**
 * Protects that the NAS measures its load only while somebody watches, on every release, also over a lost connection; and
 * that a NAS that refuses or has no figures is no error.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { Ajv2020 } from "../../support/packages/ajv.ts";
import { HostLoad, LOAD_EVENTS } from "../../../lib/inventory/host_load.ts";
import { silentLogger } from "../../../lib/observability/logging.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion, SimulatorOptions } from "../../../lib/simulator/types.ts";
import { Session } from "../../../lib/truenas/connection/session.ts";
import { sessionOptionsOf } from "../../../lib/vm_manager_options.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { repeatedly, soon } from "../../support/deadline.ts";

const FAST = { ...TEST_TIMES, measuringSecondMs: 10 } as const;

/** Waits until this is so. */
async function until(isSo: () => boolean): Promise<void> {
  await repeatedly(String(isSo), () => Promise.resolve(isSo() || null));
}

interface Lab extends AsyncDisposable {
  readonly simulator: Simulator;
  readonly session: Session;
  readonly load: HostLoad;
}

async function lab(
  options: SimulatorOptions,
  account = { username: "admin", password: "truenas" },
): Promise<Lab> {
  const simulator = await startSimulator({ times: FAST, foreignVms: 5, ...options });
  const session = new Session({
    ...sessionOptionsOf({ host: simulator.url, ...account }),
    backoffMs: [1],
  });
  await session.connect();
  const load = new HostLoad(session, silentLogger, { absentMs: 200 });
  return {
    simulator,
    session,
    load,
    [Symbol.asyncDispose]: async () => {
      load.close();
      await session.close();
      await simulator.stop();
    },
  };
}

for (const version of ["24.10", "25.04.2", "25.10", "26.0", "27.0"] as const) {
  Deno.test(`${version}: the NAS measures only while somebody watches`, async () => {
    await using nas = await lab({ version });
    const { load, simulator } = nas;
    assert.equal(simulator.measurements, 0);
    const ends = [load.watch(() => {}), load.watch(() => {})];
    await until(() => load.samples.length >= 3);
    const { cpuPercent, memory, network, disks } = load.samples.at(-1) ?? assert.fail();
    assert.ok(cpuPercent !== null && cpuPercent > 0 && cpuPercent <= 100);
    assert.ok(memory !== null && memory.usedBytes + memory.cacheBytes < memory.totalBytes);
    assert.ok(network !== null && network.receivedBytes > 0);
    assert.ok(disks !== null && disks.writtenBytes > 0);
    ends[0]?.();
    const before = load.samples.length;
    await until(() => load.samples.length > before);
    ends[1]?.();
    await until(() => simulator.measurements === 0);
    // What was seen is shown to the next watcher, who gets more.
    const kept = load.samples.length;
    assert.ok(kept > before);
    const end = load.watch(() => {});
    await until(() => load.samples.length > kept);
    end();
    await until(() => simulator.measurements === 0);
    assert.ok(load.isAvailable);
  });
}

Deno.test("after a lost connection the NAS is asked again, once", async () => {
  await using nas = await lab({});
  const { load, simulator, session } = nas;
  load.watch(() => {});
  await until(() => load.samples.length > 0);
  const states: string[] = [];
  session.onState(({ kind }) => states.push(kind));
  simulator.cutConnections();
  await until(() => states.includes("reconnecting") && states.at(-1) === "live");
  const before = load.samples.length;
  await until(() => load.samples.length > before + 1);
  assert.equal(simulator.measurements, 1);
  assert.equal(simulator.calls.filter(({ params }) => params[0] === LOAD_EVENTS).length, 2);
});

Deno.test("watchers that come and go at once leave the NAS measuring only for those who stay", async () => {
  await using nas = await lab({});
  const { load, simulator } = nas;
  for (let n = 0; n < 20; n++) load.watch(() => {})();
  const end = load.watch(() => {});
  await until(() => load.samples.length > 0);
  assert.equal(simulator.measurements, 1);
  const others = [load.watch(() => {}), load.watch(() => {})];
  for (const endAtOnce of [end, ...others]) endAtOnce();
  await until(() => simulator.measurements === 0);
});

Deno.test("an account without the role is not even asked for", async () => {
  const account = { username: "vm", password: "vm-pw", roles: ["VM_WRITE"] };
  await using nas = await lab({ accounts: [account] }, account);
  const { load, simulator } = nas;
  load.watch(() => {});
  assert.equal(load.isAvailable, false);
  assert.ok(!simulator.calls.some(({ params }) => params[0] === LOAD_EVENTS));
});

Deno.test("a refusal ends it without an error, and the watcher is notified", async () => {
  await using nas = await lab({});
  const { load, simulator } = nas;
  simulator.addFault({
    method: "core.subscribe",
    action: "fail",
    error: { errno: 13, errname: "EACCES", reason: "[EACCES] Not authorized" },
  });
  const notified = Promise.withResolvers<void>();
  load.watch(notified.resolve);
  await notified.promise;
  assert.equal(load.isAvailable, false);
  assert.equal(simulator.measurements, 0);
});

for (const version of ["24.10", "25.04.2", "25.10"] as const) {
  Deno.test(`${version}: a NAS whose statistics are down has no load until they run again`, async () => {
    await using nas = await lab({ version });
    const { load, simulator } = nas;
    simulator.store.measuresLoad = false;
    load.watch(() => {});
    await until(() => !load.isAvailable);
    assert.equal(load.samples.length, 0);
    simulator.store.measuresLoad = true;
    await until(() => load.isAvailable);
    assert.ok(load.samples.length > 0);
  });
}

/** The schema of 25.10 misspells the disks; its events do not. */
const SCHEMAS = [
  ["25.10", "v25_10_5", "disls"],
  ["26.0", "v26_0_0", "disks"],
  ["27.0", "v27_0_0", "disks"],
] as const satisfies readonly (readonly [SimulatedVersion, string, string])[];

for (const [version, file, spelling] of SCHEMAS) {
  Deno.test(`${version}: the simulated NAS's events have the shape that TrueNAS documents`, async () => {
    const text = readFileSync(new URL(`../../data/events/${file}.json`, import.meta.url), "utf8");
    const validate = new Ajv2020({ strict: false }).compile(JSON.parse(text).ADDED);
    await using nas = await lab({ version });
    const fields = Promise.withResolvers<Readonly<Record<string, unknown>> | null>();
    nas.session.onEvent((event) => event.collection === LOAD_EVENTS && fields.resolve(event.fields));
    nas.load.watch(() => {});
    const { disks, ...others } = await fields.promise ?? assert.fail("no fields");
    assert.ok(validate({ result: { ...others, [spelling]: disks } }), JSON.stringify(validate.errors));
  });
}

for (const argument of ['{"interval":1}', '{"interval":"2"}', '{"every":2}', "2", "{"]) {
  Deno.test(`the simulated NAS ends a subscription with the arguments ${argument}`, async () => {
    await using nas = await lab({});
    const name = `reporting.realtime:${argument}`;
    const ended = Promise.withResolvers<string>();
    nas.session.onUnsubscribed(ended.resolve);
    assert.equal(typeof await nas.session.call("core.subscribe", [name]), "string");
    assert.equal(await soon(ended.promise, name), name);
    assert.equal(nas.simulator.measurements, 0);
  });
}
