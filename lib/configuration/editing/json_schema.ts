/** The JSON Schema of config.yaml, made from the checks themselves; for completion in editors. */
import { z } from "../../zod.ts";
import { imagesSchema } from "../images_section.ts";
import { type StorageSection, storageSection, vmTypeKeys, type VmTypeSection } from "../sections.ts";

/** What a key of a section means. */
export interface KeyHelp {
  readonly name: string;
  /** What it is, and its default. */
  readonly help: string;
  /** What it takes: `0 to 99`, `true or false`, `roll-back, keep, stop`. */
  readonly takes: string;
  readonly required: boolean;
}

const STORAGE_HELP = {
  pool_path: "The dataset in which the disks (zvols) are created, for example tank/vms",
  cdrom_path:
    "The install image, for example /mnt/tank/iso/debian.iso; needed by types without image and cdrom",
  image_path: "The dataset for images. Default: images, beside the last part of pool_path",
  checkpoints: "How many checkpoints of each VM are kept, or for how many days: { keep: 5, days: 30 }",
} as const satisfies Record<keyof StorageSection, string>;

const TYPE_HELP = {
  count: "How many VMs; 0 creates none",
  memory: "Memory of each VM in MiB",
  cpu: "vCPUs of each VM in all",
  threads: "Threads per core; must divide cpu. Default 1",
  disk: "Disks in order: name and size in GiB",
  network: "NICs in order: name and bridge of the NAS",
  image: "The image that the first disk is made from, by its name under images",
  cdrom: "The install image, or none. Default: storage.cdrom_path where there is no image",
  clone: "Make the first disk a clone of its image; false makes a full copy. Default true",
  start: "Start the VMs once they are created. Default true",
  autostart: "Start the VMs when the NAS boots. Default: as the VM template says",
  overcommit: "Start the VMs even if memory is short. Default false",
  description: "Text for the VMs' description",
  sparse: "Thin disks: use space only as data is written. Default false",
  macs: "Fixed MAC addresses by network, one for each VM. Default: derived from the VM's name",
  parallel: "How many VMs are created at a time. Default: the NAS's limit",
  on_failure: "What to do when a VM cannot be created. Default roll-back",
  seed: "The first configuration of the VMs: cloud-init, talos or ignition",
  addresses: "Static addresses by network: a range or a list, gateway and dns. Default: dhcp",
  ready: "How it is known that a VM answers: phone-home, tcp:PORT, talos, agent, console or none",
  quorum: "Keep more than half of the VMs running while they are replaced. Default false",
  template: "Values that differ from the JSON templates: vm, display, cdrom, nic, disk",
} as const satisfies Record<keyof VmTypeSection, string>;

type Schema = Record<string, unknown> & {
  readonly properties?: Readonly<Record<string, Record<string, unknown>>>;
  readonly required?: readonly string[];
};

/** The schema of the whole file. */
export function configurationSchema(): Schema {
  return {
    $schema: "https://json-schema.org/draft/2020-12/schema",
    title: "config.yaml of TrueNAS VM Manager",
    type: "object",
    required: ["storage"],
    properties: {
      storage: withHelp(storageSection, STORAGE_HELP, "Where disks and the install image are"),
      images: {
        ...z.toJSONSchema(imagesSchema),
        description: "Images by name, each the path of a file, or an address with its SHA-256",
      },
    },
    patternProperties: { "^x-": { description: "Yours: anchors, notes" } },
    propertyNames: { pattern: "^(x-.*|[A-Za-z0-9_]*[A-Za-z_])$" },
    additionalProperties: withHelp(
      vmTypeKeys,
      TYPE_HELP,
      "A VM type; its VMs are called by its name and a number",
    ),
  };
}

function withHelp(section: z.ZodType, help: Readonly<Record<string, string>>, description: string): Schema {
  const schema = z.toJSONSchema(section, {
    io: "output",
    unrepresentable: "any",
    // A key with a default can be left out of the file.
    override: ({ jsonSchema }) => {
      const { properties, required } = jsonSchema;
      if (properties === undefined || required === undefined) return;
      const needed = required.filter((name) => !hasDefault(properties[name]));
      if (needed.length === 0) delete jsonSchema.required;
      else jsonSchema.required = needed;
    },
  }) as Schema;
  delete schema.$schema;
  const properties = Object.entries(schema.properties ?? {}).map(([name, property]) =>
    [name, { ...property, description: help[name] ?? "" }] as const
  );
  return { ...schema, description, properties: Object.fromEntries(properties) };
}

function hasDefault(property: unknown): boolean {
  return typeof property === "object" && property !== null && "default" in property;
}

/** The keys of a VM type and of storage, for a table beside the text. */
export function keyHelp(): { readonly storage: readonly KeyHelp[]; readonly type: readonly KeyHelp[] } {
  const { properties = {}, additionalProperties } = configurationSchema();
  const keysOf = ({ properties = {}, required = [] }: Schema): KeyHelp[] =>
    Object.entries(properties).map(([name, property]) => ({
      name,
      help: String(property.description ?? ""),
      takes: takesOf(property),
      required: required.includes(name),
    }));
  return { storage: keysOf(properties.storage ?? {}), type: keysOf(additionalProperties as Schema) };
}

function takesOf({ type, minimum, maximum, enum: choices, anyOf: forms }: Record<string, unknown>): string {
  if (Array.isArray(choices)) return choices.join(", ");
  if (Array.isArray(forms)) return "a word, or name: value lines";
  if (type === "boolean") return "true or false";
  if (type === "integer") return `${minimum} to ${maximum}`;
  return type === "string" ? "text" : "name: value lines";
}
