/** What a change does to the configuration, line by line, before it is saved. */
import type { DiffLine, DiffPart } from "../../../lib/configuration/editing/line_diff.ts";
import { formatCount } from "../../../lib/units.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { Notice } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";
import { sentence, TypeTrail } from "./type_parts.tsx";

/** The state of the page. */
export interface ChangePageProps {
  /** What is done: `Add VM type gpu`. */
  readonly title: string;
  /** What it means for VMs, or null. */
  readonly explanation: string | null;
  readonly source: string;
  readonly parts: readonly DiffPart[];
  readonly removed: number;
  readonly added: number;
  /** The form's fields, to be sent again. */
  readonly fields: readonly (readonly [name: string, value: string])[];
  /** The fingerprint of the text that is compared with. */
  readonly shown: string;
  readonly token: string;
  readonly readOnly: string | null;
  /** The button that saves. */
  readonly save: string;
  /** Whether something is deleted. */
  readonly deletes?: boolean;
  /** Whether there is a form to go back to. */
  readonly hasForm: boolean;
  /** Something to know first, or null. */
  readonly notice: string | null;
}

/** The page. */
export function ChangePage({ frame, page }: { frame: PageFrame; page: ChangePageProps }) {
  const { title, explanation, source, parts, fields, shown, token, notice } = page;
  return (
    <Layout {...frame} title={title} current="create">
      <div>
        <TypeTrail>Review</TypeTrail>
        <div class="page-head">
          <div class="title">
            <h1>{title}</h1>
          </div>
        </div>
      </div>
      {notice === null ? null : (
        <Notice tone="warn">
          <p id="change-notice">{notice}</p>
        </Notice>
      )}
      <Diff {...page} />
      {explanation === null ? null : <p class="soft">{explanation}</p>}
      {!frame.mayChange
        ? null
        : (
          <form method="post" action={paths.types()} enctype="multipart/form-data" class="change-form">
            {fields.map(([name, value]) => <input type="hidden" name={name} value={value} />)}
            <input type="hidden" name="shown" value={shown} />
            <input type="hidden" name="token" value={token} />
            {page.readOnly === null ? null : (
              <Notice tone="warn">
                <p>
                  <strong>{source} is read-only.</strong> {sentence(page.readOnly)}{" "}
                  Download the new file and put it in its place.
                </p>
              </Notice>
            )}
            <div class="apply">
              <SaveButton {...page} isEmpty={parts.length === 0} />
              <span class="soft">Nothing changes on the NAS.</span>
              <span class="end">
                <DownloadButton isNeeded={page.readOnly !== null} />
                <BackButton hasForm={page.hasForm} />
              </span>
            </div>
          </form>
        )}
    </Layout>
  );
}

function SaveButton({ readOnly, save, isEmpty, deletes }: ChangePageProps & { isEmpty: boolean }) {
  if (isEmpty) return <a class="btn primary lg" href={paths.types()}>Back to VM types</a>;
  if (readOnly === null) {
    const look = deletes ? "btn danger solid lg" : "btn primary lg";
    return <button type="submit" class={look} id="save">{save}</button>;
  }
  return (
    <button type="submit" class="btn primary lg" id="download" formaction={paths.downloadTypes()}>
      <Icon name="export" />Download config.yaml
    </button>
  );
}

function DownloadButton({ isNeeded }: { isNeeded: boolean }) {
  if (isNeeded) return null;
  return (
    <button type="submit" class="btn plain" id="download" formaction={paths.downloadTypes()}>
      <Icon name="export" />Download
    </button>
  );
}

function BackButton({ hasForm }: Pick<ChangePageProps, "hasForm">) {
  if (!hasForm) return <a class="btn" href={paths.types()}>Cancel</a>;
  return <button type="submit" class="btn" id="back" formaction={paths.typeForm()}>Back to the form</button>;
}

const SIGNS = {
  same: { sign: "", word: "" },
  removed: { sign: "−", word: "Removed: " },
  added: { sign: "+", word: "Added: " },
} as const satisfies Record<DiffLine["kind"], { sign: string; word: string }>;

/** The changed lines. */
export function Diff(
  { source, parts, removed, added }: Pick<ChangePageProps, "source" | "parts" | "removed" | "added">,
) {
  if (parts.length === 0) {
    return (
      <Notice tone="quiet">
        <p>Nothing would change: {source} says this already.</p>
      </Notice>
    );
  }
  return (
    <section class="card" aria-labelledby="diff-heading">
      <header>
        <h2 id="diff-heading">{source}</h2>
        <span class="sm soft" id="diff-sums">
          {formatCount(added, "line")} added, {formatCount(removed, "line")} removed
        </span>
      </header>
      <table class="line-diff">
        <caption class="visually-hidden">Lines that change in {source}</caption>
        <thead class="visually-hidden">
          <tr>
            <th scope="col">Line before</th>
            <th scope="col">Line after</th>
            <th scope="col">Change</th>
            <th scope="col">Text</th>
          </tr>
        </thead>
        {parts.map((part) => <tbody>{part.map((line) => <Line line={line} />)}</tbody>)}
      </table>
    </section>
  );
}

function Line({ line: { kind, text, before, after } }: { line: DiffLine }) {
  const { sign, word } = SIGNS[kind];
  return (
    <tr class={kind} data-diff={kind}>
      <td class="no">{before ?? ""}</td>
      <td class="no">{after ?? ""}</td>
      <td class="sign">
        <span aria-hidden="true">{sign}</span>
        <span class="visually-hidden">{word}</span>
      </td>
      <td>
        <code dir="auto">{text}</code>
      </td>
    </tr>
  );
}
