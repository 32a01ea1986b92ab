/** Fields that only set-up has: secrets, and choices with a line each. */
import type { Child } from "hono/jsx";
import type { Problem } from "../../../lib/errors/errors.ts";
import { FieldError, fieldId } from "../../parts/common.tsx";

/** Props of a field for a secret. */
export interface SecretFieldProps {
  readonly name: string;
  readonly label: string;
  readonly problems: readonly Problem[];
  readonly help?: string;
  readonly autocomplete?: "new-password" | "current-password" | "off";
  /** Shown while it is typed, because it is used once. */
  readonly plain?: boolean;
  readonly class?: string;
}

/** A field for a secret. It is never filled in by the page. */
export function SecretField(props: SecretFieldProps) {
  const { name, label, problems, help, autocomplete = "off", plain = false, class: extra = "" } = props;
  const own = problems.filter(({ field }) => field === name);
  const id = fieldId(name);
  const described = [help === undefined ? "" : `${id}-help`, own.length === 0 ? "" : `${id}-error`].join(" ")
    .trim();
  return (
    <div class={`field ${own.length === 0 ? "" : "invalid"} ${extra}`.trim().replaceAll(/ +/g, " ")}>
      <label for={id}>{label}</label>
      <input
        id={id}
        name={name}
        class="input"
        type={plain ? "text" : "password"}
        autocomplete={autocomplete}
        spellcheck={false}
        aria-invalid={own.length === 0 ? undefined : "true"}
        aria-describedby={described === "" ? undefined : described}
      />
      {help === undefined ? null : <p class="help" id={`${id}-help`}>{help}</p>}
      <FieldError name={name} problems={own} />
    </div>
  );
}

/** One of several values, with a line for each. */
export function Pick(
  { name, value, chosen, note, children }: {
    name: string;
    value: string;
    chosen: boolean;
    note?: string | null;
    children?: Child;
  },
) {
  return (
    <label>
      <input type="radio" name={name} value={value} checked={chosen} />
      <span dir="auto">{children}</span>
      <span class="soft sm">{note ?? ""}</span>
    </label>
  );
}
