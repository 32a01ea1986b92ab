/** The sections of config.yaml: storage and VM types, and the checks of their values. */
import { z } from "../zod.ts";
import { normalizeMac } from "../inventory/names.ts";
import { checkOverrides, type TemplateOverrides } from "../vm_templates/overrides.ts";
import { type Range, show } from "../inputs.ts";
import { choice, flag, otherwise, text, wholeNumber } from "./checked_values.ts";
import { ON_FAILURE, type OnFailure } from "./on_failure.ts";
import { addressesProblems, addressesSection } from "../first_boot/addresses/address_section.ts";
import { readySection, seedSection } from "../first_boot/sections.ts";
import { firstBootProblems } from "../first_boot/type_checks.ts";
import type { AddressSection, ReadySection, SeedSection } from "../first_boot/types.ts";

/** Where VMs keep their disks, and what they are installed from. */
export interface StorageSection {
  /** The dataset in which zvols are created: `tank/vms`. */
  readonly pool_path: string;
  /** The install image: `/mnt/tank/iso/debian.iso`; empty where every type has an image or a CD-ROM of its own. */
  readonly cdrom_path: string;
  /** The dataset of images: `tank/images`; default: `images` beside the last part of `pool_path`. */
  readonly image_path?: string | undefined;
  /** How long checkpoints are kept; default for ever. */
  readonly checkpoints?: CheckpointsKept | undefined;
}

/** How long a VM's checkpoints are kept; older ones are removed when a new one is taken. */
export interface CheckpointsKept {
  /** How many, the new one included. */
  readonly keep?: number | undefined;
  /** For how many days. */
  readonly days?: number | undefined;
}

/** One VM type: how many VMs to create, and their hardware. */
export interface VmTypeSection {
  /** Number of VMs; 0 creates none, and 99 is the maximum because names have two digits. */
  readonly count: number;
  /** Memory in MiB. */
  readonly memory: number;
  /** Total vCPUs, as one socket with this many cores (divided by `threads` where given). */
  readonly cpu: number;
  /** Threads per core; default 1. Must divide `cpu`. */
  readonly threads?: number | undefined;
  /** Disks in order: name to size in GiB. */
  readonly disk: Readonly<Record<string, number>>;
  /** NICs in order: name to bridge. */
  readonly network: Readonly<Record<string, string>>;
  /** The image that the first disk is made from; without one it is empty. */
  readonly image?: string | undefined;
  /** The VMs' install image, or `none`; default: `storage.cdrom_path` where there is no image. */
  readonly cdrom?: string | undefined;
  /** Whether the first disk is a clone of its image; default true. Without, it is a full copy. */
  readonly clone?: boolean | undefined;
  /** Whether the VMs are started after they are created; default true. */
  readonly start?: boolean | undefined;
  /** Whether the VMs start when the NAS boots; the default is in the VM template. */
  readonly autostart?: boolean | undefined;
  /** Whether the VMs are started even if the NAS is short of memory; default false. */
  readonly overcommit?: boolean | undefined;
  /** Free text for the VMs' description, placed before this program's mark. */
  readonly description?: string | undefined;
  /** Whether zvols are sparse, taking space only as data is written; default false, which reserves the full size. */
  readonly sparse?: boolean | undefined;
  /** Fixed MAC addresses by network, the first VM's first; other networks get derived addresses. */
  readonly macs?: Readonly<Record<string, readonly string[]>> | undefined;
  /** How many VMs of this type are worked on in parallel; default: the NAS's limit. */
  readonly parallel?: number | undefined;
  /** What to do when one of these VMs cannot be created; default `roll-back`. */
  readonly on_failure?: OnFailure | undefined;
  /** The first configuration of the VMs; default: none. */
  readonly seed?: SeedSection | undefined;
  /** Static addresses by network; others get theirs by DHCP. */
  readonly addresses?: Readonly<Record<string, AddressSection>> | undefined;
  /** How it is known that a VM answers, and what happens with one that does not; default: nobody asks. */
  readonly ready?: ReadySection | undefined;
  /** Whether most of the VMs have to run at any time, as etcd needs it; default false. */
  readonly quorum?: boolean | undefined;
  /** Settings that differ from the templates. */
  readonly template?: TemplateOverrides | undefined;
}

