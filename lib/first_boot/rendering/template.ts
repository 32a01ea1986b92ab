/**
 * Templates of seeds: `{{ vm.name }}` is replaced by its value, and nothing else is. Names that do not start with `vm.` or
 * `group.` belong to others (jinja, Go, Helm), whose sections, comments and triple braces a template language of its own would
 * take for its own; so the tags are found here, and what YAML needs quoted is found by its parser. Pure.
 */
import { parse, parseAllDocuments, Scalar, visit } from "../../configuration/yaml.ts";
import { seedError, type Source, type Wrong, yamlProblems } from "./places.ts";

/** The value of a variable; text is why this VM has none. */
export type Value = { readonly value: string | number } | { readonly none: string };

/** The variables by name: `vm.name`. */
export type Variables = ReadonlyMap<string, Value>;

/** How values are written: quoted as YAML needs it, or just as they are. */
export type Form = "yaml" | "text";

interface Tag {
  readonly start: number;
  readonly end: number;
  readonly name: string;
}

/** A tag that names one of our variables, well-formed or not, up to the end of its line. */
const TAG = /(\{?)\{\{([-~#^/&>!]?)[ \t]*((?:vm|group)\.[^\s{}|]*)([^{}\r\n]*)(\}{0,3})/g;

/**
 * Fills in a template.
 *
 * @throws {ConfigurationError} with file, line and column of a tag that is not known or not well-formed, or of what is not YAML.
 */
export function fillIn(source: Source, variables: Variables, form: Form): string {
  const { tags, wrong } = tagsIn(source.text);
  const missing = tags.flatMap(({ name, start }): Wrong[] => {
    const variable = variables.get(name);
    if (variable === undefined) return [{ message: unknownVariable(name, variables.keys()), offset: start }];
    return "none" in variable ? [{ message: `${name} has no value: ${variable.none}`, offset: start }] : [];
  });
  const problems = [...wrong, ...missing].toSorted((a, b) => (a.offset ?? 0) - (b.offset ?? 0));
  if (problems.length > 0) throw seedError(source, problems);
  const filled = tags.map((tag) => ({ ...tag, value: valueOf(variables.get(tag.name)) }));
  const edits = form === "yaml" ? yamlEdits(source, filled) : filled.map(textEdit(source));
  return edits.toSorted((a, b) => b.start - a.start).reduce(
    (text, { start, end, by }) => text.slice(0, start) + by + text.slice(end),
    source.text,
  );
}

/** What is wrong with the tags of a text, by the names there are; for texts that are checked without values. */
export function tagProblems(text: string, known: readonly string[]): string[] {
  const { tags, wrong } = tagsIn(text);
  const unknown = tags.filter(({ name }) => !known.includes(name));
  return [...wrong.map(({ message }) => message), ...unknown.map(({ name }) => unknownVariable(name, known))];
}

function unknownVariable(name: string, known: Iterable<string>): string {
  return `There is no variable ${name}; there are ${[...known].join(", ")}`;
}

function tagsIn(text: string): { readonly tags: readonly Tag[]; readonly wrong: readonly Wrong[] } {
  const tags: Tag[] = [];
  const wrong: Wrong[] = [];
  for (const match of text.matchAll(TAG)) {
    const [all, outer = "", sign = "", name = "", rest = "", close = ""] = match;
    const offset = match.index + outer.length;
    const message = tagProblem({ isTriple: outer !== "" && close === "}}}", sign, name, rest, close });
    if (message !== null) wrong.push({ message, offset });
    // Two braces are the tag's; one more is of the text around it: {ip: {{ vm.ip }}}.
    else tags.push({ start: offset, end: match.index + all.length - (close.length - 2), name });
  }
  return { tags, wrong };
}

interface TagParts {
  readonly isTriple: boolean;
  readonly sign: string;
  readonly name: string;
  readonly rest: string;
  readonly close: string;
}

function tagProblem({ isTriple, sign, name, rest, close }: TagParts): string | null {
  const written = `{{ ${name} }}`;
  if (sign !== "") return `Variables are only replaced: write ${written}, without ${sign}`;
  if (close.length < 2) return `A variable ends with two braces: write ${written}`;
  if (rest.trim() !== "") return `Only the name of a variable can be between the braces: write ${written}`;
  return isTriple ? `A variable has two braces on each side: write ${written}` : null;
}

function valueOf(variable: Value | undefined): string | number {
  if (variable === undefined || "none" in variable) {
    throw new Error("a variable without a value was not reported");
  }
  return variable.value;
}

interface FilledTag extends Tag {
  readonly value: string | number;
}

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly by: string;
}

/** What means the same in scripts and other languages, quoted or not. */
const PLAIN_TEXT = /^[\w.:/@-]*$/;

function textEdit(source: Source): (tag: FilledTag) => Edit {
  return ({ start, end, name, value }) => {
    const by = String(value);
    if (PLAIN_TEXT.test(by)) return { start, end, by };
    const message = `The value of ${name} has characters that a script could misread`;
    throw seedError(source, [{ message, offset: start }]);
  };
}

/** A tag is a mapping to YAML, so it is read with letters of the same length in the place of each. */
function yamlEdits(source: Source, tags: readonly FilledTag[]): Edit[] {
  const masked = tags.reduce(
    (text, { start, end }) => text.slice(0, start) + "x".repeat(end - start) + text.slice(end),
    source.text,
  );
  const documents = parseAllDocuments(masked, { prettyErrors: false, uniqueKeys: false });
  const edits: Edit[] = [];
  const others = new Set(tags);
  for (const document of documents) {
    if (document.errors.length > 0) throw seedError(source, yamlProblems(document.errors));
    visit(document, {
      Scalar(_key, node) {
        const [start = 0, end = 0] = node.range ?? [];
        const within = tags.filter((tag) => tag.start >= start && tag.end <= end);
        if (within.length === 0) return;
        for (const tag of within) others.delete(tag);
        edits.push({ start, end, by: scalar(source.text, { start, end, type: node.type, tags: within }) });
      },
    });
  }
  // The rest is in comments.
  return [...edits, ...[...others].map(textEdit(source))];
}

interface ScalarPart {
  readonly start: number;
  readonly end: number;
  readonly type: Scalar["type"];
  readonly tags: readonly FilledTag[];
}

/** A scalar with its tags replaced, in the style that it has, or quoted where a plain one would mean something else. */
function scalar(text: string, { start, end, type, tags }: ScalarPart): string {
  const with_ = (escape: (part: string, isValue: boolean) => string) => {
    const parts: string[] = [];
    let at = start;
    for (const tag of tags) {
      parts.push(escape(text.slice(at, tag.start), false), escape(String(tag.value), true));
      at = tag.end;
    }
    return [...parts, escape(text.slice(at, end), false)].join("");
  };
  if (type === Scalar.QUOTE_DOUBLE) return with_((part, isValue) => isValue ? escaped(part) : part);
  if (type === Scalar.QUOTE_SINGLE) {
    return with_((part, isValue) => isValue ? part.replaceAll("'", "''") : part);
  }
  const plain = with_((part) => part);
  if (type !== Scalar.PLAIN) return plain;
  const isNumber = tags.every(({ value }) => typeof value === "number");
  if (isNumber || plain.includes("\n") || meansItself(plain)) return plain;
  return `"${with_((part) => escaped(part))}"`;
}

function escaped(text: string): string {
  return JSON.stringify(text).slice(1, -1);
}

/** Whether a plain scalar is this very text to readers of YAML 1.1 and 1.2, in a list between brackets as well. */
function meansItself(text: string): boolean {
  return (["1.1", "1.2"] as const).every((version) => {
    // Warnings, which repeat the text, would go to the log.
    const options = { version, logLevel: "error" } as const;
    try {
      return parse(text, options) === text &&
        JSON.stringify(parse(`[${text}]`, options)) === JSON.stringify([text]);
    } catch {
      return false;
    }
  });
}
