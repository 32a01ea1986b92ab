/** The system below the program in an image: the C library and what belongs to it, as Debian packages them. */
import { mkdir, mkdtemp, readdir, readlink, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { isMissing } from "../../lib/errors/system_errors.ts";
import { run } from "../command.ts";
import type { Architecture } from "../elf.ts";
import type { ThirdParty } from "../third_parties.ts";

/** As Debian names the architectures. */
export const DEBIAN_NAMES = { x86_64: "amd64", aarch64: "arm64" } as const satisfies Record<
  Architecture,
  string
>;

/** What the runtime is linked with. */
const PACKAGES = ["libc6", "libgcc-s1"] as const;

/** Parts of these packages that the program does not use. */
const UNUSED = ["usr/share/lintian", "usr/lib/locale", "etc/ld.so.conf.d"];

const ACCOUNTS = `root:x:0:0:root:/:/nonexistent
apps:x:568:568:apps:/:/nonexistent
`;
const GROUPS = `root:x:0:
apps:x:568:
`;
const NAME_SERVICES = `passwd: files
group: files
hosts: files dns
`;

/** Fills a folder with the root of an image; the Debian packages in it. They are this machine's release of Debian. */
export async function makeBase(root: string, architecture: Architecture): Promise<ThirdParty[]> {
  const folder = await mkdtemp(`${tmpdir()}/truenas-vm-manager-debian-`);
  try {
    const apt = await startApt(folder, architecture);
    for (const name of ["lib", "lib64"]) {
      await mkdir(`${root}/usr/${name}`, { recursive: true });
      await symlink(`usr/${name}`, `${root}/${name}`);
    }
    const parties: ThirdParty[] = [];
    for (const name of PACKAGES) parties.push(await unpack(name, { root, folder, apt }));
    // The copyright of GCC's libraries is in a package whose name has GCC's version.
    const gccBase = await readlink(`${root}/usr/share/doc/libgcc-s1`);
    await unpack(gccBase, { root, folder, apt });
    for (const path of [...UNUSED, ...await modulesOfIconv(root)]) {
      await rm(`${root}/${path}`, { recursive: true }).catch(ignoreMissing);
    }
    await keepCopyrights(`${root}/usr/share/doc`);
    for (const name of ["etc", "proc", "sys", "dev"]) {
      await mkdir(`${root}/${name}`, { recursive: true });
    }
    await writeFile(`${root}/etc/passwd`, ACCOUNTS);
    await writeFile(`${root}/etc/group`, GROUPS);
    await writeFile(`${root}/etc/nsswitch.conf`, NAME_SERVICES);
    return parties;
  } finally {
    await rm(folder, { recursive: true });
  }
}

type Apt = (...args: string[]) => Promise<string>;

/** apt-get for another architecture, with lists of its own: this machine's are left as they are. */
async function startApt(folder: string, architecture: Architecture): Promise<Apt> {
  await mkdir(`${folder}/lists/partial`, { recursive: true });
  await mkdir(`${folder}/archives/partial`, { recursive: true });
  const options = Object.entries({
    "APT::Architecture": DEBIAN_NAMES[architecture],
    "APT::Architectures": DEBIAN_NAMES[architecture],
    "APT::Sandbox::User": "root",
    "Dir::State::lists": `${folder}/lists`,
    "Dir::State::status": "/dev/null",
    "Dir::Cache": folder,
    "Acquire::Languages": "none",
  }).map(([name, value]) => `--option=${name}=${value}`);
  const apt: Apt = (...args) => run("apt-get", ["--quiet", ...options, ...args], { cwd: folder });
  await apt("update");
  return apt;
}

/** Unpacks a package that apt has checked against the archive's signature. */
async function unpack(
  name: string,
  { root, folder, apt }: { readonly root: string; readonly folder: string; readonly apt: Apt },
): Promise<ThirdParty> {
  await apt("download", name);
  const file = (await readdir(folder)).find((it) => it.startsWith(`${name}_`));
  if (file === undefined) throw new Error(`apt-get downloaded no ${name}`);
  await run("dpkg-deb", ["--fsys-tarfile", `${folder}/${file}`], { output: `${folder}/data.tar` });
  await run("tar", [
    "-xf",
    `${folder}/data.tar`,
    `--directory=${root}`,
    "--keep-directory-symlink",
    "--no-same-owner",
  ]);
  const field = async (key: string) => (await run("dpkg-deb", ["--field", `${folder}/${file}`, key])).trim();
  const version = await field("Version");
  const architecture = await field("Architecture");
  return {
    name,
    version,
    licence: "LicenseRef-Debian-copyright",
    texts: [],
    purl: `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`,
    sha512: null,
  };
}

/** Character sets that nothing here converts from. */
async function modulesOfIconv(root: string): Promise<string[]> {
  const found = await run("find", [
    `${root}/usr/lib`,
    "-maxdepth",
    "2",
    "-name",
    "gconv",
    "-printf",
    "usr/lib/%P\\n",
  ]);
  return found.split("\n").filter((path) => path !== "");
}

/** Of the documents, licences are kept. */
async function keepCopyrights(folder: string): Promise<void> {
  await run("find", [folder, "-type", "f", "!", "-name", "copyright", "-delete"]);
  await run("find", [folder, "-type", "d", "-empty", "-delete"]);
}

function ignoreMissing(error: unknown): void {
  if (!isMissing(error)) throw error;
}
