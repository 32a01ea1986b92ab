/** Errors in files of seeds: the place is named, and the text, which can be a secret, never repeated. Pure. */
import type { YAMLError } from "../../configuration/yaml.ts";
import { ConfigurationError, type Problem } from "../../errors/errors.ts";

/** A text, and its file's name in messages. */
export interface Source {
  readonly file: string;
  readonly text: string;
}

/** What is wrong at an offset of a text; without one, with the whole of it. */
export interface Wrong {
  readonly message: string;
  readonly offset?: number;
}

/** The error for what is wrong with a file. */
export function seedError({ file, text }: Source, wrong: readonly Wrong[]): ConfigurationError {
  return new ConfigurationError(
    file,
    wrong.map(({ message, offset }): Problem => {
      if (offset === undefined) return { field: "", message };
      const before = text.slice(0, offset).split("\n");
      return { field: "", message, line: before.length, column: (before.at(-1) ?? "").length + 1 };
    }),
  );
}

/** What the YAML parser found, in words of ours: its own messages can repeat the text. */
const REASONS: Readonly<Partial<Record<YAMLError["code"], string>>> = {
  BAD_INDENT: "the indentation is wrong",
  TAB_AS_INDENT: "tabs cannot indent; use spaces",
  MISSING_CHAR: "a colon, a closing quote or a closing bracket is missing",
  DUPLICATE_KEY: "this key is there twice",
  MULTILINE_IMPLICIT_KEY: "a colon is missing, or a value needs quotes",
  BLOCK_AS_IMPLICIT_KEY: "a value needs quotes, or a list or mapping starts in the wrong place",
  BAD_SCALAR_START: "a value cannot start with this character; quote it",
  BAD_DQ_ESCAPE: "this is no escape in double quotes; use single quotes",
  UNEXPECTED_TOKEN: "this is not expected here",
};

/** What is wrong with a text that is not YAML: the first place, because the parser stumbles over what follows it. */
export function yamlProblems(errors: readonly YAMLError[]): Wrong[] {
  return errors.slice(0, 1).map(({ code, pos }) => ({
    message: `This is not valid YAML: ${REASONS[code] ?? "it cannot be read from here on"}`,
    offset: pos[0],
  }));
}
