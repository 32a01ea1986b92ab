/**
 * Protects the service from unhandled errors: each is logged, and none ends it. The program itself runs, with injected
 * code that fails in every way that no caller notices.
 */
import assert from "node:assert/strict";
import { FAULT } from "../../lib/errors/unhandled_errors.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { startAttacked } from "../support/program/attacked.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { text } from "../support/pages/http.ts";
import { withFolder } from "../support/program/program.ts";

const WAYS: Readonly<Record<string, string>> = {
  "a rejected promise": `Promise.reject(new Error("stray-a"))`,
  "a timer": `throw new Error("stray-b")`,
  "a listener": `
    const target = new EventTarget();
    target.addEventListener("x", () => { throw new Error("stray-c"); });
    target.dispatchEvent(new Event("x"));`,
  "an async listener": `
    const target = new EventTarget();
    target.addEventListener("x", async () => { throw new Error("stray-d"); });
    target.dispatchEvent(new Event("x"));`,
  "an emitter of Node": `new EventEmitter().emit("error", new Error("stray-e"))`,
  "a value that is no error": `Promise.reject("stray-f")`,
};

Deno.test("an unhandled error is logged and never ends the service (fault 16)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const timers = Object.values(WAYS).map((way) => `setTimeout(() => {${way}}, 1_500);`);
    const program = await startAttacked(simulator, folder, {
      expectFaults: true,
      code: `import { EventEmitter } from "node:events";\n${timers.join("\n")}`,
    });
    const strays = () => new Set(program.said().match(/stray-[a-f]/g));
    while (strays().size < timers.length) assert.match(await text(fetch(program.url)), /<main/);
    assert.match(await text(fetch(program.url)), /<main/);
    assert.ok(program.said().split(FAULT).length > timers.length, program.said());
    assert.equal((await program.stop("SIGTERM")).code, 0);
  }));
