/**
 * Protects the command checkpoint as scripts use it: taking, listing, rolling back past later snapshots only when asked, and
 * removing; with exit codes that tell wrong usage from failed work, and nothing done without a confirmation.
 */
import assert from "node:assert/strict";
import { addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { contents, snapshots, states, write } from "../../support/vms/checkpoints.ts";
import { withCommandLine } from "../../support/program/command_line.ts";

Deno.test("checkpoints are taken, listed, rolled back to and removed on the command line", () =>
  withCommandLine(async ({ simulator, run }) => {
    assert.equal((await run("create", "worker")).code, 0);
    write(simulator, "worker01-disk0", "good");
    const taken = await run(
      "checkpoint",
      "create",
      "first",
      "worker",
      "--note",
      "all well",
      "--shutdown",
      "--json",
    );
    assert.equal(taken.code, 0, taken.err);
    assert.equal(JSON.parse(taken.out).status, "done");
    assert.match(
      taken.err,
      /worker01 +RUNNING +tank\/vms\/worker01-disk0 tank\/vms\/worker01-disk1 +shut down/,
    );
    assert.equal(snapshots(simulator).length, 6);
    const listed = await run("checkpoint", "list", "--json");
    const { checkpoints } = JSON.parse(listed.out);
    assert.deepEqual([checkpoints[0].name, checkpoints[0].note, checkpoints[0].vms.length], [
      "first",
      "all well",
      3,
    ]);
    write(simulator, "worker01-disk0", "broken");
    addSnapshot(simulator.store, "tank/vms/worker01-disk0@daily");
    const one = ["checkpoint", "rollback", "first", "--vm", "worker01"];
    const later = await run(...one, "--yes");
    assert.equal(later.code, 2, later.out);
    assert.match(later.out, /1 later snapshot would be lost/);
    assert.match(later.out, /--discard-newer on the command line/);
    assert.equal(contents(simulator)[0], "broken");
    const back = await run(...one, "--discard-newer", "--yes");
    assert.equal(back.code, 0, back.err);
    assert.match(back.out, /removes tank\/vms\/worker01-disk0@daily/);
    assert.equal(contents(simulator)[0], "good");
    assert.deepEqual(states(simulator), ["RUNNING", "RUNNING", "RUNNING"]);
    const removed = await run("checkpoint", "remove", "first", "--yes");
    assert.equal(removed.code, 0, removed.err);
    assert.match((await run("checkpoint", "list")).out, /There are no checkpoints/);
  }, { version: "27.0" }));

Deno.test("wrong calls of checkpoint are refused before anything is sent", () =>
  withCommandLine(async ({ simulator, run }) => {
    const cases: readonly (readonly [args: readonly string[], says: RegExp])[] = [
      [["burn"], /Unknown action "burn"/],
      [["create"], /checkpoint create needs the name of a checkpoint/],
      [["list", "x"], /checkpoint list takes no further arguments/],
      [["remove", "a", "b"], /checkpoint remove takes one name/],
      [["remove", "a"], /Nothing was changed; add --yes/],
      [["rollback", "a"], /Nothing was changed; add --yes/],
      [["rollback", "a", "--yes"], /There is no checkpoint called a/],
      [["create", "a/b", "worker"], /A name begins with a letter or digit/],
    ];
    for (const [args, says] of cases) {
      const { code, err } = await run("checkpoint", ...args);
      assert.equal(code, 2, args.join(" "));
      assert.match(err, says);
    }
    const nobody = await run("checkpoint", "create", "a", "nothing");
    assert.equal(nobody.out, "");
    assert.equal(nobody.err.trimEnd(), "checkpoint: No VM matches nothing");
    assert.deepEqual(snapshots(simulator), []);
  }));
