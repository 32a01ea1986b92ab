/** Inputs of a VM type's form: choices from the NAS, and buttons that answer with the same form. */
import type { Child } from "hono/jsx";
import type { Problem } from "../../../lib/errors/errors.ts";
import { Field, FieldError, fieldId } from "../common.tsx";
import { Icon } from "../icons.tsx";

/** The value of the choice that leads to the text field beside it; no dataset, path or bridge is called so. */
export const OTHER = "?";

/** What was chosen, or typed beside a choice that offers something else. */
export function picked(fields: URLSearchParams, name: string): string {
  const value = fields.get(name)?.trim() ?? "";
  const other = `${name}.other`;
  // Where there is no choice, the same character was typed.
  return value === OTHER && fields.has(other) ? fields.get(other)?.trim() ?? "" : value;
}

/** What a choice from the NAS is given. */
export interface PickProps {
  /** The field name in problems, from which the id is derived. */
  readonly name: string;
  /** Its name in the submitted form; by default the same. */
  readonly sentAs?: string;
  readonly label: string;
  readonly value: string;
  /** What the NAS has; null where the account may not read it. */
  readonly choices: readonly string[] | null;
  readonly problems: readonly Problem[];
  readonly help?: string;
  /** What to enter where nothing can be chosen, or something else than what can. */
  readonly example?: string;
  /** What else can be typed: `Another file…`. */
  readonly other?: string;
  readonly hideLabel?: boolean;
  readonly icon?: "image" | "network" | "disk";
}

/** A choice from what the NAS has, or a text field where that is not known. */
export function Pick(props: PickProps) {
  const { name, sentAs = name, label, value, choices, problems, help, example, other, hideLabel, icon } =
    props;
  if (choices === null || choices.length === 0) {
    const words = [help, example].filter((it) => it !== undefined).join(". ");
    const shown = { name, sentAs, label, value, problems, ...(words === "" ? {} : { help: words }) };
    return <Field {...shown} hideLabel={hideLabel ?? false} />;
  }
  const own = problems.filter(({ field }) => field === name);
  const id = fieldId(name);
  const isKnown = choices.includes(value);
  const isOther = other !== undefined && value !== "" && !isKnown;
  const described = [help === undefined ? "" : `${id}-help`, own.length === 0 ? "" : `${id}-error`].join(" ")
    .trim();
  return (
    <div class={own.length === 0 ? "field" : "field invalid"}>
      <label for={id} class={hideLabel ? "visually-hidden" : undefined}>{label}</label>
      <span class="pick">
        {icon === undefined ? null : <Icon name={icon} class="lead" />}
        <select
          id={id}
          name={sentAs}
          class="select"
          aria-invalid={own.length === 0 ? undefined : "true"}
          aria-describedby={described === "" ? undefined : described}
        >
          {value === "" ? <option value="" selected>Choose…</option> : null}
          {choices.map((choice) => <option value={choice} selected={choice === value}>{choice}</option>)}
          {value === "" || isKnown || isOther
            ? null
            : <option value={value} selected>{value} (not on the NAS)</option>}
          {other === undefined ? null : <option value={OTHER} selected={isOther}>{other}</option>}
        </select>
        <Icon name="chevron" />
      </span>
      {other === undefined ? null : (
        <>
          <input
            name={`${sentAs}.other`}
            value={isOther ? value : ""}
            class="input other"
            aria-label={`${label}: another one`}
            aria-describedby={example === undefined ? undefined : `${id}-example`}
            autocomplete="off"
            spellcheck={false}
          />
          {example === undefined ? null : <p class="help other" id={`${id}-example`}>{example}</p>}
        </>
      )}
      {help === undefined ? null : <p class="help" id={`${id}-help`}>{help}</p>}
      <FieldError name={name} problems={own} />
    </div>
  );
}

/** The form that fields are in. */
export interface FormPlace {
  /** Before the name of every field: `worker.` where a form has several types. */
  readonly prefix: string;
  /** The form's id. */
  readonly id: string;
  /** The id of what a button replaces; default the form. */
  readonly swaps?: string;
  /** What answers with the same form, changed. */
  readonly action: () => string;
}

/** A button that answers with the same form, changed; htmx swaps only the form. */
export function FormButton({ place, name, value, label, class: extra = "btn plain", children }: {
  readonly place: FormPlace;
  readonly name: string;
  readonly value: string;
  /** For a button that shows only a sign. */
  readonly label?: string;
  readonly class?: string;
  readonly children?: Child;
}) {
  return (
    <button
      type="submit"
      class={extra}
      name={name}
      value={place.prefix + value}
      id={`button-${name}-${(place.prefix + value).replaceAll(/\W/g, "-")}`}
      aria-label={label}
      formaction={place.action()}
      formnovalidate
      hx-post={place.action()}
      hx-target={`#${place.swaps ?? place.id}`}
      hx-select={`#${place.swaps ?? place.id}`}
      hx-swap="outerMorph"
    >
      {children}
    </button>
  );
}
