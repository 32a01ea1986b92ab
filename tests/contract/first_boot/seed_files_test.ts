/**
 * Protects the files that seeds are made from: the real program, which may read nothing else, reads those that the configuration
 * names and those in the folder seeds; what it may not read, and what is wrong in them, is said with file and line.
 */
import assert from "node:assert/strict";
import { mkdir, symlink, writeFile } from "node:fs/promises";
import { type CommandLine, withCommandLine } from "../../support/program/command_line.ts";
import { seedFolder } from "../../../lib/first_boot/seed_folder.ts";
import { ConfigurationError } from "../../../lib/errors/errors.ts";
import { KEY } from "../../unit/first_boot/seed_samples.ts";

/** A type for each seed. */
function configuration(seeds: Readonly<Record<string, string>>): string {
  const types = Object.entries(seeds).map(([type, seed]) =>
    `${type}: { count: 2, memory: 1024, cpu: 1, disk: { root: 10 }, network: { lan: br0 }, seed: ${seed} }\n`
  );
  return `storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/debian.iso }\n${types.join("")}`;
}

async function put(lab: CommandLine, files: Readonly<Record<string, string | Uint8Array>>): Promise<void> {
  for (const [path, text] of Object.entries(files)) {
    await mkdir(`${lab.folder}/${path}`.replace(/\/[^/]*$/, ""), { recursive: true });
    await writeFile(`${lab.folder}/${path}`, text);
  }
}

Deno.test("the program reads files of seeds beside its configuration and in seeds, and says what is wrong in others", () =>
  withCommandLine(async (lab) => {
    const seed = "{ kind: cloud-init, ssh_keys: [team.pub], user_data: seeds/node.yaml }";
    await put(lab, {
      "config.yaml": configuration({ node: seed }),
      "team.pub": `# the team\n${KEY}\n`,
      "seeds/node.yaml": "#cloud-config\nhostname: {{ vm.name }}\n",
    });
    const valid = await lab.run("validate");
    assert.equal(valid.code, 0, valid.err);
    const plan = await lab.run("plan", "--json");
    assert.match(plan.out, /"files":\s*\[\s*"seeds\/node.yaml",\s*"team.pub"\s*\]/, plan.err);
    assert.ok(plan.out.includes(KEY), "the keys are shown");

    await put(lab, {
      "seeds/unknown.yaml": "#cloud-config\nhostname: {{ vm.nmae }}\npassword: s3cret\n",
      "seeds/large.yaml": `#cloud-config\nfill: ${"x".repeat(70_000)}\n`,
      "seeds/packed.yaml": new Uint8Array([0x1f, 0x8b, 0xff]),
    });
    await symlink("/etc/passwd", `${lab.folder}/seeds/link.yaml`);
    await symlink("/etc/passwd", `${lab.folder}/link.yaml`);
    const others = [
      "seeds/unknown",
      "seeds/large",
      "seeds/packed",
      "seeds/link",
      "link",
      "missing",
      "seeds/none",
    ];
    const types = others.map((name, n) =>
      ["abcdefgh".charAt(n), `{ kind: cloud-init, user_data: ${name}.yaml }`] as const
    );
    await put(lab, { "config.yaml": configuration(Object.fromEntries(types)) });
    const wrong = await lab.run("validate");
    assert.equal(wrong.code, 2);
    const said = wrong.err.trim().split("\n");
    const expected = [
      /^a: seeds\/unknown.yaml:2:11: There is no variable vm.nmae; there are vm.name/,
      /^b: seeds\/large.yaml: The file is too large: the maximum is 65536 bytes/,
      /^c: seeds\/packed.yaml: The file is not text in UTF-8/,
      /^d: seeds\/link.yaml: .*(link out of the folder|may read only files)/,
      /^e: link.yaml: .*(link out of the folder|may read only files)/,
      /^f: missing.yaml: .*Put the file there, or restart the program/,
      /^g: seeds\/none.yaml: The file cannot be read: no such file or folder/,
    ];
    assert.equal(said.length, expected.length, wrong.err);
    expected.forEach((message, n) => assert.match(said[n] ?? "", message));
    assert.doesNotMatch(wrong.err, /s3cret|root:/);
  }));

Deno.test("callers of the library get files below the folder only, wherever links lead", () =>
  withCommandLine(async (lab) => {
    await put(lab, { "seeds/a.yaml": "a", "real/b.yaml": "b" });
    await symlink("../real/b.yaml", `${lab.folder}/seeds/b.yaml`);
    await symlink("/etc/passwd", `${lab.folder}/seeds/out.yaml`);
    const files = seedFolder({ configFile: `${lab.folder}/config.yaml`, keysOf: () => Promise.resolve("") });
    assert.equal(await files.read("seeds/a.yaml", 10), "a");
    assert.equal(await files.read("seeds/b.yaml", 10), "b");
    const refused = (path: string, message: RegExp) =>
      assert.rejects(
        () => files.read(path, 10),
        (error) => error instanceof ConfigurationError && message.test(error.message),
      );
    await refused("seeds/out.yaml", /link out of the folder of config.yaml/);
    await refused("seeds", /This is a folder/);
    await refused("seeds/none.yaml", /no such file or folder; it is looked for at .*\/seeds\/none.yaml/);
  }));
