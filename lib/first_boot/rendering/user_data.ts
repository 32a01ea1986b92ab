/** A person's own files for cloud-init: filled in, checked, and passed on as they are. Pure. */
import {
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseAllDocuments,
  type YAMLMap,
} from "../../configuration/yaml.ts";
import { CLOUD_CONFIG } from "./cloud_init.ts";
import { seedError, type Source, type Wrong, yamlProblems } from "./places.ts";
import { fillIn, type Variables } from "./template.ts";
import { MAX_FILE_BYTES } from "./seed_texts.ts";

/** How else user data can start; cloud-init itself reads what follows. */
const OTHER_FORMS =
  /^(#!|#include\b|#include-once\b|#cloud-boothook\b|#cloud-config-archive\b|#part-handler\b|## template: ?jinja|content-type:|mime-version:)/i;
const IS_CLOUD_CONFIG = /^#cloud-config[ \t]*(\r?\n|$)/;

/**
 * The person's user data for a VM. The file is passed on as it is, with comments and in any of cloud-init's forms; the
 * values of the configuration are beside it in the vendor data, where cloud-init looks for what the file does not say.
 *
 * @param values The keys of these values; a file that has the same would silently win.
 * @throws {ConfigurationError} with line and column of what is wrong.
 */
export function userData(source: Source, variables: Variables, values: readonly string[]): string {
  const { file, text } = source;
  if (!IS_CLOUD_CONFIG.test(text)) {
    if (OTHER_FORMS.test(text)) return withinLimit(file, fillIn(source, variables, "text"));
    const message =
      `The first line must say what this is to cloud-init: ${CLOUD_CONFIG}, or #!/bin/sh for a script`;
    throw seedError(source, [{ message, offset: 0 }]);
  }
  const filled = fillIn(source, variables, "yaml");
  const mapping = mappingOf(source, filled);
  const wrong = mapping === null ? [] : clashes(mapping, values);
  if (wrong.length > 0) throw seedError({ file, text: filled }, wrong);
  return withinLimit(file, filled);
}

/**
 * The person's network configuration for a VM.
 *
 * @throws {ConfigurationError} with line and column of what is wrong.
 */
export function networkData(source: Source, variables: Variables): string {
  const text = fillIn(source, variables, "yaml");
  const mapping = mappingOf(source, text);
  if (mapping?.has("version") || mapping?.has("network")) return withinLimit(source.file, text);
  const message =
    "A network configuration of cloud-init has a version: start it with version: 2, followed by ethernets";
  throw seedError(source, [{ message, offset: 0 }]);
}

/** The one mapping of a filled-in text; null when it is empty. Places are those in the filled-in text's lines. */
function mappingOf({ file }: Source, text: string): YAMLMap | null {
  const source = { file, text };
  const documents = parseAllDocuments(text, { prettyErrors: false, version: "1.1", merge: true });
  const errors = documents.flatMap((document) => document.errors);
  if (errors.length > 0) throw seedError(source, yamlProblems(errors));
  const [first, second] = documents;
  if (second !== undefined) {
    const offset = second.contents?.range?.[0] ?? text.length;
    throw seedError(source, [{
      message: "cloud-init reads a single document; remove the second one",
      offset,
    }]);
  }
  const contents = first?.contents ?? null;
  if (contents === null || isScalar(contents) && contents.value === null) return null;
  if (isMap(contents)) return contents as YAMLMap;
  const message = "The file must be name: value lines, as cloud-init documents them";
  throw seedError(source, [{ message, offset: contents.range?.[0] ?? 0 }]);
}

/** Where the file and the configuration say the same thing: cloud-init would use the file's and drop the other. */
function clashes(mapping: YAMLMap, values: readonly string[]): Wrong[] {
  return mapping.items.flatMap(({ key, value }: Pair): Wrong[] => {
    if (!isScalar(key)) return [];
    const name = String(key.value);
    const isLost = name === "users" && values.includes("ssh_authorized_keys") && !hasDefaultUser(value);
    if (!values.includes(name) && !isLost) return [];
    const inConfiguration = CONFIGURED_AS[isLost ? "ssh_authorized_keys" : name] ?? name;
    const message =
      `${name} is in this file and, as ${inConfiguration}, in the configuration, and cloud-init would use only the file's; keep one of them`;
    return [{ message, offset: key.range?.[0] ?? 0 }];
  });
}

/** What the configuration calls what cloud-init calls otherwise. */
const CONFIGURED_AS: Readonly<Record<string, string>> = {
  users: "user",
  ssh_authorized_keys: "ssh_keys",
  runcmd: "run",
  package_update: "packages",
};

function hasDefaultUser(value: unknown): boolean {
  return isSeq(value) && value.items.some((item) => isScalar(item) && item.value === "default");
}

/** A text that a guest accepts. */
function withinLimit(file: string, text: string): string {
  const limit = MAX_FILE_BYTES["cloud-init"];
  const size = new TextEncoder().encode(text).length;
  if (size <= limit) return text;
  const message = `It has ${size} bytes with its variables filled in; cloud-init gets at most ${limit}`;
  throw seedError({ file, text }, [{ message }]);
}
