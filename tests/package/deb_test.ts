/**
 * Protects the Debian package, the start-up script for TrueNAS, and the unit for other machines: in a container with a
 * real systemd, apt and dpkg each is installed by the steps of docs/install.md, serves its page, creates VMs, is upgraded
 * and rolled back with its journal, and leaves nothing when it is removed.
 */
import assert from "node:assert/strict";
import { basename } from "node:path";
import { fileURLToPath } from "node:url";
import { built, succeed, tell, withPublicFolder } from "./support/packages.ts";
import type { ServiceVisit } from "./support/service_visit.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const VISIT = fileURLToPath(new URL("support/service_visit.ts", import.meta.url));
/** A container that takes longer to boot, or to be worked in, has failed. */
const PATIENCE_MS = 240_000;

Deno.test("The Debian package is installed, used, upgraded, rolled back and purged, and the start-up script starts", () =>
  withPublicFolder((folder) => withContainer(folder, tryPackage)));

Deno.test("The Debian package brings the manual page and the completions to where they are looked for", () =>
  withPublicFolder(async (folder) => {
    await succeed("dpkg-deb", "--extract", built("deb"), folder);
    const share = `${folder}/usr/share`;
    const manual = await succeed("mandoc", "-T", "utf8", `${share}/man/man1/truenas-vm-manager.1.gz`);
    assert.match(manual, /create and destroy groups of VMs/);
    const actions = 'source "$1"; COMP_WORDS=(truenas-vm-manager vm st); COMP_CWORD=2; ' +
      "$(complete -p truenas-vm-manager | sed 's/.*-F \\([^ ]*\\).*/\\1/'); echo \"${COMPREPLY[@]}\"";
    const bash = `${share}/bash-completion/completions/truenas-vm-manager`;
    assert.equal((await succeed("bash", "-c", actions, "bash", bash)).trim(), "start stop");
    for (const path of ["zsh/vendor-completions/_", "fish/vendor_completions.d/"]) {
      const end = path.startsWith("fish") ? ".fish" : "";
      assert.match(await Deno.readTextFile(`${share}/${path}truenas-vm-manager${end}`), /poweroff/);
    }
  }));

async function tryPackage(enter: (...command: string[]) => Promise<string>, folder: string): Promise<void> {
  const { denoDir } = JSON.parse(await succeed(Deno.execPath(), "info", "--json"));
  const seen: ServiceVisit = JSON.parse(
    await enter(
      ...["env", `DENO_DIR=${denoDir}`, await Deno.realPath(Deno.execPath()), "run"],
      ...["--no-check", "--no-prompt", "--allow-all", VISIT, folder],
    ),
  );
  tell(".deb: from nothing to a page", seen.pageMs);
  assert.equal(seen.status, "done");
  const [before = [], upgraded, back] = seen.histories;
  assert.equal(before.length, 1, "the creation is in the history");
  assert.deepEqual([upgraded, back], [before, before], "the journal survives an upgrade and the way back");
  assert.ok(!seen.isActive, "the service was stopped");
  const isKept = (path: string) => /^\/(etc|var\/lib|var\/cache)\/(systemd\/|truenas-vm-manager)/.test(path);
  assert.deepEqual(seen.leftAfterRemoval.filter((path) => !isKept(path)), []);
  assert.ok(
    seen.leftAfterRemoval.includes("/var/lib/truenas-vm-manager/journal.sqlite"),
    "it can be installed again",
  );
  assert.deepEqual(seen.leftAfterPurge, []);

  const [created = [], again] = seen.scriptHistories;
  assert.equal(created.length, 1, "the start-up script for TrueNAS starts the program");
  assert.deepEqual(again, created, "and starts it again with its journal");
  const [extracted, ...others] = seen.scriptFolder.filter((name) => /^truenas-vm-manager-\d/.test(name));
  assert.ok(extracted !== undefined && others.length === 0, seen.scriptFolder.join(", "));

  const [made = [], replaced] = seen.unitHistories;
  assert.equal(made.length, 1, "the unit for other machines starts the program");
  assert.deepEqual(replaced, made, "the journal survives when its file is replaced");
  assert.deepEqual(seen.leftAfterUnit, []);
}

/** Boots systemd on this machine's own files, of which nothing is changed; what it writes is kept in memory. */
async function withContainer(
  folder: string,
  test: (enter: (...command: string[]) => Promise<string>, folder: string) => Promise<void>,
): Promise<void> {
  const [root, memory] = [`${folder}/root`, `${folder}/memory`];
  await Promise.all([root, memory].map((path) => Deno.mkdir(path)));
  await succeed("mount", "-t", "tmpfs", "tmpfs", memory);
  await Promise.all(["packages", "upper", "work"].map((name) => Deno.mkdir(`${memory}/${name}`)));
  await Deno.copyFile(built("deb"), `${memory}/packages/first.deb`);
  await makeNext(`${memory}/packages`);
  await Deno.copyFile(built("run"), `${memory}/packages/${basename(built("run"))}`);
  const layers = `lowerdir=/,upperdir=${memory}/upper,workdir=${memory}/work`;
  await succeed("mount", "-t", "overlay", "-o", layers, "overlay", root);
  // Programs that come with services may have been kept from starting them.
  await Deno.remove(`${root}/usr/sbin/policy-rc.d`).catch(() => {});
  const container = new Deno.Command("systemd-nspawn", {
    args: [
      ...["--quiet", "--register=no", "--keep-unit", "--private-network", `--directory=${root}`],
      ...[`--bind-ro=${ROOT}`, `--bind-ro=${memory}/packages:/packages`],
      ...["--boot", "--", "--unit=basic.target"],
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const timer = setTimeout(() => container.kill("SIGKILL"), PATIENCE_MS);
  const said = container.stdout.pipeThrough(new TextDecoderStream());
  try {
    let log = "";
    const booted = Promise.withResolvers<void>();
    const reading = (async () => {
      for await (const text of said) {
        log += text;
        if (/Reached target .*basic\.target/.test(log)) booted.resolve();
      }
      booted.reject(new Error(`The container ended: ${log}`));
    })();
    await booted.promise;
    const [init = ""] = (await Deno.readTextFile(`/proc/${container.pid}/task/${container.pid}/children`))
      .split(" ");
    await test((...command) => succeed("nsenter", "--all", `--target=${init}`, ...command), "/packages");
    container.kill("SIGTERM");
    await container.status;
    await reading;
  } finally {
    clearTimeout(timer);
    for (const path of [root, memory]) await succeed("umount", "--lazy", path);
  }
}

/** The same package as if it were the next version. */
async function makeNext(folder: string): Promise<void> {
  const contents = `${folder}/next`;
  await succeed("dpkg-deb", "--raw-extract", `${folder}/first.deb`, contents);
  const control = await Deno.readTextFile(`${contents}/DEBIAN/control`);
  await Deno.writeTextFile(
    `${contents}/DEBIAN/control`,
    control.replace(/^Version: .*$/m, "Version: 999.0.0"),
  );
  await succeed("dpkg-deb", "--root-owner-group", "-Znone", "--build", contents, `${folder}/next.deb`);
  await Deno.remove(contents, { recursive: true });
}
