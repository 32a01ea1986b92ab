/** The VMs in every export format, to view, copy or download. */
import { type Exported, remarksOf } from "../../lib/exports/exported.ts";
import { EXPORT_FORMATS } from "../../lib/exports/formats.ts";
import { type ExportName, TALOS_VERSIONS, type TalosVersion } from "../../lib/exports/names.ts";
import { formatCount } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { CopyButton, Notice } from "../parts/common.tsx";
import { Icon } from "../parts/icons.tsx";
import { paths, type VmQuery } from "../paths.ts";

/** Props of the page. */
export interface ExportPageProps {
  readonly frame: PageFrame;
  /** How many VMs. */
  readonly count: number;
  /** The VMs in each format. */
  readonly formats: readonly { readonly name: ExportName; readonly exported: Exported }[];
  readonly query: VmQuery;
  /** The IDs of the selected VMs; empty: all that match the query. */
  readonly ids: readonly string[];
  /** The VMs of the configuration, created or not, instead of those on the NAS. */
  readonly planned: boolean;
  /** The Talos version to write files for. */
  readonly talos: TalosVersion;
}

/** The page. */
export function ExportPage({ frame, count, formats, planned, talos, ...chosen }: ExportPageProps) {
  const { query } = chosen;
  const ids = chosen.ids.join(",");
  return (
    <Layout {...frame} title="Export" current="vms">
      <p class="trail">
        <a href={paths.home(query)}>VMs</a>
      </p>
      <h1>Export {formatCount(count, "VM")}</h1>
      <p>
        {planned
          ? "Showing the VMs in the configuration, created or not, with the MACs they will get. "
          : ids === ""
          ? "Showing the VMs on the NAS that match the list's filter. "
          : "Showing the VMs selected in the list. "}
        <a href={paths.export(query, { planned: !planned })}>
          {planned ? "Show VMs on the NAS" : "Show VMs in the configuration"}
        </a>
      </p>
      {count === 0 ? <p class="empty">No VMs match</p> : (
        <>
          <nav class="chips" aria-label="Formats">
            {formats.map(({ name }) => (
              <a class="chip" href={`#export-${name}`}>{EXPORT_FORMATS[name].label}</a>
            ))}
          </nav>
          {formats.map((it) => <Format {...it} query={query} ids={ids} planned={planned} talos={talos} />)}
        </>
      )}
    </Layout>
  );
}

interface FormatProps extends Pick<ExportPageProps, "query" | "planned" | "talos"> {
  readonly ids: string;
  readonly name: ExportName;
  readonly exported: Exported;
}

function Format({ name, exported, query, ids, planned, talos }: FormatProps) {
  const { label, help, archive } = EXPORT_FORMATS[name];
  const remarks = remarksOf(exported);
  const download = { planned, ids, format: name, download: true, ...(archive ? { talos } : {}) };
  return (
    <section class="card export" aria-labelledby={`export-${name}`}>
      <header>
        <div>
          <h2 id={`export-${name}`}>{label}</h2>
          <p class="help">{help}</p>
        </div>
        <p class="actions">
          {archive ? null : <CopyButton of={`text-${name}`} label={`Copy ${label}`} />}
          <a class="btn" href={paths.export(query, download)}>
            {archive
              ? `Download ${formatCount(exported.files.length, "file")} as an archive`
              : `Download ${label}`}
          </a>
        </p>
      </header>
      <div class="body stack">
        {archive ? <TalosVersions query={query} ids={ids} planned={planned} talos={talos} /> : null}
        {remarks.length === 0 ? null : (
          <Notice tone="warn">
            <ul class="plain">{remarks.map((remark) => <li>{remark}</li>)}</ul>
          </Notice>
        )}
        <details class="fold inline">
          <summary>
            <Icon name="chevron" />
            <b>Show {archive ? "the files" : "the text"}</b>
            <span>{describeLength(exported.files.map(({ text }) => text), archive)}</span>
          </summary>
          <div class="body stack">
            {exported.files.map((file, index) => (
              <File
                name={file.name}
                text={file.text}
                of={name}
                id={index === 0 ? name : `${name}-${index}`}
              />
            ))}
          </div>
        </details>
      </div>
    </section>
  );
}

/** `20 files`, or `21 lines` of a single one. */
function describeLength(texts: readonly string[], archive: boolean): string {
  if (archive) return formatCount(texts.length, "file");
  return formatCount(texts.join("").trimEnd().split("\n").length, "line");
}

function File({ name, text, of, id }: {
  readonly name: string;
  readonly text: string;
  readonly of: ExportName;
  readonly id: string;
}) {
  const { archive } = EXPORT_FORMATS[of];
  return (
    <>
      {archive ? <h3 id={`file-${id}`}>{name}</h3> : null}
      <pre
        class="log"
        id={`text-${id}`}
        tabindex={0}
        aria-labelledby={archive ? `file-${id}` : `export-${of}`}
      >{text}</pre>
      {archive
        ? (
          <p class="actions">
            <CopyButton of={`text-${id}`} label={`Copy ${name}`} />
          </p>
        )
        : null}
    </>
  );
}

function TalosVersions(
  { query, ids, planned, talos }: Pick<FormatProps, "query" | "ids" | "planned" | "talos">,
) {
  return (
    <p>
      Talos version: {TALOS_VERSIONS.map((version) =>
        version === talos
          ? <strong aria-current="true">{version}</strong>
          : <a href={`${paths.export(query, { planned, ids, talos: version })}#export-talos`}>{version}</a>
      ).flatMap((it, index) => index === 0 ? [it] : [" · ", it])}
    </p>
  );
}
