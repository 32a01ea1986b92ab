/** The text of a file in a form, with what is wrong with it. */
import type { Child } from "hono/jsx";
import type { Problem } from "../../../lib/errors/errors.ts";
import { FieldError, fieldId } from "../common.tsx";

/** What the field is given. */
export interface FileTextProps {
  /** Its name in the form. */
  readonly name: string;
  /** The file's name, as its label. */
  readonly label: string;
  readonly text: string;
  readonly problems: readonly Problem[];
  readonly help: string;
  /** The URL of the JSON Schema that a script completes from. */
  readonly schema?: string;
  /** What stands between the text and its help. */
  readonly children?: Child;
}

/** As many lines as the text has, within these. */
const ROWS = { fewest: 12, most: 40 } as const;

/** The field; all problems are its own. */
export function FileText({ name, label, text, problems, help, schema, children }: FileTextProps) {
  const id = fieldId(name);
  const isWrong = problems.length > 0;
  return (
    <div class={isWrong ? "field invalid" : "field"}>
      <label for={id}>{label}</label>
      <textarea
        id={id}
        name={name}
        class="input yaml-text"
        rows={Math.min(ROWS.most, Math.max(ROWS.fewest, text.split("\n").length + 1))}
        spellcheck={false}
        autocomplete="off"
        autocapitalize="off"
        wrap="off"
        data-schema={schema}
        aria-invalid={isWrong ? "true" : undefined}
        aria-describedby={`${id}-help${isWrong ? ` ${id}-error` : ""}`}
      >
        {/* The parser of HTML drops one line end at the start. */}
        {`\n${text}`}
      </textarea>
      {children}
      <p class="help" id={`${id}-help`}>{help}</p>
      <FieldError name={name} problems={problems} />
    </div>
  );
}
