/** Protects `create` on the command line: it stays until guests have fetched their seeds, for nobody serves them afterwards. */
import assert from "node:assert/strict";
import { create } from "../../../lib/command_line/commands/vm_commands.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { fromFlat } from "../../../lib/configuration/flat_configuration.ts";
import { seedArgumentOf } from "../../../lib/first_boot/command_line_args.ts";
import {
  type PathServer,
  pathServerWhenNeeded,
  startPathServer,
} from "../../../lib/secret_paths/path_server.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { repeatedly } from "../../support/deadline.ts";
import { credentials, vmNamed, workers } from "../../support/lab.ts";

interface Command {
  readonly simulator: Simulator;
  readonly lines: string[];
  readonly stop: AbortController;
  readonly ended: Promise<boolean>;
}

/** Runs `create` for one worker; the result is the NAS afterwards. */
async function withCreate(
  test: (command: Command) => Promise<void>,
  { paths = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 }) }: { readonly paths?: PathServer } = {},
): Promise<Simulator> {
  const simulator = await startSimulator({ times: TEST_TIMES, version: "27.0" });
  await using stopped = simulator;
  await using manager = new VMManager({ ...credentials(simulator), paths, simulated: true });
  await manager.connect();
  const lines: string[] = [];
  const notify = (line: string) => void lines.push(line);
  const terminal = { print: notify, printFile: notify, notify, ask: null, json: false };
  const stop = new AbortController();
  const configuration = fromFlat(
    workers({ count: 1, seed: { kind: "cloud-init", ssh_keys: [KEY] }, ready: { when: "none" } }),
  );
  const request = { configuration, types: [{ type: "worker", startPort: 5920 }] };
  const selecting = { yes: true, atNextStart: false, restart: undefined, replace: [] };
  const ended = create(manager, { request, ...selecting }, terminal, stop.signal);
  await test({ simulator, lines, stop, ended });
  await manager.disconnect();
  await paths[Symbol.asyncDispose]();
  return stopped;
}

const KEY =
  "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILrlyaWhT3Z2bEKUcxGZI0cRrxNnFLCqQxjvTbOwVNj+ ops@example.org";

function urlOf(simulator: Simulator): string | null {
  return seedArgumentOf(String(vmNamed(simulator, "worker01")?.config.command_line_args ?? ""))?.url ?? null;
}

Deno.test("create stays until the guest has fetched all of its seed, and takes the address from the VM", async () => {
  const simulator = await withCreate(async ({ simulator, lines, ended }) => {
    await repeatedly(
      "it waits",
      () => Promise.resolve(lines.some((line) => /^Waiting until/.test(line)) || null),
    );
    const url = urlOf(simulator) ?? "";
    for (const file of ["meta-data", "user-data", "vendor-data"]) {
      const response = await fetch(`${url}${file}`);
      assert.equal(response.status, 200);
      await response.body?.cancel();
    }
    assert.equal(await ended, true);
    const text = lines.join("\n");
    assert.match(
      text,
      /First configuration \(seed\) of worker: cloud-init, by URL, because guests can fetch it .*; keys: ssh-ed25519 …TbOwVNj\+ ops@example\.org \(inline\)/,
    );
    assert.match(text, /Waiting until 1 guest has fetched its[\s\S]*worker01: seed fetched by 127\.0\.0\.1/);
    assert.ok(!text.includes(url), "the address is not printed");
  });
  assert.equal(vmNamed(simulator, "worker01")?.config.command_line_args, "");
});

Deno.test("create that is stopped while it waits says which guests have no seed, and ends as failed", async () => {
  await withCreate(async ({ lines, stop, ended }) => {
    await repeatedly(
      "it waits",
      () => Promise.resolve(lines.some((line) => /^Waiting until/.test(line)) || null),
    );
    stop.abort();
    assert.equal(await ended, false);
    assert.match(lines.join("\n"), /worker01: not waited for; its guest cannot fetch its seed any longer/);
  });
});

Deno.test("create with a taken SEED_PORT says so before anything is created", async () => {
  await using other = await startPathServer({ host: "127.0.0.1", port: 0 });
  const paths = pathServerWhenNeeded({ host: "127.0.0.1", port: other.port });
  await withCreate(async ({ simulator, ended }) => {
    await assert.rejects(ended, (error) => {
      assert.ok(error instanceof ConfigurationError);
      assert.match(error.message, /Port \d+ is in use/);
      return true;
    });
    assert.equal(simulator.store.vms.size, 0);
  }, { paths });
});
