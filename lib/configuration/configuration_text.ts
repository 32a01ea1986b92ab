/** Parses config.yaml into a plain value and the position of each part. */
import { ConfigurationError, type Problem } from "../errors/errors.ts";
import { reasonOf } from "../errors/system_errors.ts";
import {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parseDocument,
  visit,
} from "./yaml.ts";

/** A position in a file. */
export interface Place {
  /** Counted from 1. */
  readonly line: number;
  /** Counted from 1. */
  readonly column: number;
}

/** The position of each value, by dotted path: `worker.disk.root`. */
export type Places = ReadonlyMap<string, Place>;

/** A parsed file that has not been checked yet. */
export interface ConfigurationText {
  /** Plain data. */
  readonly value: unknown;
  /** The position of each part. */
  readonly places: Places;
}

/** Maximum number of aliases (`*name`), against files that expand exponentially. */
const MAX_ALIASES = 100;

/**
 * Parses YAML; `source` is the file's name in messages.
 *
 * @throws {ConfigurationError} with line and column when the text is not valid YAML.
 */
export function parseText(text: string, source: string): ConfigurationText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ message, pos }) => invalid(message, at(pos[0])));
    throw new ConfigurationError(source, problems);
  }
  const unquoted = keyInBraces(document);
  if (unquoted !== null) {
    throw new ConfigurationError(source, [{ field: "", message: UNQUOTED, ...at(unquoted) }]);
  }
  return { value: toPlain(document, source, at), places: placesOf(document, at) };
}

function toPlain(document: Document, source: string, at: (offset: number) => Place): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    const offset = undefinedAlias(document);
    const problem = invalid(reasonOf(error), offset === undefined ? {} : at(offset));
    throw new ConfigurationError(source, [problem], { cause: error });
  }
}

const UNQUOTED =
  'Braces begin a mapping in YAML; write text that begins with them in quotes: "{{ vm.name }}"';

/** Where a mapping is the key of another one, which nothing here has: `hostname: {{ vm.name }}`; null where none is. */
function keyInBraces(document: Document): number | null {
  let offset: number | null = null;
  visit(document, {
    Pair: (_key, { key }) => {
      if (!isCollection(key)) return;
      offset = Math.max(0, (key.range?.[0] ?? 1) - 1);
      return visit.BREAK;
    },
  });
  return offset;
}

/** The YAML parser's message is the reason. */
function invalid(reason: string, place: Partial<Place>): Problem {
  return { field: "", message: `Invalid YAML: ${reason}`, ...place };
}

/** Position of the first alias whose anchor is not defined before it. */
function undefinedAlias(document: Document): number | undefined {
  const anchors = new Set<string>();
  let offset: number | undefined;
  visit(document, (_key, node) => {
    if (isAlias(node) && !anchors.has(node.source)) {
      offset = node.range?.[0];
      return visit.BREAK;
    }
    if ((isScalar(node) || isCollection(node)) && node.anchor !== undefined) anchors.add(node.anchor);
  });
  return offset;
}

function placesOf(document: Document, at: (offset: number) => Place): Places {
  const places = new Map<string, Place>();
  const visit = (node: unknown, path: readonly string[]): void => {
    if (!isMap(node)) return;
    for (const { key, value } of node.items) {
      const name = isScalar(key) ? String(key.value) : "";
      const offset = (isScalar(value) ? value.range : (key as Node | null)?.range)?.[0];
      if (offset !== undefined) places.set([...path, name].join("."), at(offset));
      visit(value, [...path, name]);
    }
  };
  visit(document.contents, []);
  return places;
}
