/** What a VM type has otherwise than the templates say. */
import type { Problem } from "../errors/errors.ts";
import { type DeviceType, VERSION_RULES } from "../truenas/versions.ts";
import { deviceSpec, PLANNED_KEYS, vmSpec } from "./specs.ts";

/** What a VM type has otherwise than the templates say: keys of vm.create, and of each device's attributes, or `order`. */
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

const OVERRIDES: readonly (readonly [keyof TemplateOverrides, DeviceType | "vm"])[] = [
  ["vm", "vm"],
  ["display", "DISPLAY"],
  ["cdrom", "CDROM"],
  ["nic", "NIC"],
  ["disk", "DISK"],
];

/** Everything that is wrong with overrides, each at its path below `template`: `disk.type`. */
export function checkOverrides(overrides: TemplateOverrides): Problem[] {
  return OVERRIDES.flatMap(([part, name]) => {
    const values = overrides[part] ?? {};
    const known = VERSION_RULES.flatMap((rules) =>
      name === "vm" ? rules.vmCreateKeys : [...rules.deviceKeys[name], "order"]
    );
    const keys = Object.keys(values);
    const planned = keys.filter((key) => PLANNED_KEYS[name].includes(key)).map((key) => ({
      field: `${part}.${key}`,
      message: `${key} is what the configuration says elsewhere; it cannot be overridden here`,
    }));
    const unknown = keys.filter((key) => !known.includes(key)).map((key) => ({
      field: `${part}.${key}`,
      message: `No TrueNAS takes the key ${JSON.stringify(key)}`,
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
