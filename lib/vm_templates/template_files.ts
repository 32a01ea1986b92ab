/** Finds and reads the template files, and reports their errors with line and column. */
import cdromTemplate from "../../templates/devices/cdrom.json" with { type: "json" };
import diskTemplate from "../../templates/devices/disk.json" with { type: "json" };
import displayTemplate from "../../templates/devices/display.json" with { type: "json" };
import nicTemplate from "../../templates/devices/nic.json" with { type: "json" };
import vmTemplate from "../../templates/vms/vm.json" with { type: "json" };
import { fileExists, readTextFile } from "../configuration/files.ts";
import { ConfigurationError, type Problem, TrueNASError } from "../errors/errors.ts";
import { isMissing, reasonOf } from "../errors/system_errors.ts";
import type { DeviceType } from "../truenas/versions.ts";
import { PLANNED_KEYS } from "./specs.ts";

/** A template: of a VM, or of a type of device. */
export type TemplateName = DeviceType | "vm";

/** The path of each template in its folder. */
export const FILES = {
  vm: "vms/vm.json",
  DISPLAY: "devices/display.json",
  CDROM: "devices/cdrom.json",
  NIC: "devices/nic.json",
  DISK: "devices/disk.json",
} as const satisfies Record<DeviceType | "vm", string>;

/** The default templates. */
export const EMBEDDED: Readonly<Record<DeviceType | "vm", unknown>> = {
  vm: vmTemplate,
  DISPLAY: displayTemplate,
  CDROM: cdromTemplate,
  NIC: nicTemplate,
  DISK: diskTemplate,
};

/** The folder with the templates: the given one, or the folder `templates` in it. */
export function folderOf(basePath: string): string {
  const folder = basePath.replace(/(?<=.)\/+$/, "");
  const isParent = !fileExists(`${folder}/${FILES.vm}`) && fileExists(`${folder}/templates/${FILES.vm}`);
  return isParent ? `${folder}/templates` : folder;
}

/** Removes the keys that the plan fills in: those that are null, and those that create a zvol, because a disk can also use an existing one. */
export function withoutPlanned(name: DeviceType | "vm", template: unknown): unknown {
  if (!isObject(template)) return template;
  const planned = (key: string, value: unknown) =>
    PLANNED_KEYS[name].includes(key) && (value === null || ZVOL_KEYS.includes(key));
  const rest = (values: object) =>
    Object.fromEntries(Object.entries(values).filter(([key, value]) => !planned(key, value)));
  if (name === "vm") return rest(template);
  const { vm, ...device } = template;
  const attributes = isObject(device.attributes) ? { attributes: rest(device.attributes) } : {};
  return { ...(vm === undefined || vm === null ? {} : { vm }), ...device, ...attributes };
}

const ZVOL_KEYS: readonly string[] = ["create_zvol", "zvol_name", "zvol_volsize"];

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads one file.
 *
 * @throws {ConfigurationError} when it does not exist, cannot be read or is not JSON.
 */
export function readTemplate(path: string): unknown {
  const fail = (problem: Omit<Problem, "field">, cause: unknown) =>
    new ConfigurationError(path, [{ field: "", ...problem }], { cause });
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    throw fail({
      message: isMissing(error)
        ? "There is no such template file; check the folder, or copy the file from the default templates"
        : `The file cannot be read: ${reasonOf(error)}`,
    }, error);
  }
  return parseTemplate(path, text);
}

/**
 * Parses a template's text.
 *
 * @throws {ConfigurationError} with line and column when it is not JSON.
 */
export function parseTemplate(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw new TrueNASError(reasonOf(error), { cause: error });
    const problem = { field: "", ...describeSyntaxError(text, error) };
    throw new ConfigurationError(path, [problem], { cause: error });
  }
}

/** The message without V8's own position and excerpt, and the line and column. */
function describeSyntaxError(text: string, error: SyntaxError): Omit<Problem, "field"> {
  const before = text.slice(0, offsetOf(text, error)).split("\n");
  const [reason = ""] = error.message.split(/ in JSON at position|, (?:\.\.\.)?".*is not valid JSON$/s);
  return {
    message: `Invalid JSON: ${reason}`,
    line: before.length,
    column: (before.at(-1)?.length ?? 0) + 1,
  };
}

/** V8 reports the offset of an error, except when the text ends too soon or has an unexpected token. */
function offsetOf(text: string, { message }: SyntaxError): number {
  if (message.startsWith(UNEXPECTED_TOKEN)) return unexpectedTokenOffset(text);
  const offset = / JSON at position (\d+)/.exec(message)?.[1];
  return offset === undefined ? text.length : Number(offset);
}

const UNEXPECTED_TOKEN = "Unexpected token ";

/** Bisects: a part of the text that ends before the token only ends too soon, and a longer part contains the token. */
function unexpectedTokenOffset(text: string): number {
  let before = 0;
  let after = text.length;
  while (after - before > 1) {
    const middle = Math.floor((before + after) / 2);
    if (hasUnexpectedToken(text.slice(0, middle))) after = middle;
    else before = middle;
  }
  return after - 1;
}

function hasUnexpectedToken(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    return error instanceof SyntaxError && error.message.startsWith(UNEXPECTED_TOKEN);
  }
}
