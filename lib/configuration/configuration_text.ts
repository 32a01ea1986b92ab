/** config.yaml as text: the plain value that it stands for, and where each part of it stands. */
import { ConfigurationError } from "../errors/errors.ts";
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

/** A place in a file, both 1-based. */
export interface Place {
  /** From 1. */
  readonly line: number;
  /** From 1. */
  readonly column: number;
}

/** Where each value stands, by dotted path: `worker.disk.root`. */
export type Places = ReadonlyMap<string, Place>;

/** What a file says, not checked yet. */
export interface ConfigurationText {
  /** Plain data. */
  readonly value: unknown;
  /** Where each part stands. */
  readonly places: Places;
}

/** Aliases (`*name`) at most: more are a trap, not a configuration. */
const MAX_ALIASES = 100;

/**
 * Reads YAML; `source` is the file's name in messages.
 *
 * @throws {ConfigurationError} with line and column of what is no YAML.
 */
export function parseText(text: string, source: string): ConfigurationText {
  const lines = new LineCounter();
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: true });
  const at = (offset: number): Place => {
    const { line, col } = lines.linePos(offset);
    return { line, column: col };
  };
  if (document.errors.length > 0) {
    const problems = document.errors.map(({ message, pos }) => ({ field: "", message, ...at(pos[0]) }));
    throw new ConfigurationError(source, problems);
  }
  return { value: toPlain(document, source, at), places: placesOf(document, at) };
}

function toPlain(document: Document, source: string, at: (offset: number) => Place): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const offset = aliasOfNothing(document);
    const place = offset === undefined ? {} : at(offset);
    throw new ConfigurationError(source, [{ field: "", message, ...place }], { cause: error });
  }
}

/** Where the first alias stands whose anchor does not come before it. */
function aliasOfNothing(document: Document): number | undefined {
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
