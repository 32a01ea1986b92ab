/** What clusters need of some VMs, in every format: to look at, to copy, to download. */
import { EXPORT_FORMATS, type ExportName } from "../../lib/exports/formats.ts";
import { formatCount } from "../../lib/units.ts";
import { Layout } from "../layout.tsx";
import { CopyButton } from "../parts/common.tsx";
import { paths } from "../paths.ts";
import type { PageFrame, VmQuery } from "../props.ts";

/** What the page is given. */
export interface ExportPageProps {
  readonly frame: PageFrame;
  /** How many VMs. */
  readonly count: number;
  /** Their text in each format. */
  readonly texts: readonly { readonly name: ExportName; readonly text: string }[];
  readonly query: VmQuery;
  /** The VMs of the configuration, made or not, instead of those on the NAS. */
  readonly planned: boolean;
}

/** The page. */
export function ExportPage({ frame, count, texts, query, planned }: ExportPageProps) {
  return (
    <Layout {...frame} title="Export" current="vms">
      <p class="trail">
        <a href={paths.home(query)}>VMs</a>
      </p>
      <h1>Export {formatCount(count, "VM")}</h1>
      <p>
        {planned
          ? "These are the VMs of the configuration, made or not, with the MACs that they will have. "
          : "These are the VMs on the NAS that the list shows. "}
        <a href={paths.export(query, { planned: !planned })}>
          {planned ? "Show those on the NAS" : "Show those of the configuration"}
        </a>
      </p>
      {count === 0
        ? <p class="empty">No VM matches.</p>
        : texts.map((it) => <Format {...it} query={query} planned={planned} />)}
    </Layout>
  );
}

interface FormatProps extends Pick<ExportPageProps, "query" | "planned"> {
  readonly name: ExportName;
  readonly text: string;
}

function Format({ name, text, query, planned }: FormatProps) {
  const { label, help } = EXPORT_FORMATS[name];
  return (
    <section class="panel" aria-labelledby={`export-${name}`}>
      <h2 id={`export-${name}`}>{label}</h2>
      <p class="help">{help}</p>
      <pre
        class="log"
        id={`text-${name}`}
        tabindex={0}
        aria-labelledby={`export-${name}`}
      >{text}</pre>
      <p class="actions">
        <CopyButton of={`text-${name}`} label={`Copy ${label}`} />
        <a class="button" href={paths.export(query, { planned, format: name, download: true })}>Download</a>
      </p>
    </section>
  );
}
