/** Adds, changes, renames and removes sections of a configuration's text; comments and order stay. Pure. */
import { ConfigurationError, type Problem } from "../../errors/errors.ts";
import { parseText } from "../configuration_text.ts";
import { type Document, isMap, isScalar, type Pair, parseDocument, visit, type YAMLMap } from "../yaml.ts";
import {
  endOf,
  flowText,
  insertLines,
  insertPair,
  isRecord,
  lineEnd,
  lineStart,
  pairOf,
  pairText,
  removeLines,
  replaceValue,
  type Splice,
  splice,
  startOf,
  type Style,
  type Value,
} from "./splices.ts";

/** The values of a section. What is undefined is left out of the text, or removed from it. */
export type SectionValues = Readonly<Record<string, Value | undefined>>;

/** One change of a configuration. */
export type ConfigurationEdit =
  | { readonly kind: "add"; readonly name: string; readonly values: SectionValues; readonly copyOf?: string }
  | { readonly kind: "change"; readonly name: string; readonly values: SectionValues }
  | { readonly kind: "rename"; readonly name: string; readonly to: string }
  | { readonly kind: "remove"; readonly name: string };

/** A changed text, or why it cannot be changed here. */
export type Edited =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly problems: readonly Problem[] };

/**
 * What applies where a section says nothing. A value that equals it is not written where there is none yet.
 */
export type Defaults = Readonly<Record<string, Value>>;

const BY_REFERENCE =
  "This section uses YAML anchors or merges (&, *, <<), which the form cannot change; edit it in the YAML tab";

/**
 * Applies changes one after the other.
 *
 * @throws {ConfigurationError} when the text is not YAML.
 */
export function applyEdits(
  text: string,
  edits: readonly ConfigurationEdit[],
  defaults: Defaults = {},
): Edited {
  let edited = text;
  for (const edit of edits) {
    const next = applyEdit(edited, edit, defaults);
    if (!next.ok) return next;
    edited = next.text;
  }
  return { ok: true, text: edited };
}

function applyEdit(text: string, edit: ConfigurationEdit, defaults: Defaults): Edited {
  const document = parseDocument(text, { merge: true });
  const before = sectionsOf(text);
  const result = editText(text, document, edit, { before, defaults });
  const refused = (message: string): Edited => ({ ok: false, problems: [{ field: "", message }] });
  if (typeof result !== "string") return refused(result.refused);
  const after = readBack(result);
  if (after === null || !isAsWanted(edit, before, after, defaults)) return refused(BY_REFERENCE);
  return { ok: true, text: result };
}

type Sections = ReadonlyMap<string, unknown>;

function sectionsOf(text: string): Sections {
  const { value } = parseText(text, "config.yaml");
  return new Map(typeof value === "object" && value !== null ? Object.entries(value) : []);
}

function readBack(text: string): Sections | null {
  try {
    return sectionsOf(text);
  } catch (error) {
    if (error instanceof ConfigurationError) return null;
    throw error;
  }
}

interface Known {
  readonly before: Sections;
  readonly defaults: Defaults;
}

function editText(
  text: string,
  document: Document,
  edit: ConfigurationEdit,
  { before, defaults }: Known,
): string | { readonly refused: string } {
  const root = document.contents;
  if (root === null || (isScalar(root) && root.value === null)) return startText(text, edit, defaults);
  if (!isMap(root)) return { refused: "The file does not have sections; edit it in the YAML tab" };
  const pair = pairOf(root, edit.name);
  switch (edit.kind) {
    case "add":
      if (pair !== undefined) return { refused: `There is already a section ${JSON.stringify(edit.name)}` };
      return addSection(text, document, root, { ...edit, values: writtenOf(edit.values, defaults) });
    case "rename":
      if (pair === undefined) return { refused: missing(edit.name) };
      return splice(text, [{
        start: startOf(pair),
        end: startOf(pair) + keyLength(pair),
        text: flowText(edit.to),
      }]);
    case "remove":
      return pair === undefined ? { refused: missing(edit.name) } : removeSection(text, root, pair);
    case "change": {
      if (pair === undefined) return { refused: missing(edit.name) };
      if (!isMap(pair.value)) return { refused: BY_REFERENCE };
      const current = before.get(edit.name);
      const has = typeof current === "object" && current !== null ? { ...current } : {};
      return changeSection(text, edit.name, pair.value, edit.values, {
        has,
        defaults,
        style: styleOf(text, root),
      });
    }
  }
}

