/**
 * Protects config.yaml in the running program: edits apply without a restart, mistakes are reported with their line,
 * and nothing invalid gets through.
 */
import assert from "node:assert/strict";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { text } from "../support/pages/http.ts";
import { START_FLAGS } from "../support/program/attacked.ts";
import { type Program, startProgram, withFolder } from "../support/program/program.ts";

Deno.test("edits to config.yaml apply without a restart, and mistakes are reported with their line", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const program = await startProgram(simulator, folder);
    const file = `${folder}/config.yaml`;
    const edits: readonly [string, number, RegExp][] = [
      [TEST_CONFIG, 200, /name="worker\.count"[^>]* value="3"/],
      [TEST_CONFIG.replace("count: 3", "count: 7"), 200, /name="worker\.count"[^>]* value="7"/],
      [TEST_CONFIG.replace("count: 3", "count: [3"), 422, /line \d+, column \d+: [^<]*sequence/],
      [
        TEST_CONFIG.replace("count: 3", "count: many"),
        422,
        /line 12, column 10: worker\.count: Count must be/,
      ],
      [
        TEST_CONFIG.replace("root: 20, data", "__proto__: 20, data"),
        422,
        /line \d+, column \d+: [^<]*__proto__/,
      ],
      [TEST_CONFIG.replace("count: 3", "count: 5"), 200, /name="worker\.count"[^>]* value="5"/],
    ];
    for (const [yaml, status, wanted] of edits) {
      await Deno.writeTextFile(file, yaml);
      const page = await fetch(`${program.url}/create`);
      assert.equal(page.status, status, yaml);
      assert.match(await text(page), wanted);
    }
    await Deno.remove(file);
    const page = await fetch(`${program.url}/create`);
    assert.equal(page.status, 422);
    assert.match(await text(page), /No such file/);
    assert.deepEqual((await program.stop("SIGTERM")).code, 0);
  }));

const GPU = { name: "gpu", count: "2", memory: "2048", cpu: "2" };

async function save({ url }: Program, fields: Readonly<Record<string, string>>): Promise<number> {
  const answer = await fetch(`${url}/types`, {
    method: "POST",
    body: new URLSearchParams(fields),
    headers: { origin: url },
    redirect: "manual",
  });
  await answer.body?.cancel();
  return answer.status;
}

Deno.test("the running program saves into its own file, through links, with its mode, and keeps what was there", () =>
  withFolder("", async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const target = `${folder}/elsewhere.yaml`;
    await Deno.writeTextFile(target, `${TEST_CONFIG}# mine\n`, { mode: 0o600 });
    await Deno.remove(`${folder}/config.yaml`);
    await Deno.symlink("elsewhere.yaml", `${folder}/config.yaml`);
    const program = await startProgram(simulator, folder, { flags: START_FLAGS });
    assert.equal(await save(program, GPU), 303);
    const saved = await Deno.readTextFile(target);
    assert.match(saved, /\ngpu:\n {2}count: 2\n/);
    assert.match(saved, /\n# mine\n/);
    assert.equal(((await Deno.stat(target)).mode ?? 0) & 0o777, 0o600);
    assert.ok((await Deno.lstat(`${folder}/config.yaml`)).isSymlink);
    const kept = (await Array.fromAsync(Deno.readDir(`${folder}/state/configuration`))).map(({ name }) =>
      name
    );
    assert.equal(kept.length, 1);
    assert.equal(
      await Deno.readTextFile(`${folder}/state/configuration/${kept[0]}`),
      `${TEST_CONFIG}# mine\n`,
    );
    assert.deepEqual((await program.stop("SIGTERM")).code, 0);
  }));

Deno.test("without config.yaml the program starts, says so, and the first type creates the file", () =>
  withFolder("", async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    await Deno.remove(`${folder}/config.yaml`);
    const program = await startProgram(simulator, folder, { flags: START_FLAGS });
    assert.match(program.said(), /There is no config\.yaml yet/);
    assert.match(await text(fetch(`${program.url}/types`)), /No VM types yet/);
    for (const path of ["/", "/create", "/destroy", "/export"]) {
      const page = await fetch(program.url + path);
      await page.body?.cancel();
      assert.ok(page.status < 500, path);
    }
    const storage = { "storage.pool_path": "tank/vms", "storage.cdrom_path": "/mnt/tank/iso/debian.iso" };
    assert.equal(await save(program, { ...GPU, ...storage }), 303);
    assert.match(await Deno.readTextFile(`${folder}/config.yaml`), /^storage:[^]*\ngpu:\n/);
    assert.match(await text(fetch(`${program.url}/create`)), /name="gpu\.count"/);
    assert.deepEqual((await program.stop("SIGTERM")).code, 0);
  }));

Deno.test("the demo saves to a copy in memory and leaves config.yaml alone", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    const program = await startProgram({ url: "" }, folder, { command: "demo" });
    assert.equal(await save(program, GPU), 303);
    assert.match(await text(fetch(`${program.url}/create`)), /name="gpu\.count"/);
    assert.equal(await Deno.readTextFile(`${folder}/config.yaml`), TEST_CONFIG);
    assert.deepEqual((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name), ["config.yaml"]);
    assert.deepEqual((await program.stop("SIGTERM")).code, 0);
  }));
