/** The page that lists operations: the row of each that goes on, and the list when one starts or ends. */
import type { OperationView } from "../../lib/operations/types.ts";
import {
  type OperationFilter,
  OperationList,
  OperationRow,
} from "../../templates/parts/operation/operation_list.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { frame } from "./streams.ts";

/** How often a running operation's row is sent; its own page shows each step. */
const ROW_MS = 500;

/** Messages for the list of operations. */
export function watchHistory({ manager, now }: Dashboard, state: OperationFilter, ring: () => void) {
  const { store } = manager.operations;
  let whole = false;
  const changed = new Map<string, OperationView>();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const later = () =>
    timer ??= setTimeout(() => {
      timer = undefined;
      ring();
    }, ROW_MS);
  const forget = store.onEvent((view, { type }) => {
    if (type === "started" || type === "finished" || type === "resolved") {
      whole = true;
      return ring();
    }
    changed.set(view.id, view);
    later();
  });
  const take = (): Uint8Array<ArrayBuffer>[] => {
    const views = timer === undefined || whole ? [...changed.values()] : [];
    if (views.length > 0 || whole) changed.clear();
    if (!whole) return views.map((view) => frame(String(<RowPatch view={view} now={now()} />)));
    whole = false;
    const list = { operations: store.list(), state, now: now() };
    return [frame(String(
      <hx-partial hx-target="#operation-list" hx-swap="outerMorph">
        <OperationList {...list} />
      </hx-partial>,
    ))];
  };
  return { take, end: [forget, () => clearTimeout(timer)] };
}

function RowPatch({ view, now }: { view: OperationView; now: number }) {
  return (
    <hx-partial hx-target={`#operation-${view.id}`} hx-swap="outerMorph">
      <OperationRow view={view} now={now} />
    </hx-partial>
  );
}
