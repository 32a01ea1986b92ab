/** Protects people who copy an example from the help: each one does what it says, typed into a shell at a terminal. */
import assert from "node:assert/strict";
import { type CommandName, COMMANDS, type CommandSpec } from "../../../lib/command_line/commands.ts";
import { PROGRAM } from "../../../lib/command_line/program_name.ts";
import { type CommandLine, MAIN, withCommandLine } from "../../support/program/command_line.ts";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";
import { qcow2, sha256Of } from "../../support/images/fetched_images.ts";
import { serveImages } from "../../support/images/image_server.ts";

const IMAGE = qcow2(100_000);

/** What the example's placeholders stand for, and where it writes to outside the folder. */
const MEANT = (url: string): readonly (readonly [string, string])[] => [
  ["https://example.org/debian-12.qcow2", url],
  ["<DIGEST>", sha256Of(IMAGE)],
  ["/etc/bash_completion.d/", "./"],
];

/** What is typed at the question of an example. */
const ANSWERS: Readonly<Record<string, string>> = {
  "create --replace worker02": "destroy 1 vm",
  "replace worker": "destroy 3 vms",
  "replace worker --vm worker02 --vm worker03": "destroy 2 vms",
  "destroy --prefix worker": "destroy 3 vms",
  "checkpoint rollback before-upgrade --vm worker02 --discard-newer": "roll back 1 vm",
};

/** What has to be done before an example. */
const BEFORE: Readonly<Record<string, readonly string[]>> = {
  // A disk cannot shrink, so the VM would have to be replaced.
  "create --replace worker02": ["sed -i 's/root: 20/root: 10/' config.yaml"],
  "destroy --vm worker02 --keep-disks --yes": [`${PROGRAM} create`],
  "vm start worker01 worker02": [`${PROGRAM} vm poweroff worker01 worker02 --yes`],
  "vm restart worker01": [`${PROGRAM} vm start worker01`],
  "vm poweroff worker03 --yes": [`${PROGRAM} vm start worker03`],
  "checkpoint rollback before-upgrade --vm worker02 --discard-newer": [
    `${PROGRAM} vm poweroff worker02 --yes`,
  ],
  "images upload debian12 --file debian-12.qcow2": [`${PROGRAM} images remove debian12 --yes`],
};

/** Commands whose VMs have to exist. */
const NEEDS_VMS: readonly CommandName[] = ["replace", "destroy", "vm", "checkpoint", "export", "inventory"];
/** Commands that run until they are stopped, and what they say once they run. */
const SERVES: readonly CommandName[] = ["serve", "demo", "simulate", "mcp"];
const READY = /ready at http|Simulated TrueNAS|waits for an agent/;

/** Types a line into a shell; what is said, and the exit code. */
async function type({ folder, env }: CommandLine, line: string, answer = "") {
  // script is a terminal, and passes the exit code on.
  await using child = new Deno.Command("script", {
    args: ["--quiet", "--return", "--command", line, "/dev/null"],
    cwd: folder,
    env: { ...env, PORT: "0", CI: "1", PATH: `${folder}/bin:${Deno.env.get("PATH")}`, SHELL: "/bin/sh" },
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const writer = child.stdin.getWriter();
  let said = "";
  let isAnswered = false;
  for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
    said += text;
    if (!isAnswered && (said.includes("to confirm:") || READY.test(said))) {
      isAnswered = true;
      // Ctrl+C as the terminal's own character.
      await writer.write(new TextEncoder().encode(READY.test(said) ? "\x03" : `${answer}\n`));
    }
  }
  await writer.close().catch(() => {});
  const { code } = await child.status;
  return { said, code };
}

async function prepare({ folder, env }: CommandLine): Promise<void> {
  await Deno.mkdir(`${folder}/bin`);
  const own = `exec ${Deno.execPath()} run -A --no-prompt ${MAIN} "$@"`;
  for (const [name, does] of [[PROGRAM, own], ["kubectl", "exit 0"]] as const) {
    await Deno.writeTextFile(`${folder}/bin/${name}`, `#!/bin/sh\n${does}\n`, { mode: 0o755 });
  }
  await Deno.writeTextFile(`${folder}/cluster.yaml`, TEST_CONFIG);
  await Deno.writeTextFile(`${folder}/nas.env`, `TRUENAS_HOST=${env["TRUENAS_HOST"]}\n`);
  await Deno.writeFile(`${folder}/debian-12.qcow2`, IMAGE);
}

for (const [name, { examples }] of Object.entries(COMMANDS) as [CommandName, CommandSpec][]) {
  Deno.test(`the examples in the help of ${name} work`, async () => {
    await using server = serveImages({ files: { "debian.qcow2": IMAGE } });
    await withCommandLine(async (lab) => {
      await prepare(lab);
      if (NEEDS_VMS.includes(name)) assert.equal((await lab.run("create")).code, 0);
      for (const example of examples) {
        for (const line of BEFORE[example] ?? []) {
          const { said, code } = await type(lab, line);
          assert.equal(code, 0, `${line}: ${said}`);
        }
        // A shell that waits for what it runs would end by Ctrl+C as well.
        let line = `exec ${PROGRAM} ${example}`;
        for (const [written, meant] of MEANT(`${server.url}debian.qcow2`)) {
          line = line.replace(written, meant);
        }
        const { said, code } = await type(lab, line, ANSWERS[example]);
        const expected = example.includes("--detailed-exitcode") ? 3 : 0;
        assert.equal(code, expected, `${example}: ${said}`);
        if (SERVES.includes(name)) assert.match(said, READY);
      }
    });
  });
}