/** Longer names are none of a VM type. */
const MAX_SHOWN_CHARS = 100;

function missing(name: string): string {
  return `config.yaml has no section ${JSON.stringify(name.slice(0, MAX_SHOWN_CHARS))} any more`;
}

function keyLength({ key }: Pair): number {
  const [start, end] = (key as { readonly range?: readonly [number, number, number] }).range ?? [0, 0, 0];
  return end - start;
}

/** A first section in a text that has none, after its comments. */
function startText(
  text: string,
  edit: ConfigurationEdit,
  defaults: Defaults,
): string | { readonly refused: string } {
  if (edit.kind !== "add") return { refused: missing(edit.name) };
  const start = text.trim() === "" ? "" : `${text.trimEnd()}\n\n`;
  return start + pairText(edit.name, writtenOf(edit.values, defaults), 0, { indent: INDENT, flow: false });
}

const INDENT = 2;

/** Writes new sections as the present ones are written. */
function styleOf(text: string, root: YAMLMap): Style {
  const maps = root.items.flatMap(({ value }) => isMap(value) && !value.flow ? [value] : []);
  const first = maps[0]?.items[0];
  const indent = first === undefined ? INDENT : startOf(first) - lineStart(text, startOf(first));
  const inner = maps.flatMap(({ items }) => items.flatMap(({ value }) => isMap(value) ? [value] : []));
  return { indent: indent > 0 ? indent : INDENT, flow: inner[0]?.flow ?? false };
}

/** What a new section says: values that differ from what applies without them. */
function writtenOf(values: SectionValues, defaults: Defaults): Record<string, Value> {
  const isWritten = (entry: [string, Value | undefined]): entry is [string, Value] =>
    entry[1] !== undefined && !isEqual(entry[1], defaults[entry[0]]);
  return Object.fromEntries(Object.entries(values).filter(isWritten));
}

function addSection(
  text: string,
  document: Document,
  root: YAMLMap,
  { name, values, copyOf }: { name: string; values: Record<string, Value>; copyOf?: string },
): string | { readonly refused: string } {
  const source = copyOf === undefined ? undefined : pairOf(root, copyOf);
  if (copyOf !== undefined && source === undefined) return { refused: missing(copyOf) };
  const style = styleOf(text, root);
  if (root.flow) return splice(text, insertPair(text, root, name, values, style));
  if (source !== undefined && !hasAnchors(source)) {
    const [start, end] = blockOf(text, source);
    const copy = flowText(name) + text.slice(start + keyLength(source), end).trimEnd();
    return splice(text, insertLines(text, end, `\n${copy}\n`));
  }
  const copied = source === undefined ? {} : plainOf(document, source);
  const last = root.items.at(-1);
  const at = last === undefined ? text.length : blockOf(text, last)[1];
  const written = pairText(name, { ...copied, ...values }, 0, style);
  return splice(text, insertLines(text, at, `\n${written}`));
}

function plainOf(document: Document, { value }: Pair): Record<string, Value> {
  const plain = (value as { toJS(document: Document): Value }).toJS(document);
  return isRecord(plain) ? { ...plain } : {};
}

function hasAnchors({ value }: Pair): boolean {
  let found = false;
  visit(value as Parameters<typeof visit>[0], (_key, node) => {
    if (typeof node === "object" && node !== null && "anchor" in node && node.anchor !== undefined) {
      found = true;
      return visit.BREAK;
    }
  });
  return found;
}

