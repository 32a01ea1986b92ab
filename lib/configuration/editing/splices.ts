/** Changes a YAML text at the places of its nodes, so that every other character stays as it is. Pure. */
import { isMap, isScalar, isSeq, type Node, type Pair, parse, type YAMLMap } from "../yaml.ts";

/** Replaces a part of a text. */
export interface Splice {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** What a form can put into a configuration. */
export type Value = string | number | boolean | readonly Value[] | { readonly [name: string]: Value };

/** How a new value is written. */
export interface Style {
  /** Spaces of one level. */
  readonly indent: number;
  /** Whether maps below a section stand on one line, in braces. */
  readonly flow: boolean;
}

/** Applies splices that do not overlap, those of one place in their order, with the text's own line ends. */
export function splice(text: string, splices: readonly Splice[]): string {
  const eol = text.includes("\r\n") ? "\r\n" : "\n";
  let result = text;
  for (
    const { start, end, text: added } of splices.toReversed().sort((a, b) =>
      b.start - a.start || b.end - a.end
    )
  ) {
    result = result.slice(0, start) + added.replaceAll(/\r?\n/g, eol) + result.slice(end);
  }
  return result;
}

/** The name of a pair's key. */
export function keyOf({ key }: Pair): string {
  return isScalar(key) ? String(key.value) : "";
}

/** The pair of this name. */
export function pairOf(map: YAMLMap, name: string): Pair | undefined {
  return map.items.find((pair) => keyOf(pair) === name);
}

function rangeOf(node: unknown): readonly [start: number, end: number] {
  const [start = 0, end = 0] = (node as Node | null)?.range ?? [];
  return [start, end];
}

/** Where a pair begins. */
export function startOf({ key }: Pair): number {
  return rangeOf(key)[0];
}

/** Where the last character of a pair is, without what stands after it on its line. */
export function endOf({ key, value }: Pair): number {
  return value === null || value === undefined ? rangeOf(key)[1] : endOfNode(value);
}

function endOfNode(node: unknown): number {
  if (isMap(node) && !node.flow) {
    const last = node.items.at(-1);
    return last === undefined ? rangeOf(node)[1] : endOf(last);
  }
  if (isSeq(node) && !node.flow) {
    const last = node.items.at(-1);
    return last === undefined ? rangeOf(node)[1] : endOfNode(last);
  }
  return rangeOf(node)[1];
}

/** The start of the line that a position is on. */
export function lineStart(text: string, position: number): number {
  return text.lastIndexOf("\n", position - 1) + 1;
}

/** The end of the line that a position is on, after its line end. */
export function lineEnd(text: string, position: number): number {
  if (position > 0 && text[position - 1] === "\n") return position;
  const end = text.indexOf("\n", position);
  return end < 0 ? text.length : end + 1;
}

/** Replaces a value by another of the same place. */
export function replaceValue(text: string, pair: Pair, value: Value, style: Style): Splice[] {
  const node = pair.value;
  if (isMap(node) && !node.flow && isRecord(value) && Object.keys(value).length > 0) {
    return editBlockMap(text, node, value, style);
  }
  const isBlock = (isMap(node) || isSeq(node)) && !node.flow;
  const isBlockText = isScalar(node) && (node.type === "BLOCK_FOLDED" || node.type === "BLOCK_LITERAL");
  const [start, end] = rangeOf(node);
  // What fills lines of its own is replaced together with its key.
  if (isBlock || isBlockText || start === end) {
    const written = `${text.slice(startOf(pair), rangeOf(pair.key)[1])}: ${flowText(value)}`;
    return [{ start: startOf(pair), end: trimmedEnd(text, startOf(pair), endOf(pair)), text: written }];
  }
  return [{ start, end, text: flowText(value) }];
}

/** A block's end may lie after its last line end. */
function trimmedEnd(text: string, start: number, end: number): number {
  return start + text.slice(start, end).trimEnd().length;
}

/** Changes the entries of a map that has one line each; a name that changed at its place keeps the line. */
function editBlockMap(
  text: string,
  map: YAMLMap,
  wanted: Readonly<Record<string, Value>>,
  style: Style,
): Splice[] {
  const names = Object.keys(wanted);
  const present = map.items.map(keyOf);
  const renamed = present.length !== names.length ? new Map<string, string>() : new Map(
    present.flatMap((name, at) => {
      const other = names[at] ?? name;
      return names.includes(name) || present.includes(other) ? [] : [[name, other] as const];
    }),
  );
  const left = present.map((name) => renamed.get(name) ?? name).filter((name) => names.includes(name));
  const added = names.filter((name) => !left.includes(name));
  if ([...left, ...added].join("\n") !== names.join("\n")) return reorderLines(text, map, wanted, style);
  return [
    ...map.items.flatMap((pair): Splice[] => {
      const name = renamed.get(keyOf(pair)) ?? keyOf(pair);
      const value = wanted[name];
      if (value === undefined) return [removeLines(text, pair)];
      const [start, end] = rangeOf(pair.key);
      const key = name === keyOf(pair) ? [] : [{ start, end, text: flowText(name) }];
      return [...key, ...(isSame(pair.value, value) ? [] : replaceValue(text, pair, value, style))];
    }),
    ...added.flatMap((name) => insertPair(text, map, name, wanted[name] ?? "", style)),
  ];
}

/** Writes the lines of a map in another order, each with the comments above and behind it. */
function reorderLines(
  text: string,
  map: YAMLMap,
  wanted: Readonly<Record<string, Value>>,
  style: Style,
): Splice[] {
  const [first] = map.items;
  const last = map.items.at(-1);
  if (first === undefined || last === undefined) return [];
  const [start, end] = [lineStart(text, startOf(first)), lineEnd(text, endOf(last))];
  const lines = Object.entries(wanted).map(([name, value]) => {
    const at = map.items.findIndex((pair) => keyOf(pair) === name);
    const pair = map.items[at];
    if (pair === undefined) return pairText(name, value, startOf(first) - start, style);
    const previous = map.items[at - 1];
    const from = previous === undefined ? start : lineEnd(text, endOf(previous));
    const changes = isSame(pair.value, value) ? [] : replaceValue(text, pair, value, style);
    const shifted = changes.map((it) => ({ ...it, start: it.start - from, end: it.end - from }));
    return `${splice(text.slice(from, lineEnd(text, endOf(pair))), shifted).trimEnd()}\n`;
  });
  return [{ start, end, text: text[end - 1] === "\n" ? lines.join("") : lines.join("").trimEnd() }];
}

/** Whether a node has this value, for nodes without aliases. */
function isSame(node: unknown, value: Value): boolean {
  if (isScalar(node)) return node.value === value;
  if (isSeq(node)) {
    return Array.isArray(value) && node.items.length === value.length &&
      node.items.every((item, at) => isSame(item, value[at] ?? ""));
  }
  if (!isMap(node) || !isRecord(value)) return false;
  const entries = Object.entries(value);
  return node.items.length === entries.length &&
    node.items.every((pair, at) =>
      keyOf(pair) === entries[at]?.[0] && isSame(pair.value, entries[at]?.[1] ?? "")
    );
}

/** Removes a pair of a block map with its lines. */
export function removeLines(text: string, pair: Pair): Splice {
  return { start: lineStart(text, startOf(pair)), end: lineEnd(text, endOf(pair)), text: "" };
}

/** Adds a pair at the end of a map. */
export function insertPair(text: string, map: YAMLMap, name: string, value: Value, style: Style): Splice[] {
  const last = map.items.at(-1);
  if (last === undefined) {
    const [start, end] = rangeOf(map);
    return [{ start, end, text: `{ ${flowText(name)}: ${flowText(value)} }` }];
  }
  if (map.flow) {
    return [{ start: endOf(last), end: endOf(last), text: `, ${flowText(name)}: ${flowText(value)}` }];
  }
  const indent = startOf(last) - lineStart(text, startOf(last));
  return insertLines(text, endOf(last), pairText(name, value, indent, style));
}

/** Adds lines after the line of a position. */
export function insertLines(text: string, position: number, lines: string): Splice[] {
  const at = lineEnd(text, position);
  const isOpen = at > 0 && text[at - 1] !== "\n";
  return [{ start: at, end: at, text: isOpen ? `\n${lines.trimEnd()}` : lines }];
}

/** A pair as lines of a block. */
export function pairText(name: string, value: Value, indent: number, style: Style): string {
  const start = `${" ".repeat(indent)}${flowText(name)}:`;
  if (!isRecord(value) || Object.keys(value).length === 0 || (style.flow && indent > 0)) {
    return `${start} ${flowText(value)}\n`;
  }
  const inner = Object.entries(value).map(([key, it]) => pairText(key, it, indent + style.indent, style));
  return `${start}\n${inner.join("")}`;
}

/** A value on one line. */
export function flowText(value: Value): string {
  if (typeof value === "string") return isPlain(value) ? value : quoted(value);
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  if (!isRecord(value)) return `[${value.map(flowText).join(", ")}]`;
  const entries = Object.entries(value).map(([name, it]) => `${flowText(name)}: ${flowText(it)}`);
  return entries.length === 0 ? "{}" : `{ ${entries.join(", ")} }`;
}

/** JSON, with what YAML cannot contain, or takes for a line's end, escaped as well. */
function quoted(text: string): string {
  return JSON.stringify(text).replaceAll(
    /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

/** Whether a text can stand without quotes, also within braces, and for readers of YAML 1.1, to which `on` is true. */
function isPlain(text: string): boolean {
  return /^[A-Za-z0-9_./][\w./ -]*$/.test(text) && !text.endsWith(" ") &&
    (["1.1", "1.2"] as const).every((version) => parse(text, { version }) === text);
}

/** Whether a value is a map. */
export function isRecord(value: Value): value is { readonly [name: string]: Value } {
  return typeof value === "object" && !Array.isArray(value);
}
