/**
 * Protects people who type commands: help, version, mistakes and closed pipes. The real program runs in its own
 * process.
 */
import assert from "node:assert/strict";
import {
  COMMANDS,
  type CommandSpec,
  COMMON_OPTIONS,
  longName,
  OPTIONS,
} from "../../../lib/command_line/commands.ts";
import { PROGRAM } from "../../../lib/command_line/program_name.ts";
import { MAIN, runProgram, withCommandLine } from "../../support/program/command_line.ts";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";
import project from "../../../deno.json" with { type: "json" };

/** Without a NAS, and nothing to read. */
const usage = (...args: string[]) => runProgram(args, ".", { TRUENAS_HOST: "nas.invalid" });

Deno.test("--version, -V and version print the version, and nothing else (fault 38)", async () => {
  for (const args of [["--version"], ["-V"], ["version"]]) {
    assert.deepEqual(await usage(...args), { code: 0, out: `${project.version}\n`, err: "" });
  }
});

Deno.test("every command has help with its options and an example (fault 38)", async () => {
  for (const [name, { options, examples }] of Object.entries<CommandSpec>(COMMANDS)) {
    const { code, out, err } = await usage(name, "--help");
    assert.deepEqual([code, err], [0, ""]);
    assert.match(out, new RegExp(`Usage: ${PROGRAM} ${name} `));
    assert.ok(
      examples.length > 0 && examples.every((example) => out.includes(`${PROGRAM} ${example}`)),
      name,
    );
    const own: readonly string[] = [...options, ...COMMON_OPTIONS];
    for (const [option, spec] of Object.entries(OPTIONS)) {
      const shown = own.includes(option) && !("hidden" in spec);
      assert.equal(out.includes(`  ${spec.flags} `), shown, `${name} ${longName(spec)}`);
    }
  }
});

Deno.test("an option of another command is refused, and an unknown word gets a suggestion (fault 38)", () =>
  withCommandLine(async ({ simulator, run }) => {
    const wrong: readonly (readonly [string[], RegExp])[] = [
      [["list", "--prefix", "worker"], /list does not have the option --prefix; it is for destroy/],
      [["plan", "--yes"], /plan does not have the option --yes; it is for create, replace, destroy/],
      [["validate", "--vms", "3"], /validate does not have the option --vms; it is for demo, simulate/],
      [["create", "--keep-disks"], /create does not have the option --keep-disks/],
      [["--yes", "destroy"], /place it after the command/],
      [
        ["destroy", "--prefx", "w", "--yes"],
        /destroy does not have the option --prefx\. Did you mean --prefix\?/,
      ],
      [["serve", "--prot", "8081"], /serve does not have the option --prot\n/],
      [["destroy", "--vm", "x"], /There is no terminal .*\nSee: truenas-vm-manager destroy --help/],
      [["plna"], /Unknown command "plna"\. Did you mean plan\?/],
      [["help", "plna"], /Unknown command "plna"\. Did you mean plan\?/],
      [["destroy", "--vm", "--yes"], /--vm needs a value, found --yes/],
      [["destroy", "--prefix=", "--yes"], /--prefix needs a value, found an empty one/],
    ];
    for (const [args, message] of wrong) {
      const { code, out, err } = await run(...args);
      assert.deepEqual([code, out], [2, ""], args.join(" "));
      assert.match(err, message);
      assert.doesNotMatch(err, /\n\s+at /, "no trace");
    }
    assert.deepEqual(simulator.calls, []);
  }));

Deno.test("a value for an option without one is reported as such", () =>
  withCommandLine(async ({ simulator, run }) => {
    for (const [command, option] of [["list", "--json=yes"], ["destroy", "--yes=no"]] as const) {
      const { code, err } = await run(command, option);
      assert.equal(code, 2);
      assert.match(err, /The option --(json|yes) takes no value/);
      assert.doesNotMatch(err, /Did you mean/);
    }
    assert.equal(simulator.calls.length, 0);
  }));

Deno.test("plan --detailed-exitcode reports by its exit code whether any VM is not kept (fault 38)", () =>
  withCommandLine(async ({ simulator, folder, run }) => {
    assert.equal((await run("plan", "--detailed-exitcode")).code, 3, "nothing is there yet");
    assert.equal((await run("plan")).code, 0, "without it a plan that can be carried out is a success");
    assert.equal((await run("create")).code, 0);
    assert.equal((await run("plan", "--detailed-exitcode")).code, 0, "everything is there");
    const [vm] = simulator.store.vms.values();
    assert.ok(vm);
    vm.config.autostart = false;
    assert.equal((await run("plan", "--detailed-exitcode")).code, 3, "a setting differs");
    assert.equal((await run("plan")).code, 0, "create would succeed without changing it");
    vm.config.autostart = true;
    vm.config.memory += 1024;
    const { code, out } = await run("plan", "--detailed-exitcode", "--json");
    assert.equal(code, 3, "one differs");
    const differing = JSON.parse(out).vms.find(({ name }: { name: string }) => name === vm.config.name);
    assert.deepEqual([differing.action, differing.changes], ["change", [
      { field: "memory", from: "3 GiB", to: "2 GiB", needsStop: true, never: null, replaces: false },
    ]]);
    vm.config.memory -= 1024;
    const fewer = TEST_CONFIG.replace(/(worker:[^]*?count: )3/, "$12");
    await Deno.writeTextFile(`${folder}/fewer.yaml`, fewer);
    const surplus = await run("plan", "--detailed-exitcode", "--config", "fewer.yaml");
    assert.equal(surplus.code, 3, "one is surplus");
    assert.match(
      surplus.out,
      /^worker03 +surplus .*not touched: worker has a count of 2; .*destroy --vm worker03$/m,
    );
    assert.equal((await run("plan", "--config", "fewer.yaml")).code, 0);
    assert.equal((await run("create", "--config", "fewer.yaml")).code, 0);
    assert.equal(simulator.store.vms.size, 4, "nothing was destroyed");
    simulator.store.vms.clear();
    simulator.store.bridges.splice(0);
    assert.equal((await run("plan", "--detailed-exitcode")).code, 1, "one is blocked");
    assert.equal((await run("plan", "--detailed-exitcode", "--config", "none")).code, 2);
  }));

