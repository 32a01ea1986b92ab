/**
 * Protects users of the shipped systemd unit: systemd starts it unchanged, with its whole sandbox, in a container, and
 * the dashboard answers. `systemd-analyze verify` does not notice a unit that is killed at its start.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { START_FLAGS } from "../support/program/attacked.ts";
import { TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { withFolder } from "../support/program/program.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const UNIT = "truenas-vm-manager.service";
/** A container that shuts down by itself is slow; one that hangs is a failure. */
const BOOT_MS = 60_000;

async function run(command: string, args: readonly string[]): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(command, { args: [...args] }).output();
  assert.ok(success, `${command}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

/** A free port, because the unit's output is only in its journal. */
function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

Deno.test("systemd starts the shipped unit unchanged, and the dashboard answers (fault 21)", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const port = freePort();
    await Deno.mkdir(`${folder}/settings`);
    await Deno.rename(`${folder}/config.yaml`, `${folder}/settings/config.yaml`);
    const settings = {
      TRUENAS_HOST: simulator.url,
      API_USERNAME: "admin",
      API_PASSWORD: "truenas",
      VNC_PASSWORD: "pw",
      PORT: String(port),
    };
    const lines = Object.entries(settings).map(([name, value]) => `${name}=${value}\n`);
    await Deno.writeTextFile(`${folder}/settings/.env`, lines.join(""), { mode: 0o600 });
    // In the place of the binary, which needs a runtime that is not to be had everywhere.
    const program = `#!/bin/sh
export DENO_DIR=/opt/deno DENO_NO_UPDATE_CHECK=1
exec /opt/deno-program run --cached-only ${START_FLAGS.join(" ")} /opt/source/main.ts "$@"
`;
    await Deno.writeTextFile(`${folder}/program`, program, { mode: 0o755 });
    const { denoDir } = JSON.parse(await run(Deno.execPath(), ["info", "--json"]));
    const files = [
      [ROOT, "/opt/source"],
      [denoDir, "/opt/deno"],
      [await Deno.realPath(Deno.execPath()), "/opt/deno-program"],
      [`${folder}/program`, "/usr/local/bin/truenas-vm-manager"],
      [`${folder}/settings`, "/etc/truenas-vm-manager"],
      [`${ROOT}docs/install/${UNIT}`, `/etc/systemd/system/${UNIT}`],
    ];
    // Of this machine's own files, read only and in no folder that is removed with what is in it.
    const root = await Deno.makeTempDir();
    await run("mount", ["--options", "bind,ro", "/", root]);
    try {
      const container = new Deno.Command("systemd-nspawn", {
        args: [
          "--quiet",
          "--register=no",
          "--keep-unit",
          `--directory=${root}`,
          "--volatile=overlay",
          ...files.map(([from, to]) => `--bind-ro=${from}:${to}`),
          "--boot",
          "--",
          `--unit=${UNIT}`,
        ],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
      }).spawn();
      const output = container.output();
      let hasEnded = false;
      void output.then(() => hasEnded = true);
      const deadline = performance.now() + BOOT_MS;
      let page = "";
      while (page === "" && !hasEnded && performance.now() < deadline) {
        page = await fetch(`http://127.0.0.1:${port}/`).then((answer) => answer.text(), () => "");
      }
      if (!hasEnded) container.kill("SIGTERM");
      const timer = setTimeout(() => container.kill("SIGKILL"), BOOT_MS);
      const said = new TextDecoder().decode((await output).stdout);
      clearTimeout(timer);
      assert.match(page, /<title>VMs/, said);
      assert.match(said, /Stopped .*truenas-vm-manager/, "it ended when it was asked to");
    } finally {
      await run("umount", [root]);
      await Deno.remove(root);
    }
  }));
