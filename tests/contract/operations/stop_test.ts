/**
 * Protects people who stop or restart the program: running operations finish or can be resumed, open pages are
 * notified, nothing new starts, and the program exits before a service manager would kill it. With processes and real
 * sockets.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import { startDashboard, TEST_CONFIG, TEST_TIMES } from "../../support/pages/dashboard.ts";
import { repeatedly } from "../../support/deadline.ts";
import { post, text } from "../../support/pages/http.ts";
import { beginWorkers, startProgram, withFolder } from "../../support/program/program.ts";

const MAIN = fileURLToPath(new URL("../../../main.ts", import.meta.url));

Deno.test("on SIGTERM the running operation finishes, its page is notified, and the program exits with 0", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: { ...TEST_TIMES, zvolMs: 600 } });
    const program = await startProgram(simulator, folder);
    const path = await beginWorkers(program);
    const stream = await fetch(`${program.url}${path}/events`);
    const streamed = stream.text();
    const { code, signal } = await program.stop("SIGTERM");
    assert.deepEqual([code, signal], [0, null], program.said());
    const messages = await streamed;
    assert.match(messages, /The dashboard is stopping/);
    assert.match(messages, /event: end\ndata: done/);
    assert.match(program.said(), /Stopped/);
    assert.equal(simulator.store.vms.size, 2);
    assert.ok([...simulator.store.vms.values()].every(({ state }) => state === "RUNNING"));
  }));

Deno.test("an operation that cannot finish in time is shown and resumed by the next program", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    simulator.addFault({ method: "pool.dataset.create", action: "stall", moment: "before" });
    const first = await startProgram(simulator, folder);
    const path = await beginWorkers(first);
    const list = await fetch(`${first.url}/events`);
    const streamed = list.text();
    const { code, signal } = await first.stop("SIGTERM");
    assert.deepEqual([code, signal], [0, null], first.said());
    assert.match(await streamed, /The dashboard is stopping/);
    assert.match(first.said(), /Operation not finished. Its page shows it after the next start/);
    simulator.clearFaults();
    const second = await startProgram(simulator, folder, { env: { RESUME: "off" } });
    const page = await text(fetch(second.url + path));
    assert.match(page, /data-status="interrupted"/);
    assert.match(page, /\/resume"/);
    await second.stop("SIGTERM");
  }));

for (const signal of ["SIGTERM", "SIGKILL"] as const) {
  Deno.test(`a creation that ${signal} interrupts goes on by itself after the next start`, () =>
    withFolder(TEST_CONFIG, async (folder) => {
      await using simulator = await startSimulator({ times: TEST_TIMES });
      simulator.addFault({ method: "pool.dataset.create", action: "stall", moment: "before" });
      const first = await startProgram(simulator, folder);
      const path = await beginWorkers(first);
      await first.stop(signal);
      simulator.clearFaults();
      const second = await startProgram(simulator, folder);
      await repeatedly("the creation is resumed", async () => {
        const page = await text(fetch(second.url + path));
        return /This operation was resumed/.test(page) || null;
      });
      await second.stop("SIGTERM");
      const ours = [...simulator.store.vms.values()].filter(({ config }) => /^worker/.test(config.name));
      assert.deepEqual(ours.map(({ state }) => state), ["RUNNING", "RUNNING"]);
    }));
}

Deno.test("while the program stops, no operation starts, and pages say so", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 2 } });
  const stopped = [...dashboard.simulator.store.vms.values()].find(({ state }) => state === "STOPPED");
  dashboard.end();
  const answer = await post(dashboard, `/vms/${stopped?.id}/start`, { state: "STOPPED" });
  assert.equal(answer.status, 503);
  assert.match(await answer.text(), /The dashboard is stopping/);
  assert.match(await text(fetch(dashboard.url)), /The dashboard is stopping/);
  assert.equal(stopped?.state, "STOPPED");
  assert.deepEqual(await dashboard.manager.operations.drain({ finishMs: 1_000, cancelMs: 1_000 }), []);
  assert.throws(
    () =>
      dashboard.manager.changes.act("start", [{
        action: "start",
        id: 1,
        name: "x",
        state: "STOPPED",
        overcommit: false,
      }]),
    /stopping, so nothing was started/,
  );
});

Deno.test("a stop during the start ends the program at once with exit code 0", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    let whileLoading = 0;
    for (let afterMs = 20, ready = false; !ready; afterMs += Math.max(20, afterMs / 8)) {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-prompt", MAIN, "serve"],
        cwd: folder,
        env: {
          TRUENAS_HOST: simulator.url,
          API_USERNAME: "admin",
          API_PASSWORD: "truenas",
          VNC_PASSWORD: "pw",
          STATE_DIR: `${folder}/state`,
          PORT: "0",
        },
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const output = child.output();
      // What is tried is each moment of the start.
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      child.kill("SIGTERM");
      const { code, signal, stdout, stderr } = await output;
      ready = new TextDecoder().decode(stdout).includes("ready at");
      // Before anything listens for it, the signal itself is the end.
      const beforeItListened = signal === "SIGTERM";
      assert.ok(
        beforeItListened || code === 0,
        `after ${afterMs} ms: ${code}, ${new TextDecoder().decode(stderr)}`,
      );
      if (!ready && !beforeItListened) whileLoading++;
    }
    assert.ok(whileLoading > 0, "the premise: one came while modules were being loaded");
  }));
