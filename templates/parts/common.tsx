/** Small parts that several pages use. */
import type { Child } from "hono/jsx";
import type { Problem } from "../../lib/errors/errors.ts";
import { paths } from "../paths.ts";
import { Icon, Shape, type ShapeName } from "./icons.tsx";
import { Said } from "./said.tsx";

/** The five tones. */
export type Tone = "quiet" | "good" | "busy" | "warn" | "bad";

/** The shape of each tone; what is alive has its own. */
export const SHAPES = {
  quiet: "quiet",
  good: "done",
  busy: "busy",
  warn: "warn",
  bad: "bad",
} as const satisfies Record<Tone, ShapeName>;

/** A state, shown by shape, word and colour. */
export function State({ tone, word, shape = SHAPES[tone] }: { tone: Tone; word: string; shape?: ShapeName }) {
  return (
    <span class={`state ${tone}`}>
      <Shape name={shape} />
      {word}
    </span>
  );
}

/**
 * A time of day, with the whole date for machines and on hover: in UTC, which the browser turns into the reader's own
 * (static/times.js). `at` is milliseconds since 1970 (UTC).
 */
export function Time({ at }: { at: number }) {
  const iso = new Date(at).toISOString();
  return <time datetime={iso} title={iso}>{timeOfDay(iso)} UTC</time>;
}

/** A date and time of day. */
export function DateTime({ at }: { at: number }) {
  const iso = new Date(at).toISOString();
  return (
    <time datetime={iso} title={iso} data-shows="date">
      {iso.slice(0, "2026-11-26".length)} {timeOfDay(iso)} UTC
    </time>
  );
}

function timeOfDay(iso: string): string {
  return iso.slice("2026-11-26T".length, "2026-11-26T15:04:05".length);
}

/** What a notice is given. */
export interface NoticeProps {
  readonly tone: Tone;
  readonly id?: string;
  /** `status` or `alert`, for one that appears while somebody reads the page. */
  readonly role?: "status" | "alert";
  /** Shown later, by a script. */
  readonly hidden?: boolean;
  readonly children?: Child;
}

/** A notice above what it is about. */
export function Notice({ tone, id, role, hidden, children }: NoticeProps) {
  return (
    <div class={`notice ${tone}`} id={id} role={role} hidden={hidden}>
      <Shape name={SHAPES[tone]} />
      <div>{children}</div>
    </div>
  );
}

/** A warning at the top of a page; nothing if the text is null. */
export function Warning({ text }: { text: string | null }) {
  if (text === null) return null;
  return (
    <Notice tone="warn">
      <p>
        <Said text={text} />
      </p>
    </Notice>
  );
}

/** Links from a page back to the list, and to a VM. */
export function VmTrail({ vm }: { vm?: { readonly id: number; readonly name: string } }) {
  return (
    <nav class="trail" aria-label="Breadcrumb">
      <a href={paths.home()}>VMs</a>
      {vm === undefined ? null : (
        <>
          <span aria-hidden="true">/</span>
          <a href={paths.vm(vm.id)} dir="auto">{vm.name}</a>
        </>
      )}
    </nav>
  );
}

