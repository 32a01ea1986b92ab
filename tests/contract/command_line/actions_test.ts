/** Protects scripts that start and stop VMs by name, choose what `list` prints, and give Ansible its inventory. */
import assert from "node:assert/strict";
import { withCommandLine } from "../../support/program/command_line.ts";

const stateOf = (out: string, name: string) =>
  out.split("\n").find((line) => line.startsWith(`${name} `))?.split(/\s+/)[1];

Deno.test("vm starts, restarts and powers off the VMs that are named, and no other", () =>
  withCommandLine(async ({ run }) => {
    const list = async () => (await run("list", "--columns", "name,state")).out;
    const before = await list();
    assert.equal(stateOf(before, "workerold"), "STOPPED");

    const started = await run("vm", "start", "workerold", "homeassistant");
    assert.equal(started.code, 0, started.err);
    assert.match(started.out, /homeassistant is running already/);
    assert.equal(await list(), before.replace(/(workerold +)STOPPED/, "$1RUNNING"));

    const again = await run("vm", "start", "workerold", "--json");
    assert.deepEqual([again.code, JSON.parse(again.out)], [0, { status: "done", vms: [] }]);

    const unasked = await run("vm", "poweroff", "workerold");
    assert.deepEqual([unasked.code, unasked.out], [2, ""]);
    assert.match(unasked.err, /Nothing was sent; add --yes/);
    assert.equal(stateOf(await list(), "workerold"), "RUNNING");

    const off = await run("vm", "poweroff", "workerold", "--yes", "--json");
    assert.equal(off.code, 0, off.err);
    assert.equal(JSON.parse(off.out).status, "done");
    assert.equal(await list(), before);
  }, { foreignVms: 3 }));

Deno.test("vm sends nothing when one of the names is wrong, or in a state that forbids it", () =>
  withCommandLine(async ({ run, simulator }) => {
    const wrong = [
      [["vm", "start", "workerold", "nosuch"], /There is no VM "nosuch"\. Nothing was sent/],
      [
        ["vm", "restart", "homeassistant", "workerold"],
        /workerold is stopped; restart is possible when it is running/,
      ],
      [["vm", "start"], /vm start needs the name of a VM/],
      [["vm", "launch", "workerold"], /Unknown action "launch"\nActions: start, stop/],
      [["list", "--columns", "name,size"], /--columns/],
      [["inventory"], /inventory needs either --list or --host/],
      [["completion", "tcsh"], /bash, zsh/],
    ] as const;
    for (const [args, said] of wrong) {
      // One after another, because each that changes something opens the journal.
      const { code, out, err } = await run(...args);
      assert.deepEqual([code, out], [2, ""], args.join(" "));
      assert.match(err, said);
    }
    const states = [...simulator.store.vms.values()].map(({ state }) => state);
    assert.deepEqual(states, ["RUNNING", "STOPPED", "STOPPED"]);
  }, { foreignVms: 3 }));

Deno.test("list prints the chosen columns of the chosen VMs, and inventory what Ansible asks for", () =>
  withCommandLine(async ({ run }) => {
    const [running, typed, none, inventory, host] = await Promise.all([
      run("list", "--state", "running", "--columns", "name,type,id"),
      run("list", "--type", "homeassistant", "--json"),
      run("list", "--type", "nosuch"),
      run("inventory", "--list"),
      run("inventory", "--host", "workerold"),
    ]);
    assert.match(running.out, /^NAME +TYPE +ID\nhomeassistant +1\n/);
    assert.doesNotMatch(running.out, /workerold/);
    assert.deepEqual(JSON.parse(typed.out).vms.map(({ name }: { name: string }) => name), ["homeassistant5"]);
    assert.deepEqual([none.code, none.out], [0, "No VM matches\n"]);
    const { _meta: { hostvars }, all, homeassistant } = JSON.parse(inventory.out);
    assert.deepEqual(homeassistant, { hosts: ["homeassistant5"] });
    assert.deepEqual(all.children.toSorted(), ["homeassistant", "ungrouped", "win"]);
    assert.deepEqual(JSON.parse(host.out), hostvars.workerold);
  }, { foreignVms: 6 }));
