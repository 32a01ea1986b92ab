/**
 * Protects what `create` does on the command line about VMs that exist and differ: nothing without --yes, stopped VMs with
 * it, running ones only with the option that says how, and a replacement only by its name.
 */
import assert from "node:assert/strict";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";
import { withCommandLine } from "../../support/program/command_line.ts";
import { worker, workersOf, writes } from "../../support/vms/changing.ts";

const LARGER = TEST_CONFIG.replace(/(worker:[^]*?memory: )2048/, "$14096");
const SMALLER = TEST_CONFIG.replace("data: 50", "data: 40");

for (const version of ["24.10", "27.0"] as const) {
  Deno.test(`create changes what its options say, and tells which option the rest takes, on ${version}`, () =>
    withCommandLine(async ({ simulator, folder, run }) => {
      await Deno.writeTextFile(`${folder}/larger.yaml`, LARGER);
      const larger = ["worker", "--config", "larger.yaml"];
      assert.equal((await run("create", "worker")).code, 0);
      worker(simulator, "worker01").state = "STOPPED";
      const memory = () => workersOf(simulator).map(({ config }) => config.memory);
      assert.equal((await run("plan", ...larger, "--detailed-exitcode")).code, 3);
      const before = simulator.calls.length;
      const asked = await run("create", ...larger);
      assert.equal(asked.code, 0, asked.err);
      assert.match(
        asked.out,
        /Left as they are: 1 stopped VM: add --yes; 2 running VMs: add --yes and --at-next-start or --restart/,
      );
      assert.match(
        asked.out,
        /worker01 +kept +.*not selected to be changed: memory is 2 GiB, configured 4 GiB/,
      );
      assert.deepEqual([memory(), writes(simulator, before)], [[2048, 2048, 2048], []]);
      const stopped = await run("create", ...larger, "--yes");
      assert.equal(stopped.code, 0, stopped.err);
      assert.match(stopped.out, /worker01 change: done, memory 2 GiB → 4 GiB/);
      assert.deepEqual(memory(), [4096, 2048, 2048]);
      const restarted = await run("create", ...larger, "--yes", "--restart", "--json");
      assert.equal(restarted.code, 0, restarted.err);
      const { vms, steps } = JSON.parse(restarted.out);
      assert.deepEqual(vms.map(({ outcome }: { outcome: string }) => outcome), [
        "kept",
        "changed",
        "changed",
      ]);
      assert.ok(steps.some(({ step }: { step: string }) => step === "stop"));
      assert.deepEqual(memory(), [4096, 4096, 4096]);
      assert.equal((await run("plan", ...larger, "--detailed-exitcode")).code, 0);
      const back = await run("create", "worker", "--yes", "--at-next-start");
      assert.equal(back.code, 0, back.err);
      assert.match(back.out, /worker02 +changed +memory 4 GiB → 2 GiB\. It takes effect at its next start/);
      assert.deepEqual(memory(), [2048, 2048, 2048]);
      assert.deepEqual(workersOf(simulator).map(({ state }) => state), ["STOPPED", "RUNNING", "RUNNING"]);
    }, { version }));
}

Deno.test("options that contradict each other or confirm too little are refused before anything is sent", () =>
  withCommandLine(async ({ simulator, folder, run }) => {
    await Deno.writeTextFile(`${folder}/smaller.yaml`, SMALLER);
    assert.equal((await run("create", "worker")).code, 0);
    const before = simulator.calls.length;
    const cases: readonly (readonly [args: readonly string[], says: RegExp])[] = [
      [["--yes", "--at-next-start", "--restart"], /--at-next-start and --restart exclude each other/],
      [["--restart"], /--restart changes VMs that exist, so it requires --yes/],
      [["--at-next-start"], /--at-next-start changes VMs that exist, so it requires --yes/],
      [["--yes", "--restart=0"], /--restart must be a whole number/],
      [["--replace", "worker01"], /Nothing was replaced; add --yes/],
    ];
    for (const [args, says] of cases) {
      const { code, err } = await run("create", "worker", ...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(err, says);
    }
    assert.equal(simulator.calls.length, before);
    for (const name of ["worker01", "nobody01"]) {
      const { code, err } = await run("create", "worker", "--yes", "--replace", name);
      assert.equal(code, 2, err);
      assert.match(err, new RegExp(`--replace: ${name} was selected to replace, which .*Nothing was sent`));
    }
    assert.deepEqual(writes(simulator, before), []);
    const kept = await run("create", "worker", "--config", "smaller.yaml", "--yes");
    assert.equal(kept.code, 0, kept.err);
    assert.match(kept.out, /worker01, which only replacing settles: add --replace worker01/);
    assert.deepEqual(writes(simulator, before), [], "--yes alone replaces nothing");
    const replaced = await run(
      "create",
      "worker",
      "--config",
      "smaller.yaml",
      "--yes",
      "--replace",
      "worker02",
    );
    assert.match(replaced.out, /worker02 +replaced/);
    assert.match(replaced.out, /worker01 +kept/);
  }));
