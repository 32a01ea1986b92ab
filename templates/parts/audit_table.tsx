/** Lines of the audit log, newest first. */
import type { AuditEntry } from "../../lib/observability/audit_entry.ts";
import { formatCount } from "../../lib/units.ts";
import { paths } from "../paths.ts";
import { DateTime, TableHead } from "./common.tsx";
import { Who } from "./history.tsx";
import { Said } from "./said.tsx";

/** What the table is given. */
export interface AuditTableProps {
  readonly entries: readonly AuditEntry[];
  readonly caption: string;
  /** All lines are about one VM, which is not named again. */
  readonly ofOneVm?: boolean;
}

/** The table. */
export function AuditTable({ entries, caption, ofOneVm = false }: AuditTableProps) {
  const columns = ["Action", "When", "Who", ...(ofOneVm ? [] : ["VMs"]), "Outcome"];
  return (
    <table class="table rows audit">
      <caption>{caption}</caption>
      <TableHead columns={columns} />
      <tbody>
        {entries.map(({ seq, at, by, what, vms, outcome, operation, repeated }) => (
          <tr data-audit={seq}>
            <th scope="row">
              {operation === null ? <Said text={what} /> : (
                <a href={paths.operation(operation)}>
                  <Said text={what} />
                </a>
              )}
            </th>
            <td data-label="When">
              <DateTime at={at} />
            </td>
            <td data-label="Who">
              <Who by={by} />
            </td>
            {ofOneVm ? null : (
              <td data-label="VMs">
                <Names vms={vms} />
              </td>
            )}
            <td data-label="Outcome">
              <Said text={outcomeWords(outcome)} />
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
  return outcome.replace(/^begun\b/, "started").replace(/^partly-done/, "partly done");
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
    return vms.length === 0 ? <span class="none">–</span> : <Said text={vms.join(", ")} />;
  }
  return (
    <details>
      <summary>{formatCount(vms.length, "VM")}</summary>
      <Said text={vms.join(", ")} />
    </details>
  );
}
