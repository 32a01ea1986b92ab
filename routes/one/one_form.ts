/** Reads and fills in the form of one VM. Pure. */
import type { Configuration } from "../../lib/configuration/configuration.ts";
import type { StorageSection } from "../../lib/configuration/sections.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { show } from "../../lib/inputs.ts";
import type { Disk, Nic, Vm } from "../../lib/inventory/inventory.ts";
import { firstDisplayPort, isVmName, typeOf } from "../../lib/inventory/names.ts";
import type { CreationRequest } from "../../lib/plan/creation_input.ts";
import type { Finding } from "../../lib/plan/types.ts";
import { GIB } from "../../lib/units.ts";
import type { CreateForm } from "../../templates/pages/create_page.tsx";
import type { OneForm } from "../../templates/pages/one/one_page.tsx";
import type { CreateFormType, DiskRow, NetworkRow } from "../../templates/parts/type_form/form.ts";
import { memoryText, SIZES } from "../../templates/parts/type_form/form.ts";
import { picked } from "../../templates/parts/type_form/inputs.tsx";
import { atField, configurationOf, hasField } from "../forms/form_configuration.ts";
import { changedType, spareRow, typeFieldsOf } from "../forms/typed_types.ts";

/** The form as it was typed; null when the fields are not its own. */
export function oneFormOf(fields: URLSearchParams): OneForm | null {
  if (!fields.has("name")) return null;
  const name = fields.get("name")?.trim() ?? "";
  const type = { name, ...typeFieldsOf(fields, ""), count: "1", firstBootSaid: [], overrides: [] };
  return {
    pool_path: picked(fields, "storage.pool_path"),
    cdrom_path: picked(fields, "storage.cdrom_path"),
    type: { ...changedType(type, fields, ""), count: "1" },
    spare: spareRow(fields, ""),
  };
}

/** What an empty form begins with. */
export interface OneDefaults {
  /** As configured; null when there is no configuration that can be used. */
  readonly storage: StorageSection | null;
  readonly autostart: boolean;
  /** What the NAS has; null when it is unknown. */
  readonly bridges: readonly string[] | null;
}

/** The empty form: the smallest size, one disk and one network. */
export function emptyForm({ storage, autostart, bridges }: OneDefaults): OneForm {
  const { cpu, memoryMib } = SIZES.small;
  return {
    pool_path: storage?.pool_path ?? "",
    cdrom_path: storage?.cdrom_path ?? "",
    type: {
      name: "",
      count: "1",
      memory: memoryText(memoryMib),
      cpu: String(cpu),
      threads: "",
      start: true,
      autostart,
      overcommit: false,
      sparse: false,
      image: "",
      cdrom: null,
      clone: true,
      description: "",
      parallel: "",
      onFailure: "roll-back",
      firstBoot: null,
      firstBootSaid: [],
      overrides: [],
      disks: [{ name: "root", sizeGib: "20" }],
      networks: [{ name: "lan", bridge: bridges?.[0] ?? "", macs: "" }],
    },
    spare: null,
  };
}

/** The form filled in from a VM, with a name that none of these VMs has. */
export function formLike(vm: Vm, taken: readonly string[], defaults: OneDefaults): OneForm {
  const empty = emptyForm(defaults);
  const disks = vm.disks.toSorted((a, b) => a.order - b.order);
  return {
    ...empty,
    pool_path: empty.pool_path || parentOf(disks),
    cdrom_path: vm.cdroms[0]?.path ?? empty.cdrom_path,
    type: {
      ...empty.type,
      name: nextName(vm.name, taken),
      memory: memoryText(vm.memoryMib),
      cpu: String(vm.vcpus),
      threads: vm.threads > 1 ? String(vm.threads) : "",
      autostart: vm.autostart,
      sparse: disks.length > 0 && disks.every(({ sparse }) => sparse === true),
      disks: disks.map(diskRow),
      networks: vm.nics.map(networkRow),
    },
  };
}

function diskRow({ sizeBytes }: Disk, n: number): DiskRow {
  const sizeGib = sizeBytes === null ? "" : String(Math.ceil(sizeBytes / GIB));
  return { name: diskName(n), sizeGib };
}

/** The name of a disk, from 0. */
export function diskName(n: number): string {
  return n === 0 ? "root" : `disk${n + 1}`;
}