/** A name and its value, in a list of class `facts`. */
export function Fact({ label, children }: { label: string; children?: Child }) {
  return (
    <div>
      <dt>{label}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** The head of a table; `numeric` names the columns of numbers. */
export function TableHead(
  { columns, numeric = [] }: { columns: readonly string[]; numeric?: readonly string[] },
) {
  return (
    <thead>
      <tr>
        {columns.map((column) => (
          <th scope="col" class={numeric.includes(column) ? "num" : undefined}>{column}</th>
        ))}
      </tr>
    </thead>
  );
}

/** Shown to viewers in place of a form. */
export function ViewerNotice() {
  return (
    <Notice tone="quiet">
      <p id="viewer-notice">
        Viewers cannot make changes. To do this, sign out and sign in with the administrator's password.
      </p>
    </Notice>
  );
}

/** The id of a field's input, from its name. */
export function fieldId(name: string): string {
  return `field-${name.replaceAll(/[^A-Za-z0-9_]+/g, "-")}`;
}

/** Every problem of a form, linked to its field. It takes the focus when the page opens. */
export function ErrorSummary({ problems }: { problems: readonly Problem[] }) {
  if (problems.length === 0) return null;
  return (
    <div class="notice bad" id="error-summary" role="alert" tabindex={-1} autofocus>
      <Shape name="bad" />
      <div>
        <h2>{problems.length === 1 ? "There is a problem" : `There are ${problems.length} problems`}</h2>
        <ul>
          {problems.map(({ field, message, line }) => (
            <li>
              {field === "" ? <Said text={message} /> : (
                <a href={`#${fieldId(field)}`}>
                  <Said text={message} />
                </a>
              )}
              {line === undefined ? null : <span class="where">config.yaml line {line}</span>}
            </li>
          ))}
        </ul>
      </div>
    </div>
  );
}

/** Props of a text field. */
export interface FieldProps {
  /** The field name in problems, from which the id is derived. */
  readonly name: string;
  /** Its name in the submitted form; by default the same. */
  readonly sentAs?: string;
  readonly label: string;
  readonly value: string;
  readonly problems: readonly Problem[];
  readonly help?: string;
  readonly numeric?: boolean;
  /** Shows the label to screen readers only, where a column head already says it. */
  readonly hideLabel?: boolean;
  /** The only entry that is accepted, in any case of letters; the server checks it again. */
  readonly exactly?: string;
  /** Takes the focus when the page, or this part of it, arrives. */
  readonly autofocus?: boolean;
}

/** A text field with its label, help and errors. Numbers use it too, because it can show invalid input again. */
export function Field(
  { name, sentAs, label, value, problems, help, numeric, hideLabel, exactly, autofocus }: FieldProps,
) {
  const own = problems.filter(({ field }) => field === name);
  const id = fieldId(name);
  const described = [help === undefined ? "" : `${id}-help`, own.length === 0 ? "" : `${id}-error`].join(" ")
    .trim();
  return (
    <div class={own.length === 0 ? "field" : "field invalid"}>
      <label for={id} class={hideLabel ? "visually-hidden" : undefined}>
        <Said text={label} />
      </label>
      <input
        id={id}
        name={sentAs ?? name}
        value={value}
        class={numeric ? "input num" : "input"}
        inputmode={numeric ? "numeric" : undefined}
        autocomplete="off"
        spellcheck={false}
        autofocus={autofocus}
        required={exactly === undefined ? undefined : true}
        pattern={exactly === undefined ? undefined : patternOf(exactly)}
        title={exactly === undefined ? undefined : `Type ${exactly}`}
        aria-invalid={own.length === 0 ? undefined : "true"}
        aria-describedby={described === "" ? undefined : described}
      />
      {help === undefined ? null : (
        <p class="help" id={`${id}-help`}>
          <Said text={help} />
        </p>
      )}
      <FieldError name={name} problems={own} />
    </div>
  );
}

/** A pattern that matches only this text, in any case of letters and with space around it. */
function patternOf(text: string): string {
  const letters = [...text].map((letter) => {
    const cases = [...new Set([letter.toLowerCase(), letter.toUpperCase(), letter])];
    return cases.length === 1 ? escaped(letter) : `(?:${cases.map(escaped).join("|")})`;
  });
  return `\\s*${letters.join("")}\\s*`;
}

function escaped(text: string): string {
  return [...text].map((letter) =>
    /[A-Za-z0-9_]/.test(letter) ? letter : `\\u{${letter.codePointAt(0)?.toString(16)}}`
  ).join("");
}

/** What is wrong with a field, below it; nothing when it is right. */
export function FieldError({ name, problems }: { name: string; problems: readonly Problem[] }) {
  if (problems.length === 0) return null;
  return (
    <p class="error" id={`${fieldId(name)}-error`}>
      <Shape name="bad" />
      <span data-error={name}>
        <Said text={problems.map(({ message }) => message).join(" · ")} />
      </span>
    </p>
  );
}

/** Props of a choice. */
export interface ChoiceProps {
  readonly name: string;
  /** By default derived from the name. */
  readonly id?: string;
  readonly label: string;
  readonly value: string;
  /** Labels by value. */
  readonly choices: Readonly<Record<string, string>>;
  readonly problems?: readonly Problem[];
}

/** One of a few values. */
export function Choice({ name, id = fieldId(name), label, value, choices, problems = [] }: ChoiceProps) {
  const own = problems.filter(({ field }) => field === name);
  return (
    <div class={own.length === 0 ? "field" : "field invalid"}>
      <label for={id}>{label}</label>
      <span class="pick">
        <select
          id={id}
          name={name}
          class="select"
          aria-describedby={own.length === 0 ? undefined : `${id}-error`}
        >
          {Object.entries(choices).map(([choice, words]) => (
            <option value={choice} selected={choice === value}>{words}</option>
          ))}
        </select>
        <Icon name="chevron" />
      </span>
      <FieldError name={name} problems={own} />
    </div>
  );
}

/** Copies an element's text; hidden without JavaScript. */
export function CopyButton({ of, label }: { of: string; label: string }) {
  return (
    <button type="button" class="btn scripted" data-copy={of}>
      <Icon name="copy" />
      <span>{label}</span>
    </button>
  );
}

/** Copies a text that stands before it; hidden without JavaScript. */
export function CopyText({ text }: { text: string }) {
  return (
    <button type="button" class="copy" data-text={text} aria-label={`Copy ${text}`}>
      <Icon name="copy" />
    </button>
  );
}

/** Props of a tick box. */
export interface TickProps {
  readonly name: string;
  /** Needed if several forms of a page use the name; by default derived from it. */
  readonly id?: string;
  readonly label: string;
  readonly ticked: boolean;
}

/** A tick box; its hidden field distinguishes an unticked box from an absent one. */
export function Tick({ name, id, label, ticked }: TickProps) {
  return (
    <label class="check">
      <input type="hidden" name={name} value="no" />
      <input type="checkbox" id={id ?? fieldId(name)} name={name} value="yes" checked={ticked} />
      {label}
    </label>
  );
}
