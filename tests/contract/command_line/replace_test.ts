/**
 * Protects `replace TYPE`: VMs are made anew one after another, with what plans keep kept; it stops at the first that does not
 * come up or whose hook fails, a majority stays where the type needs one, and only its hook may run a program.
 */
import assert from "node:assert/strict";
import { readArguments } from "../../../lib/command_line/arguments.ts";
import { type ReplaceCommand, replaceVms } from "../../../lib/command_line/commands/replace_command.ts";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { fromFlat } from "../../../lib/configuration/flat_configuration.ts";
import { permissionsOf } from "../../../lib/configuration/permissions.ts";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { pathServerWhenNeeded } from "../../../lib/secret_paths/path_server.ts";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { GIB } from "../../../lib/units.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { credentials, type Lab, vmNamed, withLab, workers } from "../../support/lab.ts";
import { withCommandLine } from "../../support/program/command_line.ts";
import { TYPES } from "../../support/vms/changing.ts";

const ALL: ReplaceCommand = { type: "worker", atATime: 1, hook: null, names: null, force: false, yes: true };

/** Replaces workers of this kind; the lines that it printed. */
async function replaced(
  { manager }: Lab,
  type: Partial<VmTypeSection>,
  command: Partial<ReplaceCommand> = {},
): Promise<{ readonly success: boolean; readonly lines: readonly string[] }> {
  const lines: string[] = [];
  const line = (text: string) => void lines.push(text);
  const terminal = { print: line, printFile: line, notify: line, ask: null, json: false };
  const request = { configuration: fromFlat(workers(type)), types: TYPES };
  const given = { command: { ...ALL, ...command }, request };
  return { success: await replaceVms(manager, given, terminal, new AbortController().signal), lines };
}

async function refused(
  lab: Lab,
  type: Partial<VmTypeSection>,
  command: Partial<ReplaceCommand>,
): Promise<string> {
  const before = uuids(lab);
  try {
    await replaced(lab, type, command);
  } catch (error) {
    assert.ok(error instanceof ConfigurationError, String(error));
    assert.deepEqual(uuids(lab), before);
    return error.message;
  }
  return assert.fail("nothing was refused");
}

function uuids({ simulator }: Pick<Lab, "simulator">): (string | undefined)[] {
  return ["worker01", "worker02", "worker03"].map((name) => vmNamed(simulator, name)?.config.uuid as string);
}

function make({ manager }: Lab, type: Partial<VmTypeSection>) {
  return manager.create({ configuration: workers(type), types: TYPES });
}

Deno.test("the program replaces workers one after another, calls its hook around each, and stops where that fails", () =>
  withCommandLine(async ({ simulator, run }) => {
    assert.equal((await run("create", "worker")).code, 0);
    const before = uuids({ simulator });
    const data = simulator.store.datasets.get("tank/vms/worker01-disk1");
    const root = simulator.store.datasets.get("tank/vms/worker01-disk0");
    assert.ok(data !== undefined && root !== undefined);
    const asked = await run("replace", "worker");
    assert.equal(asked.code, 2);
    assert.match(asked.err, /Nothing was replaced; add --yes/);
    const hook =
      'echo "$PHASE $VM of $TYPE, $API_PASSWORD."; echo more >&2; ! [ "$PHASE $VM" = "before worker02" ]';
    const { code, out } = await run("replace", "worker", "--yes", "--drain", hook);
    assert.equal(code, 1, out);
    const order = [
      "worker01 hook: before worker01 of worker, .",
      "worker01 remove: done",
      "worker01 start: done",
      "worker01 hook: after worker01 of worker, .",
      "worker02 hook: before worker02 of worker, .",
      "worker02 hook: ended with exit code 1",
      "Stopped at worker02; not replaced: worker03.",
    ].map((text) => out.indexOf(text));
    assert.deepEqual(order, order.toSorted((a, b) => a - b), out);
    assert.ok(!order.includes(-1), out);
    assert.match(out, /go on with: replace worker --vm worker02 --vm worker03/);
    assert.match(out, /worker01 hook: more/);
    const after = uuids({ simulator });
    assert.deepEqual(after.map((uuid, n) => uuid === before[n]), [false, true, true]);
    assert.equal(simulator.store.datasets.get("tank/vms/worker01-disk1"), data, "the data stay");
    assert.notEqual(simulator.store.datasets.get("tank/vms/worker01-disk0"), root);
    const rest = await run(
      "replace",
      "worker",
      "--yes",
      "--vm",
      "worker02",
      "--vm",
      "worker03",
      "--at-a-time",
      "2",
      "--json",
    );
    assert.equal(rest.code, 0, rest.err);
    assert.equal(JSON.parse(rest.out).operations[0].status, "done");
    assert.deepEqual(uuids({ simulator }).map((uuid, n) => uuid === before[n]), [false, false, false]);
  }));

