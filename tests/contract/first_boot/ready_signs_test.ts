/**
 * Protects how nodes are known to be ready where this program serves them: cloud-init's report at the seed server, `create
 * --wait-ready` on the command line, and plans that say when no sign can ever come.
 */
import assert from "node:assert/strict";
import { create } from "../../../lib/command_line/commands/vm_commands.ts";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import { fromFlat } from "../../../lib/configuration/flat_configuration.ts";
import { seedArgumentOf } from "../../../lib/first_boot/command_line_args.ts";
import { pathServerWhenNeeded } from "../../../lib/secret_paths/path_server.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { soon, until } from "../../support/deadline.ts";
import { credentials, vmNamed, withLab, workers } from "../../support/lab.ts";

const KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrlyaWhT3Z2bEKUcxGZI0cRrxNnFLCqQxjvTbOwVNj+ ops@example.org";
const SEED = { kind: "cloud-init", ssh_keys: [KEY] } as const;

async function withSeeds(test: (lab: { simulator: Simulator; manager: VMManager }) => Promise<void>) {
  await using paths = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 });
  await using simulator = await startSimulator({ times: TEST_TIMES, version: "25.10" });
  await using manager = new VMManager({ ...credentials(simulator), paths, simulated: true });
  await manager.connect();
  await test({ simulator, manager });
}

function seedOf(simulator: Simulator, name: string): string {
  const args = String(vmNamed(simulator, name)?.config.command_line_args ?? "");
  return seedArgumentOf(args)?.url ?? assert.fail(`${name} has no seed`);
}

async function phone(url: string, fields: Record<string, string>): Promise<void> {
  const response = await fetch(`${url}phone-home`, { method: "POST", body: new URLSearchParams(fields) });
  await response.body?.cancel();
}

function signsOf(manager: VMManager, name: string): readonly string[] {
  const vm = manager.operations.store.list()[0]?.vms.find((it) => it.name === name);
  return vm?.steps.at(-1)?.signs?.map(({ kind }) => kind) ?? [];
}

async function untilSigns(manager: VMManager, name: string, signs: readonly string[]): Promise<void> {
  await until(
    `${name} shows ${signs.join(", ")}`,
    () => signsOf(manager, name).join() === signs.join(),
    (look) => manager.operations.store.onEvent(look),
  );
}

async function untilWaited(manager: VMManager, name: string): Promise<void> {
  await until(
    `${name} is waited for`,
    () =>
      manager.operations.store.list()[0]?.vms.find((it) => it.name === name)?.steps.at(-1)?.status ===
        "running",
    (look) => manager.operations.store.onEvent(look),
  );
}

Deno.test("a node that fetches its seed from here is waited for until its cloud-init reports, by its own instance", () =>
  withSeeds(async ({ simulator, manager }) => {
    const ended = manager.createVmType(workers({ count: 2, seed: SEED }), "worker", 5920);
    await untilWaited(manager, "worker01");
    await untilWaited(manager, "worker02");
    const url = seedOf(simulator, "worker01");
    await (await fetch(`${url}meta-data`)).body?.cancel();
    await untilSigns(manager, "worker01", ["seed-fetched"]);
    await phone(url, { instance_id: "iid-of-the-image", hostname: "debian" });
    await untilSigns(manager, "worker01", ["seed-fetched", "stranger"]);
    const own = String(vmNamed(simulator, "worker01")?.config.uuid);
    await phone(url, { instance_id: own, hostname: "worker01", pub_key_ed25519: KEY });
    await untilSigns(manager, "worker01", ["seed-fetched", "stranger", "phone-home"]);
    // An image that has host keys gives them to each of its nodes.
    const other = String(vmNamed(simulator, "worker02")?.config.uuid);
    const second = seedOf(simulator, "worker02");
    await phone(second, { instance_id: other, hostname: "worker02", pub_key_ed25519: KEY });
    await untilSigns(manager, "worker02", ["stranger"]);
    const [view] = manager.operations.store.list();
    const sign = view?.vms[1]?.steps.at(-1)?.signs?.[0];
    assert.match(sign?.kind === "stranger" ? sign.why : "", /has the SSH host key of worker01/);
    manager.operations.cancel(view?.id ?? "", "keep");
    const result = await soon(ended, "it ends");
    assert.deepEqual(result.vms.map(({ outcome }) => outcome), ["created", "cancelled-kept"]);
  }));

