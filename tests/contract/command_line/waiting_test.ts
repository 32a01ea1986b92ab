/** Protects scripts that run before the NAS is up, and people who typed a wrong address: both are told, and can choose. */
import assert from "node:assert/strict";
import { MAIN, withCommandLine } from "../../support/program/command_line.ts";

Deno.test("create waits for a NAS that is not up yet, says so, and then does its work", () =>
  withCommandLine(async ({ simulator, folder, env }) => {
    await simulator.goAway();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", MAIN, "create", "controlplane", "--wait", "5"],
      cwd: folder,
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    let [said, isBack] = ["", false];
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (isBack || !/Waiting up to/.test(said)) continue;
      isBack = true;
      await simulator.comeBack();
    }
    assert.equal((await child.status).code, 0, said);
    assert.match(said, /nothing is listening there.*\. Waiting up to 5 min for the NAS; Ctrl\+C ends this/);
    assert.match(said, /The NAS answers now/);
    assert.equal(simulator.store.vms.size, 1);
  }));

Deno.test("a NAS whose web server is there before the rest is said to be starting", async () => {
  let asked = 0;
  const answer = () => {
    asked++;
    return new Response("Bad Gateway", { status: 502 });
  };
  await withCommandLine(async ({ run }) => {
    const listed = await run("list");
    assert.equal(listed.code, 1);
    assert.match(
      listed.err,
      /the web server answers, but TrueNAS behind it does not yet\nWait until the NAS has started/,
    );
    assert.equal(asked, 1, "no other protocol is tried");
  }, { answerInstead: answer });
});

Deno.test("too many logins are waited for by commands that change something, and explained by others", () =>
  withCommandLine(async ({ simulator, run }) => {
    const refuse = () =>
      simulator.addFault({
        method: "auth.login_ex",
        action: "fail",
        error: { errno: 16, errname: "EBUSY", reason: "[EBUSY] Rate Limit Exceeded" },
      });
    refuse();
    const listed = await run("list");
    assert.equal(listed.code, 1, listed.out);
    assert.match(listed.err, /refuses further logins\n.*repeat a command after that minute/);
    refuse();
    const created = await run("create", "controlplane");
    assert.equal(created.code, 0, created.err);
    assert.match(created.out, /refuses further logins\. Waiting up to 15 min for the NAS/);
    assert.equal(simulator.store.vms.size, 1);
  }));

Deno.test("with --wait 0, and for commands that change nothing, a NAS that is away is a failure at once", () =>
  withCommandLine(async ({ simulator, run }) => {
    await simulator.goAway();
    for (
      const words of [["create", "--wait", "0"], ["destroy", "--yes", "--wait", "0"], ["plan"], ["list"]]
    ) {
      const { code, out, err } = await run(...words);
      assert.equal(code, 1, words.join(" "));
      assert.match(err, /nothing is listening there/);
      assert.doesNotMatch(`${out}${err}`, /Waiting/);
    }
    const wrong = await run("create", "--wait", "soon");
    assert.equal(wrong.code, 2);
    assert.match(wrong.err, /--wait must be a whole number from 0 to 1440, found "soon"/);
    await simulator.comeBack();
  }));
