/** One template: its text, to be edited where it can be, the keys it can have, and its earlier versions. */
import type { KeptVersion } from "../../../lib/configuration/editing/configuration_store.ts";
import type { DiffPart } from "../../../lib/configuration/editing/line_diff.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import type { TemplateKey } from "../../../lib/vm_templates/key_help.ts";
import type { TemplateName } from "../../../lib/vm_templates/template_files.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { DateTime, ErrorSummary, Notice, ViewerNotice, Warning } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { FileText } from "../../parts/type_form/file_text.tsx";
import { paths } from "../../paths.ts";
import { Diff } from "./change_page.tsx";
import { EmbeddedNotice, type ShownTemplate, TEMPLATE_WORDS, TemplateText } from "./templates_page.tsx";
import { sentence } from "./type_parts.tsx";

/** The state of the page. */
export interface TemplatePageProps {
  /** Its text is what was typed, or what it is. */
  readonly template: ShownTemplate;
  readonly areEmbedded: boolean;
  readonly problems: readonly Problem[];
  /** The fingerprint of the text that the form was filled from. */
  readonly shown: string;
  readonly keys: readonly TemplateKey[];
  /** The release of the NAS, or null while it is unknown. */
  readonly release: string | null;
  readonly versions: readonly KeptVersion[];
  /** Something to know first, or null. */
  readonly notice: string | null;
}

/** The page. */
export function TemplatePage({ frame, page }: { frame: PageFrame; page: TemplatePageProps }) {
  const { template, areEmbedded, problems, notice } = page;
  const { name, readOnly, text, source } = template;
  const { title, of } = TEMPLATE_WORDS[name];
  const canEdit = frame.mayChange && readOnly === null;
  return (
    <Layout {...frame} title={`${title} template`} current="create">
      <div>
        <Trail>{title}</Trail>
        <div class="page-head">
          <div class="title">
            <h1>{title} template</h1>
            <span class="soft">{of}</span>
          </div>
        </div>
      </div>
      <Warning text={notice} />
      <ErrorSummary problems={problems} />
      {frame.mayChange ? null : <ViewerNotice />}
      {areEmbedded ? <EmbeddedNotice /> : readOnly === null ? null : (
        <Notice tone="warn">
          <p>
            <strong>{source} is read-only.</strong> {sentence(readOnly)}
          </p>
        </Notice>
      )}
      {canEdit ? <TemplateForm page={page} /> : (
        <>
          <TemplateText source={source} text={text} />
          <p class="actions">
            <a class="btn" href={paths.templateStep(template.slug, "download")} id="download">
              <Icon name="export" />Download
            </a>
          </p>
        </>
      )}
      <Keys {...page} />
      {page.versions.length === 0 ? null : <Versions page={page} canEdit={canEdit} />}
    </Layout>
  );
}

function Trail({ children }: { children: string }) {
  return (
    <p class="trail">
      <a href={paths.types()}>VM types</a> <span aria-hidden="true">/</span>{" "}
      <a href={paths.templates()}>Templates</a> <span aria-hidden="true">/</span> {children}
    </p>
  );
}

function TemplateForm({ page: { template, problems, shown } }: { page: TemplatePageProps }) {
  const { slug, text, source } = template;
  return (
    <form
      method="post"
      action={paths.templateStep(slug, "review")}
      enctype="multipart/form-data"
      class="stack"
    >
      <input type="hidden" name="shown" value={shown} />
      <FileText
        name="text"
        label={source}
        text={text}
        problems={problems}
        help="Every change is checked and shown before it is saved."
      />
      <p class="actions">
        <button type="submit" class="btn primary" id="review">Review changes</button>
        <a class="btn" href={paths.templates()}>Cancel</a>
      </p>
    </form>
  );
}

function Keys({ keys, release, template }: TemplatePageProps) {
  const title = TEMPLATE_WORDS[template.name].title;
  return (
    <section class="card" aria-labelledby="keys-of">
      <header>
        <h2 id="keys-of">Keys</h2>
        <span class="soft sm">
          {release === null ? "Of every TrueNAS release that this program knows" : `TrueNAS ${release}`}
        </span>
      </header>
      <table class="table rows template-keys">
        <caption class="visually-hidden">Keys that the {title} template can have</caption>
        <thead>
          <tr>
            <th scope="col">Key</th>
            <th scope="col">Takes</th>
            <th scope="col">Meaning</th>
          </tr>
        </thead>
        <tbody>
          {keys.map(({ name, takes, help, since, isAccepted }) => (
            <tr data-key={name}>
              <th scope="row">
                <code>{name}</code>
              </th>
              <td data-label="Takes">{takes === "" ? "not checked here" : takes}</td>
              <td data-label="Meaning">
                {help}
                {since === null ? "" : `. From TrueNAS ${since} on`}
                {isAccepted ? null : (
                  <>
                    . <strong>This NAS does not accept it</strong>
                  </>
                )}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      <p class="help body">
        These are the keys that TrueNAS accepts, and what this program checks. TrueNAS checks the rest when a
        VM is created. A key that is left out has TrueNAS's default.
      </p>
    </section>
  );
}

function Versions(
  { page: { versions, template }, canEdit }: { page: TemplatePageProps; canEdit: boolean },
) {
  return (
    <section class="card" aria-labelledby="versions-heading">
      <header>
        <h2 id="versions-heading">Earlier versions</h2>
      </header>
      <ul class="body plain">
        {versions.map(({ id, at }) => (
          <li>
            {canEdit
              ? (
                <a href={paths.template(template.slug, id)}>
                  Before <DateTime at={at} />
                </a>
              )
              : (
                <>
                  Before <DateTime at={at} />
                </>
              )}
          </li>
        ))}
      </ul>
    </section>
  );
}

/** The state of the page that shows a change. */
export interface TemplateChangeProps {
  readonly name: TemplateName;
  readonly slug: string;
  /** The new text. */
  readonly text: string;
  readonly source: string;
  readonly parts: readonly DiffPart[];
  readonly removed: number;
  readonly added: number;
  readonly shown: string;
  readonly token: string;
  readonly notice: string | null;
}

/** What a change does to a template, line by line. */
export function TemplateChangePage({ frame, page }: { frame: PageFrame; page: TemplateChangeProps }) {
  const { name, slug, text, parts, shown, token, notice } = page;
  const { title } = TEMPLATE_WORDS[name];
  return (
    <Layout {...frame} title={`Change the ${title} template`} current="create">
      <div>
        <Trail>Review</Trail>
        <div class="page-head">
          <div class="title">
            <h1>Change the {title} template</h1>
          </div>
        </div>
      </div>
      <Warning text={notice} />
      <Diff {...page} />
      <p class="soft">VMs created from now on use it. Existing VMs stay as they are.</p>
      {!frame.mayChange
        ? null
        : (
          <form method="post" action={paths.template(slug)} enctype="multipart/form-data" class="change-form">
            <input type="hidden" name="text" value={text} />
            <input type="hidden" name="shown" value={shown} />
            <input type="hidden" name="token" value={token} />
            <div class="apply">
              {parts.length === 0
                ? <a class="btn primary lg" href={paths.templates()}>Back to the templates</a>
                : <button type="submit" class="btn primary lg" id="save">Save the template</button>}
              <span class="soft">Nothing changes on the NAS.</span>
              <span class="end">
                <button
                  type="submit"
                  class="btn"
                  id="back"
                  formaction={paths.templateStep(slug, "form")}
                >
                  Back to the text
                </button>
              </span>
            </div>
          </form>
        )}
    </Layout>
  );
}