Deno.test("commands that create no display need no password for displays; create does", () =>
  withCommandLine(async ({ folder, env, run }) => {
    assert.equal((await run("create")).code, 0);
    const without = { ...env, VNC_PASSWORD: "" };
    for (
      const [expected, ...args] of [
        [0, "list"],
        [0, "plan"],
        [0, "vm", "restart", "worker01"],
        [0, "checkpoint", "create", "before"],
        [0, "images", "list"],
        [0, "export", "--format", "kea"],
        [0, "export", "--format", "kea", "--planned"],
        [0, "inventory", "--list"],
        [0, "destroy", "--yes"],
        [0, "plan"],
        [2, "create"],
      ] as const
    ) {
      const { code, err } = await runProgram(args, folder, without);
      assert.equal(code, expected, `${args.join(" ")}: ${err}`);
      if (code === 2) assert.match(err, /Missing: VNC_PASSWORD/);
    }
  }));

Deno.test("simulate accepts --release and the older --version (fault 38)", async () => {
  for (const option of ["--release", "--version"]) {
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-prompt", MAIN, "simulate", option, "27.0", "--json"],
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let said = "";
    while (!said.includes("\n")) said += (await reader.read()).value ?? assert.fail(said);
    const { version, url } = JSON.parse(said);
    assert.match(url, /^ws:\/\/127\.0\.0\.1:\d+/);
    assert.equal(version, "27.0", option);
    child.kill("SIGTERM");
    assert.equal((await child.status).code, 0);
    await reader.cancel();
  }
});

Deno.test("a closed pipe ends the program quietly with the exit code of its work; a full disk is an error (fault 38)", () =>
  withCommandLine(async ({ simulator, folder, env, run }) => {
    /** Runs a line of bash in which "$@" is the program, and returns its output and the program's own exit code. */
    const shell = async (line: string, ...args: string[]) => {
      const command = new Deno.Command("bash", {
        args: ["-c", line, "bash", Deno.execPath(), "run", "-A", "--no-prompt", MAIN, ...args],
        cwd: folder,
        env,
        stdin: "null",
      });
      const { stdout, stderr } = await command.output();
      const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
      return { out: decode(stdout), err: decode(stderr) };
    };
    // A pipe whose reader is gone before the first word.
    const unread = 'mkfifo gone; exec 3<>gone 4>gone 3<&-; rm gone; "$@" >&4; echo "ended with $?"';
    assert.equal((await run("create", "--json")).code, 0);
    const made = simulator.store.vms.size;
    const listed = await shell('"$@" | head -1; echo "ended with ${PIPESTATUS[0]}"', "list");
    assert.match(listed.out, /^NAME .*\nended with 0\n$/);
    assert.equal(listed.err.replaceAll(/^.* INFO .*\n/gm, ""), "");
    const destroyed = await shell(unread, "destroy", "--prefix", "worker", "--yes");
    assert.equal(destroyed.out, "ended with 0\n");
    assert.equal(simulator.store.vms.size, made - 3, "the work goes on without a reader");
    simulator.store.bridges.splice(0);
    assert.equal((await shell(unread, "plan", "worker")).out, "ended with 1\n");
    const full = await shell('"$@" > /dev/full; echo "ended with $?"', "list");
    assert.equal(full.out, "ended with 1\n");
    assert.match(full.err, /Cannot write the output: the disk is full/);
    assert.doesNotMatch(full.err, /os error|\n\s+at /);
  }));

Deno.test("if the output cannot be written after VMs were destroyed, the error does not claim that nothing changed", () =>
  withCommandLine(async ({ simulator, folder, env, run }) => {
    assert.equal((await run("create", "controlplane")).code, 0);
    const command = new Deno.Command("bash", {
      args: ["-c", '"$@" > /dev/full', "bash", Deno.execPath(), "run", "-A", "--no-prompt", MAIN].concat(
        ["destroy", "--prefix", "controlplane", "--yes", "--json"],
      ),
      cwd: folder,
      env,
      stdin: "null",
    });
    const { code, stderr } = await command.output();
    const said = new TextDecoder().decode(stderr);
    assert.equal(code, 1);
    assert.equal(simulator.store.vms.size, 0, "the premise: the work was done");
    assert.match(said, /Cannot write the output: the disk is full/);
    assert.match(said, /any completed changes took effect/);
    assert.doesNotMatch(said, /Nothing was changed/);
  }));

Deno.test("log lines omit fields without a value (fault 38)", () =>
  withCommandLine(async ({ run }) => {
    const { err } = await run("create", "worker");
    assert.match(err, /Operation started.*who="command line"/);
    assert.doesNotMatch(err, /undefined/);
  }));
