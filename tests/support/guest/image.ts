/**
 * A disk image of a real guest: Debian of this machine's own release with cloud-init and an SSH server, made from its packages
 * and kept in the system's cache folder, so that it is made once.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { run } from "./commands.ts";

/** What to boot. */
export interface GuestImage {
  /** qcow2, with the file system `root`. */
  readonly disk: string;
  readonly kernel: string;
  readonly initrd: string;
}

/** A kernel of cloud images would have no driver for the SATA drive in which a NAS shows a CD. */
const PACKAGES = [
  "cloud-init",
  "dbus",
  "initramfs-tools",
  "iproute2",
  "linux-image-amd64",
  "netplan.io",
  "openssh-server",
  "sudo",
  "systemd-sysv",
  "udev",
  "zstd",
];

/** What no guest of a test needs, which would only have to be copied. */
const LEFT_OUT = [
  "/usr/share/doc/*",
  "/usr/share/man/*",
  "/usr/share/locale/*",
  ...["gpu", "media", "infiniband", "staging", "iio", "isdn", "net/wireless", "net/ethernet"].map((drivers) =>
    `/lib/modules/*/kernel/drivers/${drivers}/*`
  ),
  "/lib/modules/*/kernel/sound/*",
];

/**
 * The drivers with which it starts; more of them would take an emulated processor long to unpack. Those of the CD are among them as
 * they are in Debian's images: systemd decides whether cloud-init starts before it loads any others.
 */
const INITRAMFS = {
  "etc/initramfs-tools/conf.d/modules": "MODULES=list\nCOMPRESS=lz4\n",
  "etc/initramfs-tools/modules": "virtio_pci\nvirtio_blk\next4\nahci\nsr_mod\nisofs\n",
};

/** A root shell on the second serial port, for the test's questions. */
const SHELL_UNIT = `[Unit]
Description=Shell for tests
[Service]
ExecStart=/bin/sh -c 'stty raw -echo; echo SHELL; exec /bin/sh -s'
StandardInput=tty-force
StandardOutput=tty
StandardError=null
TTYPath=/dev/ttyS1
Restart=always
[Install]
WantedBy=multi-user.target
`;

/** One host key is enough: a second kind takes an emulated processor a minute. */
const CLOUD_CONFIG = "ssh_genkeytypes: [ed25519]\nlocale: C.UTF-8\n";

const FILES = {
  "etc/fstab": "LABEL=root / ext4 defaults 0 1\n",
  "etc/machine-id": "",
  "etc/cloud/cloud.cfg.d/90_test.cfg": CLOUD_CONFIG,
  "etc/systemd/system/test-shell.service": SHELL_UNIT,
};

/** Timers that would disturb a first boot. */
const DISABLED = ["apt-daily.timer", "apt-daily-upgrade.timer", "e2scrub_all.timer", "fstrim.timer"];

const DISK_BYTES = 2 * 1024 ** 3;

/** Finds the image, or makes it, which takes one to three minutes. */
export async function guestImage(): Promise<GuestImage> {
  const recipe = JSON.stringify([PACKAGES, LEFT_OUT, INITRAMFS, FILES, DISABLED]);
  const key = createHash("sha256").update(recipe).digest("hex").slice(0, 12);
  const home = Deno.env.get("HOME") ?? "/root";
  const cache = `${Deno.env.get("XDG_CACHE_HOME") ?? `${home}/.cache`}/truenas-vm-manager`;
  const folder = `${cache}/guest-${key}`;
  if (!await isThere(folder)) {
    await Deno.mkdir(cache, { recursive: true });
    const made = await Deno.makeTempDir({ dir: cache, prefix: "making-" });
    try {
      await makeImage(made);
      await Deno.rename(made, folder);
    } finally {
      await Deno.remove(made, { recursive: true }).catch(() => {});
    }
  }
  return { disk: `${folder}/disk.qcow2`, kernel: `${folder}/vmlinuz`, initrd: `${folder}/initrd` };
}

async function makeImage(folder: string): Promise<void> {
  assert.equal(Deno.uid(), 0, "Making the image of the guest needs root; run the task as root once");
  const root = `${folder}/root`;
  await run("mmdebstrap", [
    "--mode=root",
    "--variant=minbase",
    `--include=${PACKAGES.join(",")}`,
    ...LEFT_OUT.map((path) => `--dpkgopt=path-exclude=${path}`),
    `--essential-hook=${Object.entries(INITRAMFS).map(writing).join("; ")}`,
    `--customize-hook=${Object.entries(FILES).map(writing).join("; ")}`,
    `--customize-hook=rm -f "$1"/etc/ssh/ssh_host_*`,
    `--customize-hook=systemctl --root="$1" enable test-shell.service`,
    `--customize-hook=systemctl --root="$1" mask ${DISABLED.join(" ")}`,
    await release(),
    root,
    ...await ownSources(),
  ]);
  const raw = `${folder}/disk.raw`;
  await using disk = await Deno.create(raw).then((file) => ({
    truncate: () => file.truncate(DISK_BYTES),
    [Symbol.asyncDispose]: () => Promise.resolve(file.close()),
  }));
  await disk.truncate();
  await run("mkfs.ext4", ["-q", "-L", "root", "-d", root, raw]);
  await run("qemu-img", ["convert", "-O", "qcow2", raw, `${folder}/disk.qcow2`]);
  await Deno.remove(raw);
  for await (const { name } of Deno.readDir(`${root}/boot`)) {
    if (name.startsWith("vmlinuz-")) await Deno.copyFile(`${root}/boot/${name}`, `${folder}/vmlinuz`);
    if (name.startsWith("initrd.img-")) await Deno.copyFile(`${root}/boot/${name}`, `${folder}/initrd`);
  }
  await Deno.remove(root, { recursive: true });
}

/** A shell's command that writes a file below the root that it is given. */
function writing([path, text]: readonly [string, string]): string {
  const quoted = `'${text.replaceAll("'", `'\\''`)}'`;
  return `mkdir -p "$(dirname "$1/${path}")" && printf %s ${quoted} > "$1/${path}"`;
}

async function release(): Promise<string> {
  const name = /^VERSION_CODENAME=(\S+)$/m.exec(await Deno.readTextFile("/etc/os-release"))?.[1];
  assert.ok(name !== undefined, "Making the image of the guest needs Debian's apt");
  return name;
}

/** Where this machine gets Debian's packages; none: mmdebstrap's own choice. */
async function ownSources(): Promise<string[]> {
  const path = "/etc/apt/sources.list.d/debian.sources";
  return await isThere(path) ? [path] : [];
}

async function isThere(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
