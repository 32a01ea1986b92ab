/** The audit log, newest first. */
import { formatCount } from "../../lib/units.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { Icon } from "../parts/icons.tsx";
import { AuditTable } from "../parts/audit_table.tsx";
import { HistoryTabs } from "../parts/history.tsx";
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
              placeholder="Action, person, VM"
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
            {q === ""
              ? <p>Sign-ins and changes to VMs are listed here, with who made them and the outcome.</p>
              : (
                <p class="actions">
                  <a class="btn" href={paths.audit()}>Show all entries</a>
                </p>
              )}
          </div>
        )
        : (
          <AuditTable
            entries={entries}
            caption={entries.length === total
              ? formatCount(total, "entry", "entries")
              : `Latest ${entries.length} of ${total} entries; the downloads contain all of them`}
          />
        )}
    </Layout>
  );
}
