/**
 * Protects readers of errors: texts of the runtime, the operating system or the NAS never appear alone, and pages and
 * command line say the same. Over real HTTP, and with the real program.
 */
import assert from "node:assert/strict";
import { runProgram, withCommandLine } from "../support/program/command_line.ts";
import { TEST_CONFIG } from "../support/pages/dashboard.ts";
import { FORM, post, text, withDashboard } from "../support/pages/http.ts";

Deno.test("a refused connection, an unknown name and a lost NAS are reported in words with a remedy (fault 37)", async () => {
  const folder = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${folder}/config.yaml`, TEST_CONFIG);
    const account = { API_USERNAME: "admin", API_PASSWORD: "truenas", VNC_PASSWORD: "v" };
    const cases: readonly (readonly [host: string, message: RegExp, remedy: RegExp])[] = [
      [
        "ws://127.0.0.1:1",
        /(nothing answers at this address and port|nothing is listening there)/,
        /Check the address and port/,
      ],
      ["127.0.0.1", /Cannot connect to wss:\/\/127\.0\.0\.1, port 443: /, /Check the address and port/],
      ["ws://nas.invalid", /this name has no address in DNS/, /Check the name in TRUENAS_HOST/],
      ["unix:/nowhere/socket", /no such file or folder|nothing answers/, /TRUENAS_HOST/],
    ];
    for (const [host, message, remedy] of cases) {
      const { code, out, err } = await runProgram(["list"], folder, { ...account, TRUENAS_HOST: host });
      const said = err.replaceAll(/^\d{4}-.*\n/gm, "");
      assert.deepEqual([code, out], [1, ""], err);
      assert.match(said, message);
      assert.match(said, remedy);
      assert.doesNotMatch(said, /; check the address/, "each remedy is named once");
      assert.doesNotMatch(said, /os error|tcp connect|NetworkError|\n\s+at /);
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("unusable files and folders are reported without system error codes (fault 37)", () =>
  withCommandLine(async ({ simulator, folder, env, run }) => {
    const port = new URL(simulator.url).port;
    const cases: readonly (readonly [args: string[], env: Record<string, string>, message: RegExp])[] = [
      [["plan", "--config", "."], {}, /The file cannot be read: this is a folder; name a file/],
      [["plan", "--env-file", "."], {}, /The file cannot be read: this is a folder/],
      [["plan", "--templates-dir", "config.yaml"], {}, /The file cannot be read: part of the path is a file/],
      [["plan"], { TRUENAS_CA_FILE: "none.pem" }, /Cannot read none\.pem: no such file or folder/],
      [["plan"], { VNC_PASSWORD_FILE: "none" }, /Cannot read none: no such file or folder/],
      [
        ["simulate", "--port", port],
        {},
        /cannot listen on this port: another program is already listening on this address/,
      ],
      [["create"], { STATE_DIR: "config.yaml/x" }, /journal/i],
    ];
    for (const [args, other, message] of cases) {
      const { VNC_PASSWORD: _, ...rest } = env;
      const given = "VNC_PASSWORD_FILE" in other ? rest : env;
      const { code, err } = await runProgram(args, folder, { ...given, ...other });
      assert.equal(code, 2, `${args.join(" ")}: ${err}`);
      assert.match(err, message);
      assert.doesNotMatch(err, /os error|Error:|\n\s+at /, err);
    }
    assert.equal((await run("plan")).code, 0, "the premise");
  }));

Deno.test("a NAS error says what it means and what to do, on pages and on the command line alike (fault 37)", async () => {
  const refusals = [
    [
      "[Errno 2] No such file or directory: '/mnt/x.iso'",
      "a required file is missing on the NAS; check its path",
    ],
    ["Not a valid choice.", "the NAS does not offer this value; choose one from its list"],
  ] as const;
  for (const [reason, words] of refusals) {
    const fault = {
      method: "vm.device.create",
      action: "fail",
      times: Infinity,
      error: { errno: 22, errname: "EINVAL", reason },
    } as const;
    await withCommandLine(async ({ simulator, run }) => {
      simulator.addFault(fault);
      const { code, out } = await run("create", "worker");
      assert.equal(code, 1);
      const lines = out.split("\n").filter((line) => line.includes(reason));
      assert.ok(lines.length > 0, out);
      for (const line of lines) assert.ok(line.includes(words), line);
      assert.match(out, /worker01 +rolled-back/);
    });
    await withDashboard({}, async (dashboard) => {
      dashboard.simulator.addFault(fault);
      const { configuration } = dashboard.configuration();
      await dashboard.manager.createVmType(configuration, "worker", 5920);
      const [{ id } = { id: "" }] = dashboard.manager.operations.store.list();
      const html = await text(fetch(`${dashboard.url}/operations/${id}`));
      const said = html.replaceAll("&#39;", "'").replaceAll("&quot;", '"');
      assert.ok(said.includes(reason));
      for (const part of said.split(reason).slice(0, -1)) {
        assert.ok(part.slice(-200).includes("(TrueNAS: "), part.slice(-200));
      }
      assert.ok(said.includes(words));
    });
  }
});

Deno.test("the form offers the NAS's bridges and datasets, and an unknown bridge is reported at its field (fault 37)", () =>
  withDashboard({}, async (dashboard) => {
    const html = await text(fetch(`${dashboard.url}/create`));
    assert.match(html, /name="worker\.network\.0\.bridge"[^>]*>.*?<option value="br1"/s);
    assert.match(html, /name="storage\.pool_path"[^>]*>.*?<option value="tank\/VMs"/s);
    const planned = await text(
      post(dashboard, "/create/plan", { ...FORM, "worker.network.0.bridge": "br9" }),
    );
    assert.match(planned, /The NAS has no bridge or interface br9; choose from br0, br1/);
    assert.match(planned, /data-error="worker\.network\.0\.bridge"/);
  }));