function networkRow({ attach }: Nic, n: number): NetworkRow {
  return { name: n === 0 ? "lan" : `lan${n + 1}`, bridge: attach ?? "", macs: "" };
}

/** The dataset of the first zvol. */
export function parentOf(disks: readonly Disk[]): string {
  const zvol = disks.find(({ zvol }) => zvol !== null)?.zvol ?? "";
  return zvol.slice(0, Math.max(0, zvol.lastIndexOf("/")));
}

/** TrueNAS's limit on a VM's name. */
const MAX_NAME_CHARS = 150;

/** The next name that is free: `db02` after db01, `mail2` after mail. */
export function nextName(name: string, taken: readonly string[]): string {
  const known = new Set(taken);
  const [, base = "", digits = ""] = /^(.*?)(\d*)$/s.exec(name.replaceAll(/[^A-Za-z0-9_]/g, "_")) ?? [];
  for (let number = digits === "" ? 2n : BigInt(digits) + 1n;; number++) {
    const end = String(number).padStart(digits.length, "0");
    const next = base.slice(0, Math.max(0, MAX_NAME_CHARS - end.length)) + end.slice(-MAX_NAME_CHARS);
    if (!known.has(next)) return next;
  }
}

/** What to plan, or what is wrong with the form. */
export type OneRequest =
  | { readonly ok: true; readonly request: CreationRequest }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/** The VM is planned by its whole name; its type exists only in this request. */
export function oneRequest(form: OneForm, file: Configuration | null = null): OneRequest {
  const { name } = form.type;
  const checked = configurationOf(
    declared(form, STAND_IN),
    // The images are those of the file, and its types are none of this VM's.
    ...(file === null ? [] : [{ ...file, types: {} }]),
  );
  const problems = [
    ...nameProblems(name),
    ...(checked.ok ? [] : checked.problems.map((it) => ({ ...it, field: ownField(it.field, STAND_IN) }))),
  ];
  const section = checked.ok ? checked.configuration.types[STAND_IN] : undefined;
  if (problems.length > 0 || !checked.ok || section === undefined) return { ok: false, problems };
  const type = typeNameOf(name);
  const { storage, images } = checked.configuration;
  const configuration: Configuration = {
    storage,
    ...(images === undefined ? {} : { images }),
    types: Object.fromEntries([[type, section]]),
  };
  const startPort = firstDisplayPort(type, [type]);
  return { ok: true, request: { configuration, types: [{ type, startPort, name }] } };
}

/** Names of VMs can end in digits, and those of types cannot, so the sections are checked under another name. */
const STAND_IN = "vm";

/** The type that the list groups such a VM by. */
function typeNameOf(name: string): string {
  return typeOf(name) ?? name;
}

function declared({ pool_path, cdrom_path, type }: OneForm, name: string): CreateForm {
  return { pool_path, cdrom_path, types: [{ ...type, name }] };
}

function nameProblems(name: string): Problem[] {
  if (name === "") return [{ field: "name", message: "Enter a name, for example db01" }];
  if (isVmName(name)) return [];
  const message = `TrueNAS does not accept the name ${
    show(name)
  }; use letters, digits and underscores, at most ${MAX_NAME_CHARS}`;
  return [{ field: "name", message }];
}

/** The form's own field for a path below its type. */
function ownField(path: string, type: string): string {
  if (path === type) return "name";
  return path.startsWith(`${type}.`) ? path.slice(type.length + 1) : path;
}

/** A plan's errors at the fields of the form; those it has no field for are without one. */
export function problemsAt(findings: readonly Finding[], form: OneForm): Problem[] {
  const type = typeNameOf(form.type.name);
  const shown = declared(form, type);
  return findings.filter(({ severity }) => severity === "error").map((finding) => {
    const { field, message } = atField(finding, shown);
    const isOwn = field === type || hasField(field, shown);
    return { field: isOwn ? ownField(field, type) : "", message };
  });
}

/** The problem of a name that a VM on the NAS has. */
export function takenProblem({ name }: CreateFormType, taken: readonly string[]): Problem {
  const free = nextName(name, [...taken, name]);
  return {
    field: "name",
    message: `The NAS already has a VM named ${name}. Choose another name, for example ${free}`,
  };
}
