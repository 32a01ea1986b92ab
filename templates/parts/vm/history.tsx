/** What was done with one VM: its operations, and its lines of the audit log. */
import type { AuditEntry } from "../../../lib/observability/audit_entry.ts";
import { isActive, type OperationView } from "../../../lib/operations/types.ts";
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { formatCount, formatDuration } from "../../../lib/units.ts";
import { paths } from "../../paths.ts";
import { DateTime, TableHead } from "../common.tsx";
import { AuditTable } from "../audit_table.tsx";
import { Who } from "../history.tsx";
import { OperationState } from "../operation/states.tsx";
import { Said } from "../said.tsx";

/** The newest of a VM's operations and audit lines. */
export interface VmHistoryProps {
  readonly vm: Vm;
  readonly operations: readonly OperationView[];
  readonly entries: readonly AuditEntry[];
  /** How many lines there are in all. */
  readonly total: number;
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
}

/** The tab. Live updates replace it. */
export function VmHistory(history: VmHistoryProps) {
  return (
    <div class="stack" id="vm-history">
      <Operations {...history} />
      <Entries {...history} />
    </div>
  );
}

/** What an operation changed of this VM: `Settings changed: memory 2 GiB → 3 GiB`. */
export function WhatChanged({ vm, view }: { vm: Vm; view: OperationView }) {
  const of = view.vms.find(({ name, vmId }) => name === vm.name || vmId === vm.id);
  if (view.kind !== "change" || of === undefined || of.message === null) return null;
  return (
    <span class="where">
      <Said text={of.message} />
    </span>
  );
}

function Operations({ vm, operations, now }: VmHistoryProps) {
  if (operations.length === 0) {
    return (
      <div class="empty">
        <h2>No operations yet</h2>
        <p>When this VM is created, changed, started or stopped here, it is listed with its steps.</p>
      </div>
    );
  }
  return (
    <table class="table rows">
      <caption>{formatCount(operations.length, "operation")}, newest first</caption>
      <TableHead columns={["Operation", "Status", "Who", "Started", "Duration"]} numeric={["Duration"]} />
      <tbody>
        {operations.map((view) => (
          <tr data-operation={view.id} data-status={view.status}>
            <th scope="row">
              <a href={paths.operation(view.id)}>
                <Said text={view.title} />
              </a>
              <WhatChanged vm={vm} view={view} />
            </th>
            <td data-label="Status">
              <OperationState status={view.status} />
            </td>
            <td data-label="Who">
              <Who by={view.by} />
            </td>
            <td data-label="Started">
              <DateTime at={view.startedAt} />
            </td>
            <td class="num" data-label="Duration">
              {view.finishedAt === null && isActive(view)
                ? "Running"
                : formatDuration((view.finishedAt ?? now) - view.startedAt)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Entries({ vm, entries, total }: VmHistoryProps) {
  if (entries.length === 0) return null;
  return (
    <>
      <AuditTable
        ofOneVm
        entries={entries}
        caption={entries.length === total
          ? `Audit log: ${formatCount(total, "entry", "entries")}`
          : `Audit log: the latest ${entries.length} of ${total} entries`}
      />
      <p>
        <a href={paths.audit({ q: vm.name })}>
          Search the whole audit log for <Said text={vm.name} />
        </a>
      </p>
    </>
  );
}