/** A section's lines: those of its values, and indented comments below them. */
function blockOf(text: string, pair: Pair): [start: number, end: number] {
  let end = lineEnd(text, endOf(pair));
  for (let next = end; next < text.length;) {
    const after = lineEnd(text, next + 1);
    const line = text.slice(next, after);
    if (/^[ \t]+#/.test(line)) end = after;
    else if (line.trim() !== "") break;
    next = after;
  }
  return [startOf(pair), end];
}

function removeSection(text: string, root: YAMLMap, pair: Pair): string {
  if (root.flow) {
    const at = root.items.indexOf(pair);
    const next = root.items[at + 1];
    const previous = root.items[at - 1];
    const [start, end] = next !== undefined
      ? [startOf(pair), startOf(next)]
      : [previous === undefined ? startOf(pair) : endOf(previous), endOf(pair)];
    return splice(text, [{ start, end, text: "" }]);
  }
  const [start, end] = blockOf(text, pair);
  const rest = text.slice(end).replace(/^(?:[ \t]*\r?\n)+/, "");
  const head = text.slice(0, start);
  return rest === "" ? `${head.trimEnd()}\n` : head + rest;
}

interface Present {
  readonly has: Readonly<Record<string, unknown>>;
  readonly defaults: Defaults;
  readonly style: Style;
}

/** First adds what is missing, after the last line as it stands, then changes and removes what was there. */
function changeSection(
  text: string,
  name: string,
  section: YAMLMap,
  values: SectionValues,
  present: Present,
): string {
  if (section.flow) return changeFlowSection(text, section, values, present);
  const { has, defaults, style } = present;
  const changes = Object.entries(values).filter(([key, value]) =>
    !isEqual(has[key], value) && (has[key] !== undefined || !isEqual(defaults[key], value))
  );
  const added = changes.flatMap(([key, value]): Splice[] =>
    value === undefined || pairOf(section, key) !== undefined
      ? []
      : insertPair(text, section, key, value, style)
  );
  const longer = splice(text, added);
  const root = parseDocument(longer, { merge: true }).contents;
  const again = isMap(root) ? pairOf(root, name)?.value : undefined;
  if (!isMap(again)) return longer;
  return splice(
    longer,
    changes.flatMap(([key, value]): Splice[] => {
      const pair = pairOf(again, key);
      if (pair === undefined || pairOf(section, key) === undefined) return [];
      return value === undefined ? [removeLines(longer, pair)] : replaceValue(longer, pair, value, style);
    }),
  );
}

/** A section in braces is written anew, in the order of its keys. */
function changeFlowSection(
  text: string,
  section: YAMLMap,
  values: SectionValues,
  { has, defaults }: Present,
): string {
  const all = new Map<string, unknown>(Object.entries(has));
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) all.delete(name);
    else if (all.has(name) || !isEqual(defaults[name], value)) all.set(name, value);
  }
  const [start = 0, end = 0] = section.range ?? [];
  return splice(text, [{ start, end, text: flowText(Object.fromEntries(all) as Record<string, Value>) }]);
}

/** Equal as data; the order of names counts, because disks and NICs have one. */
function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}

/** Whether the text now says what was wanted and everything else as before. */
function isAsWanted(edit: ConfigurationEdit, before: Sections, after: Sections, defaults: Defaults): boolean {
  const others = (sections: Sections, left: readonly string[]) =>
    [...sections].filter(([name]) => !left.includes(name));
  const names = edit.kind === "rename" ? [edit.name, edit.to] : [edit.name];
  if (!isEqual(others(before, names), others(after, names))) return false;
  const now = after.get(edit.name);
  switch (edit.kind) {
    case "rename":
      return now === undefined && isEqual(after.get(edit.to), before.get(edit.name));
    case "remove":
      return now === undefined;
    case "add":
      return edit.copyOf === undefined ? hasValues(now, edit.values, defaults) : now !== undefined;
    case "change":
      return hasValues(now, edit.values, defaults);
  }
}

function hasValues(section: unknown, values: SectionValues, defaults: Defaults): boolean {
  if (typeof section !== "object" || section === null) return false;
  const has: Readonly<Record<string, unknown>> = { ...section };
  return Object.entries(values).every(([name, value]) =>
    isEqual(has[name] ?? defaults[name], value ?? defaults[name])
  );
}
