/** Reads the forms of VM types and storage. */
import type { VmTypeSection } from "../../lib/configuration/sections.ts";
import { OTHER } from "../../templates/pages/types/type_parts.tsx";
import type { Totals } from "../../templates/pages/types/totals.tsx";
import { sizeOf, SIZES, type TypeForm } from "../../templates/pages/types/type_page.tsx";
import { overridesOf, typeFieldsOf, typeForm } from "../forms.ts";
import { type Change, memoryOf, type StorageForm } from "./changes.ts";
import type { Capacity } from "../../templates/parts/capacity.tsx";

/** A memory field shows whole GiB as such. */
const MIB_IN_GIB = 1024;

/** The form of a type as its section fills it in. */
export function filledForm(
  name: string,
  section: VmTypeSection,
  { storage, autostart }: { readonly storage: StorageForm | null; readonly autostart: boolean },
): TypeForm {
  const type = typeForm(name, section, { autostart });
  const gib = section.memory / MIB_IN_GIB;
  const memory = Number.isInteger(gib) ? `${gib} GiB` : `${section.memory} MiB`;
  return { type: { ...type, memory }, from: name, copyOf: null, storage, spare: null };
}

/** What a new type begins with: the smallest size, one disk and one network. */
const NEW_TYPE: VmTypeSection = {
  count: 1,
  memory: SIZES.small.memoryMib,
  cpu: SIZES.small.cpu,
  disk: { root: 20 },
  network: {},
};

/** The form of a new type; with what the NAS has where there is only one choice. */
export function newForm(
  storage: StorageForm,
  { autostart, bridges }: { readonly autostart: boolean; readonly bridges: readonly string[] | null },
): TypeForm {
  const form = filledForm("", NEW_TYPE, { storage, autostart });
  const network = { name: "lan", bridge: bridges?.[0] ?? "", macs: "" };
  return { ...form, from: null, type: { ...form.type, networks: [network] } };
}

/** The change that a form asks for; null when it has none of the fields. */
export function changeOf(fields: URLSearchParams, overrides: OverridesOf): Change | null {
  const kind = fields.get("change") ?? (fields.has("count") ? "type" : fields.has("yaml") ? "yaml" : "");
  switch (kind) {
    case "type":
      return { kind, form: typeFormIn(fields, overrides) };
    case "storage":
      return { kind, storage: storageIn(fields) ?? { pool_path: "", cdrom_path: "" } };
    case "remove":
      return { kind, name: fields.get("name") ?? "" };
    case "yaml":
      // Browsers send the lines of a text field with the line ends of Windows.
      return {
        kind,
        text: (fields.get("yaml") ?? "").replaceAll("\r\n", "\n"),
        isRestored: fields.get("restores") === "yes",
      };
    default:
      return null;
  }
}

/** What a type of the file overrides in the templates. */
export type OverridesOf = (name: string) => VmTypeSection | undefined;

function typeFormIn(fields: URLSearchParams, sectionOf: OverridesOf): TypeForm {
  const optional = (name: string) => fields.get(name) || null;
  const [from, copyOf] = [optional("from"), optional("copy_of")];
  const source = sectionOf(from ?? copyOf ?? "");
  const typed = typeFieldsOf(fields, "");
  return {
    type: {
      name: fields.get("name")?.trim() ?? "",
      ...typed,
      ...presetIn(fields),
      overrides: source === undefined ? [] : overridesOf(source),
    },
    from,
    copyOf,
    storage: storageIn(fields),
    spare: null,
  };
}

/** The numbers of a size that was chosen now; what was typed otherwise. */
function presetIn(fields: URLSearchParams): { readonly cpu?: string; readonly memory?: string } {
  const size = fields.get("size") ?? "";
  if (size === fields.get("size_shown") || !Object.hasOwn(SIZES, size)) return {};
  const { cpu, memoryMib } = SIZES[size as keyof typeof SIZES];
  return { cpu: String(cpu), memory: `${memoryMib / MIB_IN_GIB} GiB` };
}

