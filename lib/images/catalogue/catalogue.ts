/**
 * Well-known images: the official addresses of their files, and where their digests are published. Each entry names its source;
 * what could not be confirmed is left out. All files are for x86-64, which TrueNAS's VMs are.
 */
import type { SeedKind } from "./seed_kind.ts";

/** Something to choose or type. */
export interface CatalogueField {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  /** What to enter. */
  readonly help: string;
  /** Its values with their labels; absent for free text. */
  readonly choices?: Readonly<Record<string, string>>;
  /** What free text must match. */
  readonly pattern?: RegExp;
}

/** Where and how the digest of a file is published. */
export interface PublishedDigest {
  /** Null where none is published. */
  readonly algorithm: "sha256" | "sha512" | null;
  /** Address of the list of digests; null where none is published. */
  readonly url: string | null;
}

/** A well-known image. Addresses contain the names of fields in braces. */
export interface CatalogueEntry {
  readonly id: string;
  readonly label: string;
  /** How its first boot is configured. */
  readonly seed: SeedKind;
  readonly fields: readonly CatalogueField[];
  /** What is named in the addresses besides the fields, by the value of a field. */
  readonly derived?: Readonly<Record<string, (values: Readonly<Record<string, string>>) => string>>;
  /** A name for the image in the configuration. */
  readonly name: string;
  readonly url: string;
  readonly digest: PublishedDigest;
}

/** A digit group such as 3.23.4. */
const DOTTED = /^\d+(\.\d+){1,3}$/;

/** The codename of each release, which is part of the address. */
const DEBIAN = { "13": "trixie", "12": "bookworm" } as const satisfies Record<string, string>;
const UBUNTU = { "24.04": "noble", "22.04": "jammy" } as const satisfies Record<string, string>;

function codename(names: Readonly<Record<string, string>>) {
  return ({ release = "" }: Readonly<Record<string, string>>) => names[release] ?? "";
}

