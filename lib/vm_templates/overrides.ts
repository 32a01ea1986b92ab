/** Settings of a VM type that replace those of the templates. */
import type { Problem } from "../errors/errors.ts";
import { show } from "../inputs.ts";
import { type DeviceType, VERSION_RULES } from "../truenas/versions.ts";
import { deviceSpec, PLANNED_KEYS, vmSpec } from "./specs.ts";

/** Settings that replace those of the templates: keys of vm.create, and attributes or `order` of each device. */
export interface TemplateOverrides {
  /** Keys of vm.create. */
  readonly vm?: Readonly<Record<string, unknown>> | undefined;
  /** Attributes of the display. */
  readonly display?: Readonly<Record<string, unknown>> | undefined;
  /** Attributes of the CD-ROM. */
  readonly cdrom?: Readonly<Record<string, unknown>> | undefined;
  /** Attributes of every NIC. */
  readonly nic?: Readonly<Record<string, unknown>> | undefined;
  /** Attributes of every disk. */
  readonly disk?: Readonly<Record<string, unknown>> | undefined;
}

/** Whether VMs of a type start with the NAS: as the type says, as it overrides the template, or as the template says. */
export function autostartOf(
  { autostart, template }: {
    readonly autostart?: boolean | undefined;
    readonly template?: TemplateOverrides | undefined;
  },
  defaults: { readonly autostart: boolean },
): boolean {
  const overridden = template?.vm?.autostart;
  return autostart ?? (overridden === undefined ? defaults.autostart : overridden !== false);
}

/** The key of each template's overrides. */
export const OVERRIDE_KEYS = {
  vm: "vm",
  DISPLAY: "display",
  CDROM: "cdrom",
  NIC: "nic",
  DISK: "disk",
} as const satisfies Record<DeviceType | "vm", keyof TemplateOverrides>;

const TEMPLATE_NAMES: readonly (DeviceType | "vm")[] = ["vm", "DISPLAY", "CDROM", "NIC", "DISK"];

/** Every problem with overrides, each with its path in `template`: `disk.type`. */
export function checkOverrides(overrides: TemplateOverrides): Problem[] {
  return TEMPLATE_NAMES.flatMap((name) => {
    const part = OVERRIDE_KEYS[name];
    const values = overrides[part] ?? {};
    const known = VERSION_RULES.flatMap((rules) =>
      name === "vm" ? rules.vmCreateKeys : [...rules.deviceKeys[name], "order"]
    );
    const keys = Object.keys(values);
    const planned = keys.filter((key) => PLANNED_KEYS[name].includes(key)).map((key) => ({
      field: `${part}.${key}`,
      message: `${key} cannot be overridden, because the plan sets it; remove it here`,
    }));
    const unknown = keys.filter((key) => !known.includes(key)).map((key) => ({
      field: `${part}.${key}`,
      message: `No TrueNAS release accepts the key ${show(key)}; remove it`,
    }));
    const { order, ...rest } = values;
    const checked = name === "vm" ? vmSpec.safeParse(values) : deviceSpec(name).safeParse({
      attributes: { ...rest, dtype: name },
      ...(order === undefined ? {} : { order }),
    });
    const wrong = (checked.error?.issues ?? []).map(({ path, message }) => ({
      field: [part, ...path.filter((key) => key !== "attributes").map(String)].join("."),
      message,
    }));
    return [...planned, ...unknown, ...wrong];
  });
}
