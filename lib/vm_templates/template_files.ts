/** The files of the templates: found, read, and their mistakes told with line and column. */
import cdromTemplate from "../../templates/devices/cdrom.json" with { type: "json" };
import diskTemplate from "../../templates/devices/disk.json" with { type: "json" };
import displayTemplate from "../../templates/devices/display.json" with { type: "json" };
import nicTemplate from "../../templates/devices/nic.json" with { type: "json" };
import vmTemplate from "../../templates/vms/vm.json" with { type: "json" };
import { fileExists, readTextFile } from "../configuration/files.ts";
import { ConfigurationError, TrueNASError } from "../errors/errors.ts";
import { isMissing, reasonOf } from "../errors/system_errors.ts";
import type { DeviceType } from "../truenas/versions.ts";
import { PLANNED_KEYS } from "./specs.ts";

/** Where each template is, below the templates' folder. */
export const FILES = {
  vm: "vms/vm.json",
  DISPLAY: "devices/display.json",
  CDROM: "devices/cdrom.json",
  NIC: "devices/nic.json",
  DISK: "devices/disk.json",
} as const satisfies Record<DeviceType | "vm", string>;

/** The templates that come with the program. */
export const EMBEDDED: Readonly<Record<DeviceType | "vm", unknown>> = {
  vm: vmTemplate,
  DISPLAY: displayTemplate,
  CDROM: cdromTemplate,
  NIC: nicTemplate,
  DISK: diskTemplate,
};

/** The directory itself, or the one named templates in it, where only that has the files. */
export function folderOf(basePath: string): string {
  const folder = basePath.replace(/(?<=.)\/+$/, "");
  const isAbove = !fileExists(`${folder}/${FILES.vm}`) && fileExists(`${folder}/templates/${FILES.vm}`);
  return isAbove ? `${folder}/templates` : folder;
}

/**
 * A template without the keys that the plan fills in and that are null there, and without the keys that make a zvol:
 * a disk is also added on a zvol that exists.
 */
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
 * @throws {ConfigurationError} when it is missing, or is no JSON.
 */
export function readTemplate(path: string): unknown {
  let text: string;
  try {
    text = readTextFile(path);
  } catch (error) {
    const missing = isMissing(error);
    const message = missing
      ? "There is no such template file"
      : `The file cannot be read: ${reasonOf(error)}`;
    throw new ConfigurationError(path, [{ field: "", message }], { cause: error });
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw new TrueNASError(reasonOf(error), { cause: error });
    const { message, ...place } = jsonMistake(text, error);
    throw new ConfigurationError(path, [{ field: "", message: `Invalid JSON: ${message}`, ...place }], {
      cause: error,
    });
  }
}

/** What is wrong and where, both from 1. */
function jsonMistake(text: string, error: SyntaxError): { message: string; line: number; column: number } {
  const before = text.slice(0, mistakeOffset(text, error)).split("\n");
  const message = error.message.replace(/ in JSON at position.*$/s, "").replace(
    /, (?:\.\.\.)?".*"(?:\.\.\.)? is not valid JSON$/s,
    "",
  );
  return { message, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}

/** V8 tells the offset of most mistakes; a text that ends too soon has it at its end. */
function mistakeOffset(text: string, { message }: SyntaxError): number {
  if (message.startsWith(UNEXPECTED_TOKEN)) return unexpectedTokenOffset(text);
  const said = / JSON at position (\d+)/.exec(message)?.[1];
  return said === undefined ? text.length : Number(said);
}

/** How V8 begins the one message that quotes the text instead of telling the offset. */
const UNEXPECTED_TOKEN = "Unexpected token ";

/** The text up to the token only ends too soon, and any longer part of it has the mistake: the place is between. */
function unexpectedTokenOffset(text: string): number {
  let without = 0;
  let within = text.length;
  while (within - without > 1) {
    const middle = Math.floor((without + within) / 2);
    if (hasUnexpectedToken(text.slice(0, middle))) within = middle;
    else without = middle;
  }
  return within - 1;
}

function hasUnexpectedToken(text: string): boolean {
  try {
    JSON.parse(text);
    return false;
  } catch (error) {
    return error instanceof SyntaxError && error.message.startsWith(UNEXPECTED_TOKEN);
  }
}
