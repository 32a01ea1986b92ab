/** Runs the programs that read our exports. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { withFolder } from "./folder.ts";

/** The Debian package of each; `.ci/run` installs them. */
const PACKAGES = {
  "dnsmasq": "dnsmasq-base",
  "dhcpd": "isc-dhcp-server",
  "kea-dhcp4": "kea-dhcp4-server",
  "ansible-inventory": "ansible-core",
  "python3": "python3",
  "rclone": "rclone",
  "qemu-img": "qemu-utils",
  "cloud-init": "cloud-init",
  "tar": "tar",
  "bash": "bash",
  "zsh": "zsh",
  "fish": "fish",
  "mandoc": "mandoc",
  "tmux": "tmux",
  "promtool": "prometheus",
  "blkid": "util-linux",
  "isoinfo": "genisoimage",
  "xorriso": "xorriso",
  "bsdtar": "libarchive-tools",
} as const;

/** What a consumer said. */
export interface Verdict {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a consumer; a test without it fails, and says what to install. */
export async function consume(
  program: keyof typeof PACKAGES,
  args: readonly string[],
  stdin = "",
): Promise<Verdict> {
  const path = `${Deno.env.get("PATH") ?? ""}:/usr/sbin:/sbin`;
  // Kea makes no lock file, and Ansible no local state, outside the test's own folder.
  const env = { PATH: path, KEA_LOCKFILE_DIR: "none", LC_ALL: "C.UTF-8" };
  try {
    await using child = new Deno.Command(program, {
      args: [...args],
      env,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    const writer = child.stdin.getWriter();
    await writer.write(new TextEncoder().encode(stdin));
    await writer.close();
    const { code, stdout, stderr } = await child.output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    return { code, stdout: text(stdout), stderr: text(stderr) };
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    return assert.fail(`${program} is not installed: apt-get install ${PACKAGES[program]}`);
  }
}

/** Runs a consumer that has to accept what it is given. */
export async function expectAccepted(
  program: keyof typeof PACKAGES,
  args: readonly string[],
  given = "",
): Promise<Verdict> {
  const verdict = await consume(program, args);
  assert.equal(verdict.code, 0, `${program} refused it:\n${verdict.stderr}${verdict.stdout}\n\n${given}`);
  return verdict;
}

/** The files that tar unpacks an archive to, by their paths, each with its text. */
export async function unpacked(archive: Uint8Array): Promise<Record<string, string>> {
  const files: Record<string, string> = {};
  await withFolder(async (folder) => {
    await Deno.writeFile(`${folder}/archive.tar`, archive);
    await Deno.mkdir(`${folder}/to`);
    await expectAccepted("tar", ["-C", `${folder}/to`, "-xf", `${folder}/archive.tar`], "an archive");
    for (const path of await readdir(`${folder}/to`, { recursive: true })) {
      const at = `${folder}/to/${path}`;
      if ((await Deno.stat(at)).isFile) files[path] = await Deno.readTextFile(at);
    }
  });
  return files;
}
