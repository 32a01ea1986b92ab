/** What can be done with the selected VMs: there only while some are selected, which needs no script. */
import { VM_ACTIONS, type VmActionName } from "../../../lib/inventory/vm_actions.ts";
import { formatNumber } from "../../../lib/units.ts";
import { paths } from "../../paths.ts";
import { Icon } from "../icons.tsx";
import type { VmListProps } from "./vm_list.tsx";
import { ACTION_ICONS } from "./vm_menu.tsx";

const MORE: readonly VmActionName[] = ["restart", "suspend", "resume", "detach"];
const DANGER: readonly VmActionName[] = ["reset", "poweroff"];

/** The matching VMs, and which of them have a row. */
export type Selectable = Pick<VmListProps, "query" | "rows" | "matching">;

/** The bar; a script adds what the selection takes when it is started (static/list.js). */
export function BulkBar({ mayChange, ...selectable }: Selectable & { readonly mayChange: boolean }) {
  return (
    <div class="bulk" role="group" aria-label="Actions for selected VMs">
      <span class="what">
        <b class="ticked"></b> <i class="word">selected</i>
        <span id="bulk-memory"></span>
      </span>
      <SelectMatching {...selectable} />
      {mayChange ? <ActionButton name="start" kind="btn primary" /> : null}
      {mayChange ? <ActionButton name="stop" kind="btn wide-only" /> : null}
      {mayChange
        ? (
          <details class="menu up" name="menu" id="bulk-more">
            <summary class="btn only-icon" aria-label="More for the selected VMs">
              <Icon name="more" />
            </summary>
            <div class="panel">
              <ActionButton name="stop" kind="item narrow-only" />
              {MORE.map((name) => <ActionButton name={name} kind="item" />)}
              <CheckpointButton />
              <ExportButton kind="item" />
              <hr />
              {DANGER.map((name) => <ActionButton name={name} kind="item danger" />)}
            </div>
          </details>
        )
        : <ExportButton kind="btn" />}
      {mayChange
        ? (
          <>
            <span class="rule" aria-hidden="true"></span>
            <button
              type="submit"
              name="selection"
              value="yes"
              class="btn danger"
              formaction={paths.destroy()}
            >
              <Icon name="bin" />
              Destroy…
            </button>
          </>
        )
        : null}
      <button class="btn only-icon" type="reset" aria-label="Clear the selection">
        <Icon name="close" />
      </button>
    </div>
  );
}

/**
 * Selects all matching VMs, also those without a row; nothing where every VM has one. What they come to is for the
 * script. Live updates replace it by its id.
 */
export function SelectMatching({ query, rows, matching }: Selectable) {
  if (rows === null || rows.length === matching.length) return <span id="bulk-matching" hidden></span>;
  const { cols: _cols, rows: _rows, ...filter } = query;
  const filled = Object.entries(filter).filter(([, value]) => value !== "");
  const off = matching.filter(({ state }) => state === "STOPPED");
  return (
    <span id="bulk-matching">
      <label>
        <input
          type="checkbox"
          id="select-matching"
          name="matching"
          value={new URLSearchParams(filled).toString()}
          data-count={formatNumber(matching.length)}
          data-off={off.length}
          data-mib={off.reduce((sum, { memoryMib }) => sum + memoryMib, 0)}
          data-running={matching.filter(({ state }) => state === "RUNNING").length}
        />
        Select all {formatNumber(matching.length)}
        {filled.some(([name]) => name !== "sort") ? <span class="wide-only">that match</span> : null}
      </label>
    </span>
  );
}

function ActionButton({ name, kind }: { name: VmActionName; kind: string }) {
  return (
    <button type="submit" name="action" value={name} class={kind}>
      <Icon name={ACTION_ICONS[name]} />
      {VM_ACTIONS[name].verb}…
    </button>
  );
}

function CheckpointButton() {
  return (
    <button type="submit" class="item" formaction={paths.newCheckpoint()}>
      <Icon name="clock" />
      Checkpoint…
    </button>
  );
}

function ExportButton({ kind }: { kind: string }) {
  return (
    <button type="submit" class={kind} formaction={paths.export()}>
      <Icon name="export" />
      Export
    </button>
  );
}
