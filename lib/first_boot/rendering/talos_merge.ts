/**
 * Merges documents of Talos's machine configuration as talosctl does with strategic merge patches. Scalars keep their text,
 * because 0644, off and 1.10 mean other things to other readers of YAML. Pure.
 */
import {
  type Document,
  isMap,
  isScalar,
  isSeq,
  type Pair,
  parseAllDocuments,
  type YAMLMap,
  type YAMLSeq,
} from "../../configuration/yaml.ts";
import { seedError, type Source, yamlProblems } from "./places.ts";

/** A document whose contents are a mapping. */
export interface MergedDocument {
  readonly document: Document;
  readonly contents: YAMLMap;
}

/**
 * The documents of a file.
 *
 * @throws {ConfigurationError} with line and column of what is not YAML, or no document of Talos.
 */
export function readDocuments(source: Source): MergedDocument[] {
  const documents = parseAllDocuments(source.text, {
    prettyErrors: false,
    schema: "failsafe",
    customTags: ["null"],
  });
  const errors = documents.flatMap((document) => document.errors);
  if (errors.length > 0) throw seedError(source, yamlProblems(errors));
  return documents.flatMap((document): MergedDocument[] => {
    const { contents } = document;
    if (contents === null || isScalar(contents) && contents.value === null) return [];
    if (isMap(contents)) return [{ document: document as Document, contents: contents as YAMLMap }];
    const message = isSeq(contents)
      ? "JSON patches are not supported; write it as a strategic merge patch, which looks like the configuration itself"
      : "A document of Talos has name: value lines";
    throw seedError(source, [{ message, offset: contents.range?.[0] ?? 0 }]);
  });
}

/** The documents as text. */
export function documentsText(documents: readonly MergedDocument[]): string {
  return documents.map(({ document }) => {
    if (document.directives !== undefined) document.directives.docStart = null;
    return document.toString({ lineWidth: 0 });
  }).join("---\n");
}

/** The value at a path of keys, as text; null when it is not there, or no text. */
export function textAt({ contents }: MergedDocument, path: readonly string[]): string | null {
  const value = contents.getIn(path);
  return typeof value === "string" ? value : null;
}

/** What a document is: `v1alpha1` for the main one, or its kind and name. */
export function identityOf(document: MergedDocument): string {
  const kind = textAt(document, ["kind"]);
  return kind === null ? "v1alpha1" : `${kind} ${textAt(document, ["name"]) ?? ""}`;
}

/** Merges patches over documents, in place; documents that are new are added at the end. */
export function mergeDocuments(into: MergedDocument[], patches: readonly MergedDocument[]): void {
  for (const patch of patches) {
    const identity = identityOf(patch);
    const at = into.findIndex((document) => identityOf(document) === identity);
    const found = into[at];
    if (textAt(patch, [PATCH]) === DELETE) {
      if (found !== undefined) into.splice(at, 1);
    } else if (found === undefined) into.push(patch);
    else mergeMaps(found.contents, patch.contents, []);
  }
}

const PATCH = "$patch";
const DELETE = "delete";

/** Lists that a patch replaces. Others are added to. */
const REPLACED: readonly string[] = [
  "cluster.network.podSubnets",
  "cluster.network.serviceSubnets",
  "podSubnets",
  "serviceSubnets",
  "cluster.apiServer.auditPolicy",
];

/** Lists whose entries are merged with the one that has the same value of one of these keys. */
const KEYED: Readonly<Record<string, readonly string[]>> = {
  "machine.network.interfaces": ["interface", "deviceSelector"],
  "machine.network.interfaces.vlans": ["vlanId"],
  "cluster.apiServer.admissionControl": ["name"],
  configFiles: ["mountPath"],
};

function mergeMaps(into: YAMLMap, patch: YAMLMap, path: readonly string[]): void {
  for (const { key, value } of patch.items as Pair[]) {
    const name = isScalar(key) ? String(key.value) : "";
    const there = into.get(name, true);
    const at = [...path, name];
    if (isMap(value) && textOf(value.get(PATCH)) === DELETE) into.delete(name);
    else if (isMap(value) && isMap(there) && !REPLACED.includes(at.join("."))) mergeMaps(there, value, at);
    else if (isSeq(value) && isSeq(there) && !REPLACED.includes(at.join("."))) mergeLists(there, value, at);
    else into.set(name, value);
  }
}

function mergeLists(into: YAMLSeq, patch: YAMLSeq, path: readonly string[]): void {
  const keys = KEYED[path.join(".")] ?? [];
  for (const item of patch.items) {
    const same = isMap(item)
      ? into.items.findIndex((there) => isMap(there) && isSame(there, item, keys))
      : -1;
    const there = into.items[same];
    if (!isMap(item) || !isMap(there)) into.items.push(item);
    else if (textOf(item.get(PATCH)) === DELETE) into.items.splice(same, 1);
    else mergeMaps(there, item, path);
  }
}

function isSame(a: YAMLMap, b: YAMLMap, keys: readonly string[]): boolean {
  return keys.some((key) => b.has(key) && JSON.stringify(a.get(key)) === JSON.stringify(b.get(key)));
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}
