/** The configuration as text, with the same checks, and the keys it can have. */
import type { KeyHelp } from "../../../lib/configuration/editing/json_schema.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Notice, ViewerNotice } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { FileText } from "../../parts/type_form/file_text.tsx";
import { paths } from "../../paths.ts";
import { ConfigurationTabs, ReadOnlyNotice } from "./type_parts.tsx";

/** The state of the page. */
export interface YamlPageProps {
  /** As typed, or as it is. */
  readonly text: string;
  readonly problems: readonly Problem[];
  readonly shown: string;
  readonly source: string;
  readonly readOnly: string | null;
  readonly keys: { readonly storage: readonly KeyHelp[]; readonly type: readonly KeyHelp[] };
  /** Something to know first, or null. */
  readonly notice: string | null;
}

/** The page. */
export function YamlPage({ frame, page }: { frame: PageFrame; page: YamlPageProps }) {
  const { text, problems, source, readOnly, notice } = page;
  return (
    <Layout {...frame} title={`YAML of ${source}`} current="create">
      <div class="page-head">
        <div class="title">
          <h1>VM types</h1>
          <span class="soft">{source}</span>
        </div>
      </div>
      <ConfigurationTabs current="yaml" />
      {notice === null ? null : (
        <Notice tone="warn">
          <p>{notice}</p>
        </Notice>
      )}
      <ErrorSummary problems={problems} />
      {frame.mayChange ? <ReadOnlyNotice source={source} readOnly={readOnly} /> : <ViewerNotice />}
      {frame.mayChange ? <YamlForm page={page} script={frame.assets.yaml} /> : (
        <pre
          class="card yaml-text"
          role="region"
          tabindex={0}
          aria-label={source}
        ><code>{text}</code></pre>
      )}
      <KeyTable keys={page.keys} />
    </Layout>
  );
}

function YamlForm(
  { page: { text, problems, shown, source }, script }: { page: YamlPageProps; script: string },
) {
  return (
    <form method="post" action={paths.reviewTypes()} enctype="multipart/form-data" class="stack">
      <input type="hidden" name="change" value="yaml" />
      <input type="hidden" name="shown" value={shown} />
      <FileText
        name="yaml"
        label={source}
        text={text}
        problems={problems}
        help="Every change is checked and shown before it is saved. Comments stay as you write them."
        schema={paths.typesSchema()}
      >
        <p
          class="yaml-keys"
          id="yaml-keys"
          role="group"
          aria-label="Keys that fit here; Tab inserts the first"
          hidden
        >
        </p>
      </FileText>
      <p class="actions">
        <button type="submit" class="btn primary" id="review">Review changes</button>
        <button type="submit" class="btn" formaction={paths.downloadTypes()} id="download">
          <Icon name="export" />Download
        </button>
      </p>
      <script src={script} type="module"></script>
    </form>
  );
}

function KeyTable({ keys }: Pick<YamlPageProps, "keys">) {
  return (
    <details class="card fold key-help">
      <summary>
        <Icon name="chevron" />
        <b>Keys</b>
        <span>What storage and a VM type can have, and their ranges</span>
      </summary>
      <div class="body stack">
        <Keys caption="storage" keys={keys.storage} />
        <Keys caption="A VM type" keys={keys.type} />
        <p class="help">
          For editors: the <a href={paths.typesSchema()}>JSON Schema</a> of the file.
        </p>
      </div>
    </details>
  );
}

function Keys({ caption, keys }: { caption: string; keys: readonly KeyHelp[] }) {
  return (
    <table class="table rows">
      <caption>{caption}</caption>
      <thead>
        <tr>
          <th scope="col">Key</th>
          <th scope="col">Takes</th>
          <th scope="col">Meaning</th>
        </tr>
      </thead>
      <tbody>
        {keys.map(({ name, help, takes, required }) => (
          <tr>
            <th scope="row">
              <code>{name}</code>
            </th>
            <td data-label="Takes">{takes}</td>
            <td data-label="Meaning">{help}{required ? ". Required" : ""}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
