/**
 * Protects people at a terminal: while an operation runs they see one line for each VM, which changes in place, in a window
 * of any size; afterwards they see what was printed, and their cursor. The terminal is tmux.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { MAIN, withCommandLine } from "../support/program/command_line.ts";
import { withFolder } from "../support/folder.ts";
import { ENDED, openWindow } from "../support/program/window.ts";

const CHILD = fileURLToPath(new URL("../support/program/progress_child.ts", import.meta.url));
const DENO = Deno.execPath();
const RUN = [DENO, "run", "-A", "--no-prompt"] as const;
/** What a bar looks like. */
const BAR = /\[[#.]+\]/;
/** Slow enough to be looked at. */
const SLOW = { times: { callMs: 150 } };

const count = (text: string, part: string | RegExp) => text.split(part).length - 1;

Deno.test("create shows a line for each VM in place, and leaves the plan, the outcome and the cursor", () =>
  withCommandLine(async ({ folder, env }) => {
    await using pane = await openWindow([...RUN, MAIN, "create"], {
      cwd: folder,
      env: { ...env, NO_COLOR: "" },
    });
    const seen = await pane.until((text) => /worker03 .*[1-7]\/8/.test(text));
    assert.match(seen, /^Create 4 VMs: 4 running, 0:0\d$/m);
    assert.match(seen, /^controlplane01 \[[#.]{20}\] \d\/6 \w+ +0:0\d$/m);
    assert.equal(count(seen, BAR), 4);
    assert.equal(await pane.isCursorSeen(), false);
    await pane.until((text) => ENDED.test(text));
    const whole = await pane.whole();
    assert.doesNotMatch(whole, BAR);
    assert.doesNotMatch(whole, / INFO /, "the log would only repeat what was seen");
    assert.equal(count(whole, "Plan: 4 VMs"), 1);
    assert.match(
      whole,
      /^VM +OUTCOME\ncontrolplane01 +created\nworker01 +created\nworker02 +created\nworker03 +created\nended with 0$/m,
    );
    assert.ok(await pane.isCursorSeen());
  }, SLOW));

Deno.test("a question is answered before anything is drawn, and Ctrl+C leaves the cursor and the outcome", () =>
  withCommandLine(async ({ folder, env, run }) => {
    assert.equal((await run("create")).code, 0);
    await using pane = await openWindow([...RUN, MAIN, "destroy", "--log-level", "INFO"], {
      cwd: folder,
      env: { ...env, NO_COLOR: "" },
    });
    await pane.until((text) => text.includes('Type "destroy 4 vms" to confirm:'));
    await pane.type("destroy 4 vms", "Enter");
    await pane.until((text) => BAR.test(text));
    await pane.type("C-c");
    await pane.until((text) => ENDED.test(text));
    const whole = await pane.whole();
    assert.doesNotMatch(whole, BAR);
    assert.match(whole, /cancelled/);
    assert.match(whole, / INFO +Operation started/, "who asks for the log gets it");
    assert.match(whole, /^ended with 1$/m);
    assert.ok(await pane.isCursorSeen());
  }, SLOW));

Deno.test("progress is printed line by line with TERM=dumb, with CI and with --json, as in a pipe", () =>
  withCommandLine(async ({ folder, env, run }) => {
    const piped = await run("create");
    assert.ok(!(piped.out + piped.err).includes("\x1b"));
    const plain = [
      { command: ["env", "TERM=dumb", ...RUN, MAIN, "destroy", "--yes"], seen: /^worker01 disks: done/m },
      { command: ["env", "CI=true", ...RUN, MAIN, "create"], seen: /^worker01 disk0: done, tank/m },
      { command: [...RUN, MAIN, "destroy", "--yes", "--json"], seen: /^worker01 disks: done/m },
    ] as const;
    for (const { command, seen } of plain) {
      await using pane = await openWindow(command, { cwd: folder, env, columns: 150, rows: 60 });
      await pane.until((text) => {
        assert.doesNotMatch(text, BAR);
        return ENDED.test(text);
      });
      assert.match(await pane.whole(), seen);
    }
  }));

Deno.test("names in any letters keep one line each in windows of 40 to 200 columns, also while these change", () =>
  withFolder(async (folder) => {
    const names = [
      "失敗した仮想マシン",
      "עברית01",
      "🚀01",
      "e\u0301\u0301a",
      "x".repeat(300),
      "worker01",
      "worker02",
    ];
    await using pane = await openWindow([...RUN, CHILD, ...names], { cwd: folder, columns: 100, rows: 30 });
    await pane.until((text) => text.includes("what was printed meanwhile"));
    const isWhole = (text: string, columns: number) => {
      const rows = text.trimEnd().split("\n").slice(-names.length - 1);
      const width = Math.min(columns - 1, 100);
      return /^Create VMs: 1 failed, 3 running, 2 wai(t?…|ting, 1 done, 0:\d\d)$/.test(rows[0] ?? "") &&
        rows.slice(1).every((row) => BAR.test(row) && row.replaceAll(/[\p{Mn}\p{Cf}]/gu, "").length <= width);
    };
    for (const columns of [100, 40, 200, 60, 41]) {
      await pane.resize(columns, 30);
      const text = await pane.until((text) => isWhole(text, columns));
      assert.match(text, /^失敗.*\] 1\/3 failed +0:00$/m);
      assert.match(text, /^.?עב.*\] 2\/3 start +0:\d\d$/m);
      assert.match(text, /^worker01 +\[\.+\] 0\/3 wait/m);
      const whole = await pane.whole();
      const printed = ["what was printed before", "what was printed meanwhile"];
      assert.deepEqual(printed.map((line) => count(whole, line)), [1, 1]);
      assert.equal(count(text, "Create VMs:"), 1);
      // tmux tells programs of another size a quarter of a second late, in which nothing should be drawn.
      await pane.until((later) => later !== text);
    }
    await pane.resize(100, 30);
    await pane.until((text) => isWhole(text, 100));
    const colored = await pane.text({ colors: true });
    assert.ok(colored.includes("\x1b[31mfailed"));
    assert.ok(colored.includes("\x1b[32mcreated"));
    await pane.type("C-c");
    const left = await pane.until((text) => ENDED.test(text));
    assert.doesNotMatch(left, BAR);
    assert.ok(await pane.isCursorSeen());
  }));

Deno.test("of more VMs than the window has rows, those are seen of which there is most to tell, and the others counted", () =>
  withFolder(async (folder) => {
    const names = Array.from({ length: 40 }, (_, index) => `worker${String(index + 1).padStart(2, "0")}`);
    await using pane = await openWindow([...RUN, CHILD, ...names], { cwd: folder, columns: 80, rows: 50 });
    await pane.until((text) => count(text, BAR) === 40);
    await pane.resize(80, 12);
    const few = await pane.until((text) => /^and 32 more: /m.test(text));
    assert.equal(count(few, BAR), 8);
    assert.match(few, /^Create VMs: 1 failed, 25 running, 2 waiting, 12 done, /m);
    assert.match(few, /^and 32 more: 18 running, 2 waiting, 12 done$/m);
    await pane.resize(80, 60);
    await pane.until((text) => count(text.slice(text.lastIndexOf("Create VMs")), BAR) === 40);
  }));
