/** Parts that the pages of VM types share: their tabs, rows of a form, and choices from the NAS. */
import type { Child } from "hono/jsx";
import type { Problem } from "../../../lib/errors/errors.ts";
import { Field, fieldId, Notice } from "../../parts/common.tsx";
import { Icon, Shape } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";

const TABS = [
  { tab: "types", label: "VM types", href: () => paths.types() },
  { tab: "yaml", label: "YAML", href: () => paths.typesYaml() },
  { tab: "versions", label: "Earlier versions", href: () => paths.typeVersions() },
] as const;

/** A tab of the configuration. */
export type ConfigurationTab = (typeof TABS)[number]["tab"];

/** The tabs of the configuration. */
export function ConfigurationTabs({ current }: { current: ConfigurationTab }) {
  return (
    <nav class="tabs" aria-label="Configuration">
      {TABS.map(({ tab, label, href }) => (
        <a href={href()} aria-current={tab === current ? "page" : undefined}>{label}</a>
      ))}
    </nav>
  );
}

/** The way back from a page below the list of types. */
export function TypeTrail({ children }: { children?: Child }) {
  return (
    <p class="trail">
      <a href={paths.types()}>VM types</a> <span aria-hidden="true">/</span> {children}
    </p>
  );
}

/** Says that the file cannot be saved here, and what to do. */
export function ReadOnlyNotice({ source, readOnly }: { source: string; readOnly: string | null }) {
  if (readOnly === null) return null;
  return (
    <Notice tone="warn">
      <p>
        <strong>{source} is read-only.</strong> {sentence(readOnly)}{" "}
        You can still edit here, then download the new file and put it in its place.
      </p>
    </Notice>
  );
}

/** The end of a sentence as a sentence of its own. */
export function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** The value of the choice that leads to the text field beside it; no dataset, path or bridge is called so. */
export const OTHER = "?";

/** What a choice from the NAS is given. */
export interface PickProps {
  readonly name: string;
  readonly label: string;
  readonly value: string;
  /** What the NAS has; null where the account may not read it. */
  readonly choices: readonly string[] | null;
  readonly problems: readonly Problem[];
  readonly help?: string;
  /** What to enter where nothing can be chosen. */
  readonly example?: string;
  /** What else can be typed: `Another file…`. */
  readonly other?: string;
  readonly hideLabel?: boolean;
  readonly icon?: "image" | "network" | "disk";
}

/** A choice from what the NAS has, or a text field where that is not known. */
export function Pick(props: PickProps) {
  const { name, label, value, choices, problems, help, example, other, hideLabel, icon } = props;
  if (choices === null || choices.length === 0) {
    const words = [help, example].filter((it) => it !== undefined).join(". ");
    const shown = { name, label, value, problems, ...(words === "" ? {} : { help: words }) };
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
          name={name}
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
        <input
          name={`${name}.other`}
          value={isOther ? value : ""}
          class="input other"
          aria-label={`${label}: another one`}
          autocomplete="off"
          spellcheck={false}
        />
      )}
      {help === undefined ? null : <p class="help" id={`${id}-help`}>{help}</p>}
      {own.length === 0 ? null : (
        <p class="error" id={`${id}-error`} data-error={name}>
          <Shape name="bad" />
          <span>{own.map(({ message }) => message).join(" · ")}</span>
        </p>
      )}
    </div>
  );
}

/** A button that answers with the same form, changed; htmx swaps only the form. */
export function FormButton({ name, value, label, class: extra = "btn plain", children }: {
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
      value={value}
      id={`button-${name}-${value.replaceAll(".", "-")}`}
      aria-label={label}
      formaction={paths.typeForm()}
      formnovalidate
      hx-post={paths.typeForm()}
      hx-target="#type-form"
      hx-select="#type-form"
      hx-swap="outerMorph"
    >
      {children}
    </button>
  );
}