/** Ranges of the numbers. */
const LIMITS = {
  count: { lowest: 0, highest: 99 },
  /** TrueNAS requires at least 20 MiB; no NAS has 16 TiB. */
  memory: { lowest: 20, highest: 16_777_216, unit: " MiB" },
  /** TrueNAS limits the product of sockets, cores and threads. */
  cpu: { lowest: 1, highest: 255 },
  threads: { lowest: 1, highest: 255 },
  /** 64 TiB. */
  disk: { lowest: 1, highest: 65_536, unit: " GiB" },
  parallel: { lowest: 1, highest: 99 },
  keep: { lowest: 1, highest: 999 },
  days: { lowest: 1, highest: 3_650 },
} satisfies Record<string, Range>;

/** A type without a CD-ROM. */
export const NO_CDROM = "none";

/** The install image of a type's VMs; null for none. */
export function cdromOf(
  { cdrom, image }: Pick<VmTypeSection, "cdrom" | "image">,
  storage: StorageSection,
): string | null {
  if (cdrom !== undefined) return cdrom === NO_CDROM ? null : cdrom;
  return image === undefined && storage.cdrom_path !== "" ? storage.cdrom_path : null;
}

const MAX_DISKS = 16;
const MAX_NICS = 8;

/** A text that can be absent, which an empty one stands for; whether it is needed is decided elsewhere. */
function optionalText(what: string, check: (text: string) => string | null) {
  return z.unknown().optional().transform((value, context): string => {
    if (value === undefined || value === null || value === "") return "";
    const message = typeof value === "string" ? check(value) : `${what} must be text, found ${show(value)}`;
    if (message === null) return String(value);
    context.addIssue({ code: "custom", message });
    return z.NEVER;
  }).meta({ type: "string" });
}

/** Names of disks and networks start with a letter: `root`, `lan-2`. */
const PART_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;

function namedValues<T>(what: string, most: number, value: z.ZodType<T>) {
  const record = z.record(z.string(), value, otherwise(`${what} must be a list of name: value lines`));
  const named = record.superRefine((values, context) => {
    const names = Object.keys(values);
    if (names.length > most) {
      context.addIssue({
        code: "custom",
        message: `The maximum is ${most}, found ${names.length}; remove some`,
      });
    }
    for (const name of names.filter((name) => !PART_NAME.test(name))) refuseName(name, context);
  });
  // zod silently drops this key from a record, and the disk with it.
  return z.unknown().superRefine((values, context) => {
    const named = typeof values === "object" && values !== null && Object.hasOwn(values, "__proto__");
    if (named) refuseName("__proto__", context);
  }).pipe(named);
}

function refuseName(name: string, context: z.RefinementCtx): void {
  const allowed = "start with a letter and contain only letters, digits, hyphens, dots and underscores";
  context.addIssue({ code: "custom", path: [name], message: `The name ${show(name)} must ${allowed}` });
}

/** TrueNAS accepts strings of 1024 characters; the rest is for this program's mark. */
export const MAX_DESCRIPTION_CHARS = 900;

function checkDescription(text: string): string | null {
  if (text.length <= MAX_DESCRIPTION_CHARS) return null;
  return `The description has ${text.length} characters; shorten it to ${MAX_DESCRIPTION_CHARS}`;
}

/** A list of MAC addresses, one per VM. */
const macList = z.array(
  text("The MAC address", (text) => {
    if (normalizeMac(text) !== null) return null;
    return `${show(text)} is not a unicast MAC address; write it like 02:00:5e:10:00:01`;
  }).transform((text) => normalizeMac(text) ?? text).meta({ type: "string" }),
  otherwise("The MAC addresses of a network must be a list: [02:00:5e:10:00:01, 02:00:5e:10:00:02]"),
);

const overrideKeys = z.record(
  z.string(),
  z.unknown(),
  otherwise("Template overrides must be name: value lines"),
);

const templateSection = z.strictObject({
  vm: overrideKeys.optional(),
  display: overrideKeys.optional(),
  cdrom: overrideKeys.optional(),
  nic: overrideKeys.optional(),
  disk: overrideKeys.optional(),
}, otherwise("template can contain vm, display, cdrom, nic and disk")).superRefine((overrides, context) => {
  for (const { field, message } of checkOverrides(overrides)) {
    context.addIssue({ code: "custom", path: field.split("."), message });
  }
});

/** Checks the storage section. */
export const storageSection = z.strictObject({
  pool_path: text("The dataset for zvols", checkPoolPath),
  cdrom_path: optionalText("The install image", checkCdromPath),
  image_path: text("The dataset for images", checkPoolPath).optional(),
  checkpoints: z.strictObject({
    keep: wholeNumber("Checkpoints of each VM", LIMITS.keep).optional(),
    days: wholeNumber("Days", LIMITS.days).optional(),
  }, otherwise("checkpoints can contain keep and days")).optional(),
}, otherwise("storage must have pool_path and cdrom_path"));

