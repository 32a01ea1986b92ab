/** The Debian package: the program, its unit, a system user and settings. */
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { completionOf, type Shell } from "../../lib/command_line/completion.ts";
import { manPage } from "../../lib/command_line/man_page.ts";
import { compress, EPOCH_S, sizeOf } from "../archive.ts";
import { run } from "../command.ts";
import { DEBIAN_NAMES } from "../oci/debian.ts";
import type { PackageParts } from "../parts.ts";
import { COMMAND, fill, NOTICES, readPackagingFile } from "../tree.ts";

const ROOT = new URL("../../", import.meta.url);

/** Lines in which the unit of the package differs from the one in docs/install, which people copy. */
const UNIT_CHANGES: readonly (readonly [from: string, to: string])[] = [
  [
    "# /etc/systemd/system/truenas-vm-manager.service, on another Linux machine than the NAS.\n",
    "# Change it with: systemctl edit truenas-vm-manager\n",
  ],
  ["ExecStart=/usr/local/bin/", "ExecStart=/usr/bin/"],
  // Compiled code, for faster starts. The program itself has no access to it.
  [
    "DynamicUser=yes\n",
    `User=${COMMAND}\nCacheDirectory=${COMMAND}\nCacheDirectoryMode=0700\nEnvironment=DENO_DIR=/var/cache/${COMMAND}\n`,
  ],
];

/** Where shells look for completions. */
const COMPLETIONS: Readonly<Record<Shell, string>> = {
  bash: `usr/share/bash-completion/completions/${COMMAND}`,
  zsh: `usr/share/zsh/vendor-completions/_${COMMAND}`,
  fish: `usr/share/fish/vendor_completions.d/${COMMAND}.fish`,
};

/** Writes the package. */
export async function makeDeb(
  { architecture, version, libc, tree }: PackageParts,
  output: string,
): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/${COMMAND}-deb-`);
  try {
    await fillRoot(folder, tree);
    const kib = String(Math.ceil(await sizeOf(folder) / 1024));
    const control = {
      VERSION: version,
      ARCHITECTURE: DEBIAN_NAMES[architecture],
      INSTALLED_KIB: kib,
      LIBC: String(libc),
    };
    await write(`${folder}/DEBIAN/control`, fill(await readPackagingFile("deb/control"), control));
    const settings = ["config.yaml", ".env"].map((name) => `/etc/${COMMAND}/${name}\n`);
    await write(`${folder}/DEBIAN/conffiles`, settings.join(""));
    for (const script of ["postinst", "prerm", "postrm"]) {
      await write(`${folder}/DEBIAN/${script}`, await readPackagingFile(`deb/${script}`), 0o755);
    }
    await run("dpkg-deb", ["--root-owner-group", "-Zgzip", "-z6", "--build", folder, output], {
      env: { SOURCE_DATE_EPOCH: String(EPOCH_S) },
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function fillRoot(root: string, tree: string): Promise<void> {
  for (
    const path of ["DEBIAN", "usr/bin", "usr/lib/systemd/system", "usr/lib/sysusers.d", `etc/${COMMAND}`]
  ) {
    await mkdir(`${root}/${path}`, { recursive: true });
  }
  const program = `usr/lib/${COMMAND}`;
  const documents = `usr/share/doc/${COMMAND}`;
  await run("cp", ["-R", tree, `${root}/${program}`]);
  await symlink(`../lib/${COMMAND}/${COMMAND}`, `${root}/usr/bin/${COMMAND}`);

  await mkdir(`${root}/${documents}`, { recursive: true });
  const texts = ["LICENSE", NOTICES].map((name) => readFile(`${tree}/${name}`, "utf8"));
  await write(`${root}/${documents}/copyright`, (await Promise.all(texts)).join("\n"));
  await rm(`${root}/${program}/LICENSE`);
  await rm(`${root}/${program}/${NOTICES}`);
  await write(`${root}/${documents}/changelog`, await readProjectFile("CHANGELOG.md"));
  await compress(`${root}/${documents}/changelog`);
  const manual = `${root}/usr/share/man/man1/${COMMAND}.1`;
  await write(manual, `${manPage()}\n`);
  await compress(manual);
  for (const shell of ["bash", "zsh", "fish"] as const) {
    await write(`${root}/${COMPLETIONS[shell]}`, `${completionOf(shell)}\n`);
  }

  await write(`${root}/usr/lib/systemd/system/${COMMAND}.service`, await unit());
  await write(`${root}/usr/lib/sysusers.d/${COMMAND}.conf`, await readPackagingFile("deb/sysusers.conf"));
  await write(`${root}/etc/${COMMAND}/config.yaml`, await readProjectFile("config.yaml"));
  // Without settings, the page connects the NAS.
  const settings = (await readProjectFile(".env.example")).replaceAll(/^(?=[A-Z])/gm, "# ");
  await run("chmod", ["-R", "u=rwX,go=rX", root]);
  await write(`${root}/etc/${COMMAND}/.env`, settings, 0o600);
}

async function unit(): Promise<string> {
  let text = await readProjectFile(`docs/install/${COMMAND}.service`);
  for (const [from, to] of UNIT_CHANGES) {
    if (text.split(from).length !== 2) throw new Error(`The unit should have "${from.trim()}" once`);
    text = text.replace(from, to);
  }
  return text;
}

async function write(path: string, text: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
  await chmod(path, mode);
}

function readProjectFile(path: string): Promise<string> {
  return readFile(fileURLToPath(new URL(path, ROOT)), "utf8");
}