/** The images. */
export const CATALOGUE: readonly CatalogueEntry[] = [
  {
    // Source: cloud.debian.org/images/cloud, whose folders have SHA512SUMS and no other list.
    id: "debian",
    label: "Debian",
    seed: "cloud-init",
    fields: [{
      name: "release",
      label: "Release",
      value: "13",
      help: "The file is replaced with each new build of the release.",
      choices: { "13": "13 (trixie)", "12": "12 (bookworm)" },
    }],
    derived: { codename: codename(DEBIAN) },
    name: "debian{release}",
    url: "https://cloud.debian.org/images/cloud/{codename}/latest/debian-{release}-generic-amd64.qcow2",
    digest: {
      algorithm: "sha512",
      url: "https://cloud.debian.org/images/cloud/{codename}/latest/SHA512SUMS",
    },
  },
  {
    // Source: cloud-images.ubuntu.com/releases, whose folders have SHA256SUMS. The .img files are qcow2 inside.
    id: "ubuntu",
    label: "Ubuntu",
    seed: "cloud-init",
    fields: [{
      name: "release",
      label: "Release",
      value: "24.04",
      help: "The file is replaced with each new build of the release.",
      choices: { "24.04": "24.04 LTS (noble)", "22.04": "22.04 LTS (jammy)" },
    }],
    derived: { codename: codename(UBUNTU) },
    name: "ubuntu{release}",
    url:
      "https://cloud-images.ubuntu.com/releases/{codename}/release/ubuntu-{release}-server-cloudimg-amd64.img",
    digest: {
      algorithm: "sha256",
      url: "https://cloud-images.ubuntu.com/releases/{codename}/release/SHA256SUMS",
    },
  },
  {
    // Source: download.fedoraproject.org, whose CHECKSUM is named after the compose and not after the file.
    id: "fedora",
    label: "Fedora Cloud",
    seed: "cloud-init",
    fields: [
      { name: "release", label: "Release", value: "43", help: "Such as 43.", pattern: /^\d{2}$/ },
      {
        name: "build",
        label: "Build",
        value: "1.6",
        help: "The end of the file's name, such as 1.6.",
        pattern: /^\d+\.\d+$/,
      },
    ],
    name: "fedora{release}",
    url:
      "https://download.fedoraproject.org/pub/fedora/linux/releases/{release}/Cloud/x86_64/images/Fedora-Cloud-Base-Generic-{release}-{build}.x86_64.qcow2",
    digest: {
      algorithm: "sha256",
      url:
        "https://download.fedoraproject.org/pub/fedora/linux/releases/{release}/Cloud/x86_64/images/Fedora-Cloud-{release}-{build}-x86_64-CHECKSUM",
    },
  },
  {
    // Source: download.rockylinux.org/pub/rocky, whose folders have a CHECKSUM of all files.
    id: "rocky",
    label: "Rocky Linux",
    seed: "cloud-init",
    fields: [{
      name: "release",
      label: "Release",
      value: "10",
      help: "The file is replaced with each new build of the release.",
      choices: { "10": "10", "9": "9" },
    }],
    name: "rocky{release}",
    url:
      "https://download.rockylinux.org/pub/rocky/{release}/images/x86_64/Rocky-{release}-GenericCloud-Base.latest.x86_64.qcow2",
    digest: {
      algorithm: "sha256",
      url: "https://download.rockylinux.org/pub/rocky/{release}/images/x86_64/CHECKSUM",
    },
  },
  {
    // Source: dl-cdn.alpinelinux.org/alpine, where each file has a .sha512 beside it.
    id: "alpine",
    label: "Alpine Linux",
    seed: "cloud-init",
    fields: [{
      name: "release",
      label: "Release",
      value: "3.23.4",
      help: "With its last number, such as 3.23.4.",
      pattern: /^\d+\.\d+\.\d+$/,
    }],
    derived: { branch: ({ release = "" }) => release.split(".").slice(0, 2).join(".") },
    name: "alpine{branch}",
    url:
      "https://dl-cdn.alpinelinux.org/alpine/v{branch}/releases/cloud/nocloud_alpine-{release}-x86_64-uefi-cloudinit-r0.qcow2",
    digest: {
      algorithm: "sha512",
      url:
        "https://dl-cdn.alpinelinux.org/alpine/v{branch}/releases/cloud/nocloud_alpine-{release}-x86_64-uefi-cloudinit-r0.qcow2.sha512",
    },
  },
  {
    // Source: release.flatcar-linux.net, where each file has a .DIGESTS beside it. The image for Proxmox VE reads its Ignition
    // configuration from a CD, which a TrueNAS VM can have; the one for QEMU does not.
    id: "flatcar",
    label: "Flatcar Container Linux",
    seed: "ignition",
    fields: [
      {
        name: "channel",
        label: "Channel",
        value: "stable",
        help: "How well tested the releases are.",
        choices: { stable: "Stable", beta: "Beta", alpha: "Alpha" },
      },
      {
        name: "release",
        label: "Release",
        value: "current",
        help: "Such as 4593.2.5, or current, whose file is replaced with each new release.",
        pattern: /^(current|\d+\.\d+\.\d+)$/,
      },
    ],
    name: "flatcar",
    url:
      "https://{channel}.release.flatcar-linux.net/amd64-usr/{release}/flatcar_production_proxmoxve_image.img",
    digest: {
      algorithm: "sha512",
      url:
        "https://{channel}.release.flatcar-linux.net/amd64-usr/{release}/flatcar_production_proxmoxve_image.img.DIGESTS",
    },
  },
  {
    // Source: builds.coreos.fedoraproject.org; the stream's metadata has location and SHA-256 of each file. The image for Proxmox
    // VE reads its Ignition configuration from a CD.
    id: "fedora-coreos",
    label: "Fedora CoreOS",
    seed: "ignition",
    fields: [
      {
        name: "stream",
        label: "Stream",
        value: "stable",
        help: "How well tested the releases are.",
        choices: { stable: "Stable", testing: "Testing", next: "Next" },
      },
      {
        name: "release",
        label: "Release",
        value: "44.20260707.3.1",
        help: "Such as 44.20260707.3.1.",
        pattern: DOTTED,
      },
    ],
    name: "fcos",
    url:
      "https://builds.coreos.fedoraproject.org/prod/streams/{stream}/builds/{release}/x86_64/fedora-coreos-{release}-proxmoxve.x86_64.qcow2.xz",
    digest: {
      algorithm: "sha256",
      url: "https://builds.coreos.fedoraproject.org/streams/{stream}.json",
    },
  },
];