function storageIn(fields: URLSearchParams): StorageForm | null {
  if (!fields.has("storage.pool_path") && !fields.has("storage.cdrom_path")) return null;
  const picked = (name: string) => {
    const value = fields.get(name)?.trim() ?? "";
    return value === OTHER ? fields.get(`${name}.other`)?.trim() ?? "" : value;
  };
  return { pool_path: picked("storage.pool_path"), cdrom_path: picked("storage.cdrom_path") };
}

const MOST_VMS = 99;

/** The form after one of its own buttons: one more or fewer, a row added or dropped. */
export function changedForm(form: TypeForm, fields: URLSearchParams): TypeForm {
  const { type } = form;
  const step = { more: 1, fewer: -1 }[fields.get("step") ?? ""] ?? 0;
  const isNumber = /^\d{1,2}$/.test(type.count);
  const count = isNumber && step !== 0
    ? String(Math.min(MOST_VMS, Math.max(0, Number(type.count) + step)))
    : type.count;
  const [part, at] = fields.get("drop")?.split(".") ?? [];
  const without = <T>(kind: string, rows: readonly T[]) =>
    part === kind ? rows.filter((_, n) => n !== Number(at)) : rows;
  const add = fields.get("add");
  return {
    ...form,
    type: {
      ...type,
      count,
      disks: without("disk", type.disks),
      networks: without("network", type.networks),
    },
    spare: add === "disk" || add === "network" ? add : null,
  };
}

/** What the VMs of a form take in all. */
export function totalsOf({ type }: TypeForm, capacity: Capacity | null): Totals {
  const whole = (typed: string): number | null => /^\d{1,9}$/.test(typed) ? Number(typed) : null;
  const times = (a: number | null, b: number | null) => a === null || b === null ? null : a * b;
  const count = whole(type.count);
  const memory = memoryOf(type.memory);
  const sizes = type.disks.map(({ sizeGib }) => whole(sizeGib));
  const diskGib = sizes.reduce((sum, size) => sum === null || size === null ? null : sum + size, 0);
  return {
    count,
    vcpus: times(count, whole(type.cpu)),
    memoryMib: times(count, typeof memory === "number" && memory > 0 ? memory : null),
    diskGib: times(count, diskGib),
    capacity,
  };
}

/** The fields of a change, to be sent again with a confirmation. */
export function fieldsOf(change: Change): [name: string, value: string][] {
  switch (change.kind) {
    case "type":
      return [["change", "type"], ...typeFields(change.form)];
    case "storage":
      return [["change", "storage"], ...storageFields(change.storage)];
    case "remove":
      return [["change", "remove"], ["name", change.name]];
    case "yaml":
      return [
        ["change", "yaml"],
        ["yaml", change.text],
        ...(change.isRestored ? [["restores", "yes"] as [string, string]] : []),
      ];
  }
}

function storageFields({ pool_path, cdrom_path }: StorageForm): [string, string][] {
  return [["storage.pool_path", pool_path], ["storage.cdrom_path", cdrom_path]];
}

function typeFields({ type, from, copyOf, storage }: TypeForm): [string, string][] {
  const tick = (name: string, ticked: boolean): [string, string] => [name, ticked ? "yes" : "no"];
  const size = sizeOf(type);
  return [
    ...(from === null ? [] : [["from", from] as [string, string]]),
    ...(copyOf === null ? [] : [["copy_of", copyOf] as [string, string]]),
    ...(storage === null ? [] : storageFields(storage)),
    ["name", type.name],
    ["count", type.count],
    ["size", size],
    ["size_shown", size],
    ["cpu", type.cpu],
    ["memory", type.memory],
    ["threads", type.threads],
    tick("start", type.start),
    tick("autostart", type.autostart),
    tick("overcommit", type.overcommit),
    tick("sparse", type.sparse),
    ["description", type.description],
    ["parallel", type.parallel],
    ["on_failure", type.onFailure],
    ...type.disks.flatMap(({ name, sizeGib }, n): [string, string][] => [
      [`disk.${n}.name`, name],
      [`disk.${n}.size`, sizeGib],
    ]),
    ...type.networks.flatMap(({ name, bridge, macs }, n): [string, string][] => [
      [`network.${n}.name`, name],
      [`network.${n}.bridge`, bridge],
      [`network.${n}.macs`, macs],
    ]),
  ];
}
