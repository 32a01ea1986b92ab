/** Parts shared by the history pages. */
import type { Actor } from "../../lib/operations/types.ts";
import { paths } from "../paths.ts";

/** Tabs that switch between the history pages. */
export function HistoryTabs({ current }: { current: "operations" | "orphans" | "audit" }) {
  const tab = (of: typeof current, href: string, label: string) => (
    <a href={href} aria-current={of === current ? "page" : undefined}>{label}</a>
  );
  return (
    <nav class="tabs" aria-label="Activity">
      {tab("operations", paths.operations(), "Operations")}
      {tab("orphans", paths.orphans(), "Orphans")}
      {tab("audit", paths.audit(), "Audit log")}
    </nav>
  );
}

/** Who did something, and from which address. */
export function Who({ by }: { by: Actor | null }) {
  if (by === null) return <span class="none">–</span>;
  const { who, from = "" } = by;
  if (from === "") return <>{who}</>;
  return (
    <>
      {who} <small class="soft">{from}</small>
    </>
  );
}
