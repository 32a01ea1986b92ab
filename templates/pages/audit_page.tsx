/** The audit log, newest first. */
import { formatCount } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { DateTime, TableHead } from "../parts/common.tsx";
import { Icon } from "../parts/icons.tsx";
import { HistoryTabs, Who } from "../parts/history.tsx";
import { paths } from "../paths.ts";
import type { AuditEntry } from "../../lib/observability/audit_entry.ts";

/** Props of the page. */
export interface AuditPageProps {
  readonly frame: PageFrame;
  /** The newest matching entries, newest first. */
  readonly entries: readonly AuditEntry[];
  /** How many entries match. */
  readonly total: number;
  /** The search text. */
  readonly q: string;
}

/** The page. */
export function AuditPage({ frame, entries, total, q }: AuditPageProps) {
  return (
    <Layout {...frame} title="Audit log" current="activity">
      <h1>Audit log</h1>
      <HistoryTabs current="audit" />
      <div class="row spread">
        <form method="get" action={paths.audit()} class="filter" role="search">
          <span class="find">
            <Icon name="search" />
            <input
              name="q"
              id="filter-q"
              class="input"
              type="search"
              value={q}
              aria-label="Search the audit log"
              placeholder="Action, person, VM or outcome"
              autocomplete="off"
              spellcheck={false}
              dir="auto"
            />
            <kbd aria-hidden="true">/</kbd>
          </span>
          <button class="btn" type="submit">Search</button>
        </form>
        {entries.length === 0 ? null : (
          <p class="actions">
            <a class="btn" href={paths.audit({ q, format: "csv", download: "1" })}>
              <Icon name="export" />
              Download CSV
            </a>
            <a class="btn" href={paths.audit({ q, format: "json", download: "1" })}>
              <Icon name="export" />
              Download JSON
            </a>
          </p>
        )}
      </div>
      {entries.length === 0
        ? (
          <div class="empty">
            <h2>{q === "" ? "No activity yet" : "No matching entries"}</h2>
            <p>
              {q === ""
                ? "Sign-ins and changes to VMs are listed here, with who made them and the outcome."
                : <a href={paths.audit()}>Show all entries</a>}
            </p>
          </div>
        )
        : <Entries entries={entries} total={total} />}
    </Layout>
  );
}

function Entries({ entries, total }: Pick<AuditPageProps, "entries" | "total">) {
  const shown = entries.length === total
    ? formatCount(total, "entry", "entries")
    : `Latest ${entries.length} of ${total} entries; the downloads contain all of them`;
  return (
    <table class="table rows audit">
      <caption>{shown}</caption>
      <TableHead columns={["Action", "When", "Who", "VMs", "Outcome"]} />
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
              {outcomeWords(outcome)}
              {repeated === undefined ? null : <Repeated {...repeated} />}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Recorded outcomes keep their form in the downloads; the page shows them as words. */
function outcomeWords(outcome: string): string {
  return outcome.replace(/^begun$/, "started").replace(/^partly-done/, "partly done");
}

function Repeated({ times, lastAt }: { times: number; lastAt: number }) {
  return (
    <span class="soft">
      {", "}
      {times} times, last <DateTime at={lastAt} />
    </span>
  );
}

/** Longer lists of names are folded. */
const NAMES_SHOWN = 4;

function Names({ vms }: { vms: readonly string[] }) {
  if (vms.length <= NAMES_SHOWN) {
    return <span dir="auto">{vms.join(", ") || <span class="none">–</span>}</span>;
  }
  return (
    <details>
      <summary>{formatCount(vms.length, "VM")}</summary>
      <span dir="auto">{vms.join(", ")}</span>
    </details>
  );
}
