/** Reads the forms of VM types and storage. */
import type { VmTypeSection } from "../../lib/configuration/sections.ts";
import type { Totals } from "../../templates/parts/type_form/totals.tsx";
import type { TypeForm } from "../../templates/pages/types/type_page.tsx";
import { sizeOf, SIZES } from "../../templates/parts/type_form/form.ts";
import { picked } from "../../templates/parts/type_form/inputs.tsx";
import { totalsOfTypes } from "../forms/totals.ts";
import { changedType, overridesOf, spareRow, typeFieldsOf, typeForm } from "../forms/typed_types.ts";
import { addressRow } from "../../templates/parts/type_form/first_boot.ts";
import { firstBootFields } from "../forms/first_boot.ts";
import type { Change, StorageForm } from "./changes.ts";
import type { Capacity } from "../../lib/inventory/inventory.ts";

/** The form of a type as its section fills it in. */
export function filledForm(
  name: string,
  section: VmTypeSection,
  { storage, autostart }: { readonly storage: StorageForm | null; readonly autostart: boolean },
): TypeForm {
  return { type: typeForm(name, section, { autostart }), from: name, copyOf: null, storage, spare: null };
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
  const network = { name: "lan", bridge: bridges?.[0] ?? "", macs: "", address: addressRow(undefined) };
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
    case "image":
      return {
        kind,
        image: { name: fields.get("name")?.trim() ?? "", path: fields.get("path")?.trim() ?? "" },
      };
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
      firstBootSaid: [],
      overrides: source === undefined ? [] : overridesOf(source),
    },
    from,
    copyOf,
    storage: storageIn(fields),
    spare: null,
  };
}

function storageIn(fields: URLSearchParams): StorageForm | null {
  if (!fields.has("storage.pool_path") && !fields.has("storage.cdrom_path")) return null;
  return {
    pool_path: picked(fields, "storage.pool_path"),
    cdrom_path: picked(fields, "storage.cdrom_path"),
  };
}

/** The form after one of its own buttons: one more or fewer, a row added or dropped. */
export function changedForm(form: TypeForm, fields: URLSearchParams): TypeForm {
  return { ...form, type: changedType(form.type, fields, ""), spare: spareRow(fields, "") };
}

/** What the VMs of a form take in all. */
export function totalsOf({ type }: TypeForm, capacity: Capacity | null): Totals {
  return totalsOfTypes([type], capacity);
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
    case "image":
      return [["change", "image"], ["name", change.image.name], ["path", change.image.path]];
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
    ...(type.image === null ? [] : [["image", type.image] as [string, string]]),
    ...(type.cdrom === null ? [] : [["cdrom", type.cdrom] as [string, string]]),
    ...(type.clone === null ? [] : [tick("clone", type.clone)]),
    ["description", type.description],
    ["parallel", type.parallel],
    ["on_failure", type.onFailure],
    ...firstBootFields(type),
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