Deno.test("a majority of a type with quorum stays, unless it is forced", () =>
  withLab({}, async (lab) => {
    const type = { count: 3, quorum: true, disk: { root: 10 } };
    await make(lab, type);
    assert.match(
      await refused(lab, type, { atATime: 2 }),
      /2 of its 3 VMs have to run at any time, and only 1 would; replace fewer at a time/,
    );
    assert.match(
      await refused(lab, { ...type, count: 2 }, {}),
      /quorum: true and 2 VMs, so no majority stays.*--force/,
    );
    const other = vmNamed(lab.simulator, "worker03");
    assert.ok(other);
    other.state = "STOPPED";
    assert.match(
      await refused(lab, type, { names: ["worker01"] }),
      /only 1 would; .*start those that are off/,
    );
    const before = uuids(lab);
    const forced = await replaced(lab, type, { names: ["worker01"], force: true });
    assert.ok(forced.success, forced.lines.join("\n"));
    assert.deepEqual(uuids(lab).map((uuid, n) => uuid === before[n]), [false, true, true]);
  }));

Deno.test("what replace cannot do is refused before anything is sent", () =>
  withLab({}, async (lab) => {
    const type = { count: 3, disk: { root: 10 } };
    await make(lab, { ...type, count: 2 });
    assert.match(await refused(lab, type, {}), /worker03 does not exist; run create worker first/);
    assert.match(
      await refused(lab, { ...type, count: 2 }, { names: ["worker09"] }),
      /worker has no VM worker09/,
    );
    const foreign = vmNamed(lab.simulator, "worker02");
    assert.ok(foreign);
    foreign.config = { ...foreign.config, description: "mine" };
    assert.match(await refused(lab, { ...type, count: 2 }, {}), /worker02: .*Nothing was sent/);
  }));

Deno.test("only a hook that is a command may run a program, and a URL only be reached", () => {
  const permissions = (...args: string[]) => {
    const call = readArguments(["replace", "worker", ...args]);
    assert.ok(call.command === "replace");
    const started = {
      configFile: "config.yaml",
      configTarget: null,
      tunnelSockets: [],
      innerPort: 0,
      settings: null,
    };
    return permissionsOf({ ...started, command: call.command, options: call.options });
  };
  assert.equal(permissions().run, false);
  assert.deepEqual(permissions("--drain", "kubectl drain $VM").run, ["/bin/sh"]);
  const url = permissions("--drain", "https://hooks.lan:8443/drain");
  assert.deepEqual([url.run, url.net], [false, ["hooks.lan:8443"]]);
});

Deno.test("a hook that is a URL gets the VM and the phase, and its failure stops the rest", () =>
  withLab({}, async (lab) => {
    const type = { count: 2, disk: { root: 10 } };
    await make(lab, type);
    const asked: unknown[] = [];
    await using server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const { vm, phase } = await request.json();
        asked.push(`${request.method} ${phase} ${vm}`);
        return new Response("drained\n", { status: vm === "worker02" ? 503 : 200 });
      },
    );
    const host = `127.0.0.1:${server.addr.port}`;
    const { success, lines } = await replaced(lab, type, {
      hook: { kind: "url", url: `http://${host}/`, host },
    });
    assert.equal(success, false);
    assert.deepEqual(asked, ["POST before worker01", "POST after worker01", "POST before worker02"]);
    assert.ok(lines.includes("worker02 hook: answered with status 503"), lines.join("\n"));
    assert.ok(lines.includes("worker01 hook: drained"));
  }));

Deno.test("each VM answers with a seed of its own before the next one is replaced, as another machine of the same name", async () => {
  const guests = { bootMs: 20, setupMs: 20, retryMs: 1 };
  await using simulator = await startSimulator({ times: TEST_TIMES, version: "25.10", guests });
  addFile(simulator.store, "/mnt/tank/images/debian.qcow2", { head: qcow2Head(2 * GIB) });
  await using paths = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 });
  await using manager = new VMManager({ ...credentials(simulator), paths, simulated: true });
  await manager.connect();
  const { configuration } = parseConfigurationFile({
    source: "config.yaml",
    text: `storage: { pool_path: tank/vms }
images: { debian: { path: /mnt/tank/images/debian.qcow2 } }
worker:
  count: 2
  memory: 1024
  cpu: 1
  image: debian
  disk: { root: 10 }
  network: { lan: br0 }
  seed: { kind: cloud-init, user: ops }
  ready: { when: phone-home, timeout: 30s }
`,
  });
  const request = { configuration, types: TYPES };
  const made = await manager.operations.create(request);
  assert.equal(made.status, "done", JSON.stringify(made.vms));
  const before = uuids({ simulator });
  const lines: string[] = [];
  const line = (text: string) => void lines.push(text);
  const terminal = { print: line, printFile: line, notify: line, ask: null, json: false };
  const signal = new AbortController().signal;
  assert.ok(await replaceVms(manager, { command: ALL, request }, terminal, signal), lines.join("\n"));
  const at = (text: string) => lines.findIndex((line) => line.startsWith(text));
  assert.ok(at("worker01 ready: done") > at("worker01 seed: done"), lines.join("\n"));
  assert.ok(at("worker02 verify") > at("worker01 ready: done"), lines.join("\n"));
  assert.ok(at("worker02 ready: done") > 0);
  for (const [n, uuid] of uuids({ simulator }).slice(0, 2).entries()) assert.notEqual(uuid, before[n]);
});
