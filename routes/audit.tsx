/** The audit log: who did what, as a page and as downloads. */
import { Hono } from "hono";
import { csv } from "../lib/exports/csv.ts";
import { auditJson } from "../lib/inventory/json.ts";
import { AuditPage } from "../templates/pages/audit_page.tsx";
import { type Dashboard, pageFrame, sendPage, wantsJson } from "./server/dashboard.ts";
import type { AppContext, AppEnv } from "./server/context.ts";
import type { AuditEntry } from "../lib/observability/audit_entry.ts";

/** How many entries a page shows; the filter and the downloads reach the rest. */
const ON_A_PAGE = 500;

/** GET /operations/audit, also as `?format=csv` and `?format=json`. */
export function auditRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/operations/audit", (c) => {
    const q = c.req.query("q")?.trim() ?? "";
    const entries = dashboard.manager.audit.list().filter((entry) => matches(entry, q));
    const format = c.req.query("format") ?? (wantsJson(c) ? "json" : "");
    if (format === "csv") return send(c, "audit.csv", "text/csv; charset=utf-8", asCsv(entries));
    if (format === "json") {
      const text = JSON.stringify({ entries: entries.map(auditJson) }, null, 2);
      return send(c, "audit.json", "application/json; charset=utf-8", text);
    }
    if (format !== "") return c.text("Unknown format. Use csv or json\n", 422);
    const page = { frame: pageFrame(c, dashboard), q, total: entries.length };
    return sendPage(c, <AuditPage {...page} entries={entries.slice(0, ON_A_PAGE)} />);
  });
  return app;
}

function matches({ by, what, vms, outcome, operation }: AuditEntry, q: string): boolean {
  const texts = [by?.who ?? "", by?.from ?? "", what, outcome, operation ?? "", ...vms];
  return texts.some((text) => text.toLowerCase().includes(q.toLowerCase()));
}

function send(c: AppContext, file: string, contentType: string, text: string): Response {
  c.header("content-type", contentType);
  if (c.req.query("download") === "1") c.header("content-disposition", `attachment; filename="${file}"`);
  return c.body(text);
}

function asCsv(entries: readonly AuditEntry[]): string {
  const rows = entries.map(({ seq, at, by, what, vms, outcome, operation, repeated }) => [
    String(seq),
    new Date(at).toISOString(),
    by?.who ?? null,
    by?.from ?? null,
    what,
    vms.join(" "),
    outcome,
    operation,
    String(repeated?.times ?? 1),
    new Date(repeated?.lastAt ?? at).toISOString(),
  ]);
  const head = ["seq", "at", "who", "from", "what", "vms", "outcome", "operation", "times", "last_at"];
  return csv([head, ...rows]);
}
