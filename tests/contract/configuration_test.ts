/**
 * Protects config.yaml in the running program: edits apply without a restart, mistakes are reported with their line,
 * and nothing invalid gets through.
 */
import assert from "node:assert/strict";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/dashboard.ts";
import { text } from "../support/http.ts";
import { startProgram, withFolder } from "../support/program.ts";

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