Deno.test("a console that shows the end of cloud-init makes a node ready, beside a person who has it open", () =>
  withLab({ simulator: { version: "25.10" } }, async ({ simulator, manager }) => {
    const ended = manager.createVmType(workers({ count: 1, ready: { when: "console" } }), "worker", 5920);
    await untilWaited(manager, "worker01");
    const serial = await manager.consoles.openSerial(vmNamed(simulator, "worker01")?.id ?? 0);
    let [seen, isClosed] = ["", false];
    const decoder = new TextDecoder();
    serial.listen(
      (data) => void (seen += typeof data === "string" ? data : decoder.decode(data)),
      () => void (isClosed = true),
    );
    // The simulated guest shows what is typed.
    serial.send("ci-info: | enp1s0 | True | 10.0.0.21 | 255.255.255.0 | global | 02:00:5e:00:00:01 |\r");
    serial.send("Cloud-init v. 22.4.2 finished at Tue, 01 Sep 2026 08:00:00 +0000. Up 94.10 seconds\r");
    const { status, operation } = await soon(ended, "it is ready");
    assert.equal(status, "done");
    assert.deepEqual(operation.vms[0]?.steps.at(-1)?.signs?.map(({ kind, address }) => [kind, address]), [
      ["console", "10.0.0.21"],
    ]);
    assert.match(seen, /Cloud-init v/);
    assert.equal(isClosed, false, "the person's console stays open");
    serial.close();
  }));

Deno.test("create --wait-ready waits, prints names, addresses and how each is known, and fails if one does not answer", () => {
  let [isFast, ahead] = [false, 0];
  const clock = () => performance.now() + (isFast ? ahead += 3_600_000 : 0);
  return withLab({ simulator: { version: "27.0" }, manager: { clock } }, async ({ simulator, manager }) => {
    const printed: string[] = [];
    const told: string[] = [];
    const terminal = {
      print: (line: string) => void printed.push(line),
      printFile: () => {},
      notify: (line: string) => void told.push(line),
      ask: null,
      json: true,
    };
    const configuration = fromFlat(workers({ count: 2, ready: { when: "agent" } }));
    const types = [{ type: "worker", startPort: 5920 }];
    const selecting = { yes: false, atNextStart: false, restart: undefined, replace: [] };
    const { signal } = new AbortController();
    const request = { configuration, types, waitReady: true };
    const ended = create(manager, { request, ...selecting }, terminal, signal);
    await untilWaited(manager, "worker01");
    await untilWaited(manager, "worker02");
    Object.assign(vmNamed(simulator, "worker01") ?? {}, { agent: true });
    await untilSigns(manager, "worker01", ["agent"]);
    isFast = true;
    assert.equal(await soon(ended, "the time is over"), false);
    const { status, ready } = JSON.parse(printed.join("")) as {
      status: string;
      ready: Record<string, unknown>[];
    };
    assert.equal(status, "partly-done");
    assert.deepEqual(ready.map(({ name, state, by }) => [name, state, by]), [
      ["worker01", "ready", "agent"],
      ["worker02", "lost", null],
    ]);
    assert.match(String(ready[0]?.["address"]), /^192\.168\.1\.\d+$/);
    assert.match(told.join("\n"), /worker01 ready: guest agent answers, address 192\.168\.1\.\d+/);
  });
});

Deno.test("a plan says when a node can give no sign, and that is no matter where nobody waits", () =>
  withLab({ simulator: { version: "25.10" } }, async ({ manager }) => {
    const findingsOf = async (change: Partial<VmTypeSection>, waitReady = true) => {
      const request = { configuration: workers({ count: 1, ...change }), waitReady };
      const { findings } = await manager.planCreation({
        ...request,
        types: [{ type: "worker", startPort: 5920 }],
      });
      return findings.filter(({ field }) => field === "worker.ready").map(({ message }) => message);
    };
    assert.match(
      (await findingsOf({ ready: { when: "phone-home" } })).join(),
      /no first configuration \(seed\)/,
    );
    assert.match(
      (await findingsOf({ ready: { when: "phone-home" }, seed: SEED })).join(),
      /SEED_HOST is not set/,
    );
    assert.match((await findingsOf({ ready: { when: "agent" } })).join(), /came with 27\.0/);
    assert.match(
      (await findingsOf({ ready: { when: "tcp:22" } })).join(),
      /Nothing tells the addresses of worker/,
    );
    assert.match(
      (await findingsOf({ ready: { when: "tcp:22" }, network: {} })).join(),
      /have no network card, so nothing can be heard of them/,
    );
    assert.deepEqual(await findingsOf({ ready: { when: "console" } }), []);
    assert.deepEqual(await findingsOf({ ready: { when: "tcp:22" } }, false), []);
  }));
