/** The audit log, newest first. */
import { formatCount } from "../../lib/units.ts";
import { Layout } from "../layout.tsx";
import { DateTime, Field } from "../parts/common.tsx";
import { HistoryTabs, Who } from "../parts/history.tsx";
import { paths } from "../paths.ts";
import type { PageFrame } from "../props.ts";
import type { AuditEntry } from "../../lib/observability/audit_entry.ts";

/** What the page is given. */
export interface AuditPageProps {
  readonly frame: PageFrame;
  /** Newest first; the first of all that match. */
  readonly entries: readonly AuditEntry[];
  /** All that match. */
  readonly total: number;
  /** What is looked for. */
  readonly q: string;
}

/** The page. */
export function AuditPage({ frame, entries, total, q }: AuditPageProps) {
  return (
    <Layout {...frame} title="Audit log" current="operations">
      <h1>Audit log</h1>
      <HistoryTabs current="audit" />
      <form method="get" action={paths.audit()} class="filters" role="search">
        <Field name="q" label="Filter" value={q} problems={[]} />
        <button type="submit">Show</button>
      </form>
      {entries.length === 0
        ? (
          <div class="empty">
            <h2>{q === "" ? "Nothing has been done yet" : "Nothing matches"}</h2>
            <p>
              {q === ""
                ? "Who signs in, what is done to which VMs, and what became of it is listed here."
                : <a href={paths.audit()}>Show everything</a>}
            </p>
          </div>
        )
        : (
          <>
            <p class="actions">
              <a class="button" href={paths.audit({ q, format: "csv", download: "1" })}>Download CSV</a>
              <a class="button" href={paths.audit({ q, format: "json", download: "1" })}>Download JSON</a>
            </p>
            <Entries entries={entries} total={total} />
          </>
        )}
    </Layout>
  );
}

function Entries({ entries, total }: Pick<AuditPageProps, "entries" | "total">) {
  const shown = entries.length === total
    ? formatCount(total, "entry", "entries")
    : `The latest ${entries.length} of ${total} entries; all are in the downloads`;
  return (
    <table class="rows">
      <caption>{shown}</caption>
      <thead>
        <tr>
          <th scope="col">What</th>
          <th scope="col">When</th>
          <th scope="col">Who</th>
          <th scope="col">VMs</th>
          <th scope="col">Outcome</th>
        </tr>
      </thead>
      <tbody>
        {entries.map(({ seq, at, by, what, vms, outcome, operation, repeated }) => (
          <tr data-audit={seq}>
            <th scope="row">
              {operation === null ? what : <a href={paths.operation(operation)}>{what}</a>}
            </th>
            <td data-label="When">
              <DateTime at={at} />
            </td>
            <td data-label="Who">
              <Who by={by} />
            </td>
            <td data-label="VMs">
              <Names vms={vms} />
            </td>
            <td data-label="Outcome">
              {outcome}
              {repeated === undefined ? null : <Repeated {...repeated} />}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Repeated({ times, lastAt }: { times: number; lastAt: number }) {
  return (
    <span class="quiet">
      {", "}
      {times} times, last <DateTime at={lastAt} />
    </span>
  );
}

/** A few names; more of them behind a click. */
const NAMES_SHOWN = 4;

function Names({ vms }: { vms: readonly string[] }) {
  if (vms.length <= NAMES_SHOWN) {
    return <span dir="auto">{vms.join(", ") || <span class="none"></span>}</span>;
  }
  return (
    <details>
      <summary>{formatCount(vms.length, "VM")}</summary>
      <span dir="auto">{vms.join(", ")}</span>
    </details>
  );
}