/** Checks the values of a VM type one by one. */
export const vmTypeKeys = z.strictObject({
  count: wholeNumber("Count", LIMITS.count),
  memory: wholeNumber("Memory", LIMITS.memory),
  cpu: wholeNumber("vCPUs", LIMITS.cpu),
  threads: wholeNumber("Threads per core", LIMITS.threads).optional(),
  disk: namedValues("disk", MAX_DISKS, wholeNumber("The disk's size", LIMITS.disk)).default({}),
  network: namedValues("network", MAX_NICS, text("The bridge")).default({}),
  image: text("The image").optional(),
  cdrom: text("The install image", checkCdrom).optional(),
  clone: flag("clone").optional(),
  start: flag("start").optional(),
  autostart: flag("autostart").optional(),
  overcommit: flag("overcommit").optional(),
  description: text("The description", checkDescription).optional(),
  sparse: flag("sparse").optional(),
  macs: namedValues("macs", MAX_NICS, macList).optional(),
  parallel: wholeNumber("VMs in parallel", LIMITS.parallel).optional(),
  on_failure: choice("on_failure", ON_FAILURE).optional(),
  seed: seedSection.optional(),
  addresses: addressesSection.optional(),
  ready: readySection.optional(),
  quorum: flag("quorum").optional(),
  template: templateSection.optional(),
}, otherwise("A VM type must have count, memory and cpu"));

/** Checks a VM type as a whole. */
export const vmTypeSection = vmTypeKeys.superRefine((section, context) => {
  const { cpu, threads } = section;
  if (threads !== undefined && cpu % threads !== 0) {
    const message =
      `${cpu} vCPUs cannot be divided into cores with ${threads} threads; choose a divisor of ${cpu}`;
    context.addIssue({ code: "custom", path: ["threads"], message });
  }
  if (section.image !== undefined && Object.keys(section.disk).length === 0) {
    const message = "A type with an image needs a disk that is made from it; add one";
    context.addIssue({ code: "custom", path: ["image"], message });
  }
  if (section.clone !== undefined && section.image === undefined) {
    context.addIssue({
      code: "custom",
      path: ["clone"],
      message: "Only a type with an image has clone; remove it",
    });
  }
  for (const { path, message } of addressesProblems(section)) {
    context.addIssue({ code: "custom", path: ["addresses", ...path], message });
  }
  for (const { path, message } of firstBootProblems(section)) {
    context.addIssue({ code: "custom", path: [...path], message });
  }
  for (const [network, macs] of Object.entries(section.macs ?? {})) {
    const message = macListProblem(network, macs, section);
    if (message !== null) context.addIssue({ code: "custom", path: ["macs", network], message });
  }
});

function macListProblem(
  network: string,
  macs: readonly string[],
  { count, network: networks }: Pick<VmTypeSection, "count" | "network">,
): string | null {
  if (!Object.hasOwn(networks, network)) {
    return `There is no network ${show(network)}; the networks are ${Object.keys(networks).join(", ")}`;
  }
  const missing = count - macs.length;
  if (missing <= 0) return null;
  return `${count} VMs need as many MAC addresses, found ${macs.length}; add ${missing}, or remove the list`;
}

function checkPoolPath(path: string): string | null {
  if (path.startsWith("/mnt/")) {
    return `Enter the dataset's name without /mnt/: ${path.slice("/mnt/".length)}`;
  }
  // ZFS allows letters, digits, space and _ - . : in names; each part starts with a letter or digit.
  if (path.split("/").every((part) => /^[A-Za-z0-9][A-Za-z0-9_.: -]*$/.test(part))) return null;
  return `${show(path)} is not a dataset name; write it like tank/vms`;
}

function checkCdrom(path: string): string | null {
  return path === NO_CDROM ? null : checkCdromPath(path);
}

function checkCdromPath(path: string): string | null {
  if (!path.startsWith("/mnt/")) {
    return `${show(path)} must be a full path under /mnt/, such as /mnt/tank/iso/debian.iso`;
  }
  if (/[{}]/.test(path)) {
    return `${show(path)} contains a brace, which TrueNAS does not accept in paths; rename the file`;
  }
  return path.endsWith("/") ? `${show(path)} is a folder; enter the path of a file in it` : null;
}
