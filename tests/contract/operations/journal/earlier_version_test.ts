/**
 * Protects the history of people who upgrade: a journal that release 0.1.0 wrote, with a creation that ended and one in
 * the middle of which it was killed, is read by this version, which adds to it.
 */
import assert from "node:assert/strict";
import { startSimulator } from "../../../../lib/simulator/simulator.ts";
import { TEST_CONFIG, TEST_TIMES } from "../../../support/pages/dashboard.ts";
import { beginWorkers, startProgram, withFolder } from "../../../support/program/program.ts";

const RECORDED = new URL("../../../data/journal/0.1.0.sqlite", import.meta.url);
/** What 0.1.0 called them. */
const [DONE, KILLED] = ["71e52fb1", "53eaec61"] as const;

interface OperationJson {
  readonly status: string;
  readonly kind: string;
  readonly steps: readonly { readonly vm: string; readonly step: string; readonly status: string }[];
}

Deno.test("a journal of release 0.1.0 is read, and goes on", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await Deno.mkdir(`${folder}/state`, { mode: 0o700 });
    await Deno.copyFile(RECORDED, `${folder}/state/journal.sqlite`);
    // It was killed; its newest events were then moved into the file itself, to have one file to keep.
    await Deno.writeTextFile(`${folder}/state/journal.sqlite-wal`, "");
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const program = await startProgram(simulator, folder, { env: { RESUME: "off" } });
    const read = async (id: string): Promise<OperationJson> =>
      await (await fetch(`${program.url}/operations/${id}`, { headers: { accept: "application/json" } }))
        .json();

    const done = await read(DONE);
    assert.deepEqual([done.kind, done.status], ["create", "done"]);
    const steps = done.steps.map(({ vm, step, status }) => `${vm} ${step} ${status}`).sort();
    const made = ["vm", "display", "cdrom", "nic0", "disk0", "start"];
    assert.deepEqual(steps, made.map((step) => `worker01 ${step} done`).sort());
    assert.equal((await read(KILLED)).status, "interrupted");
    const page = await (await fetch(`${program.url}/operations/${KILLED}`)).text();
    assert.match(page, /data-status="interrupted"/);

    const added = (await beginWorkers(program)).split("/").at(-1) ?? "";
    await (await fetch(`${program.url}/operations/${added}/events`)).text();
    const history = await (await fetch(`${program.url}/operations`)).text();
    for (const id of [DONE, KILLED, added]) assert.ok(history.includes(`data-operation="${id}"`), id);
    await program.stop("SIGTERM");
  }));
