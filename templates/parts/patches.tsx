/** What streams send: the changed parts of a page, each with its target. */
import type { OperationEvent, OperationView } from "../../lib/operations/types.ts";
import type { Concurrency } from "../../lib/operations/limits/call_limiter.ts";
import { Undecided } from "./frame/undecided.tsx";
import { paths } from "../paths.ts";
import { ConnectionBadge, ConnectionNotice, type ConnectionView, PageStream } from "./frame/connection.tsx";
import { Operation, OperationNotices, OperationSummary } from "./operation/operation.tsx";
import { ConcurrencyLine } from "./operation/concurrency.tsx";
import { columnsOf, hasRollback, isUndo, operationRowId, OperationVmRow } from "./operation/steps.tsx";
import { isLogged, OperationLogLine } from "./operation/log.tsx";
import { Axis } from "./operation/axis.tsx";
import { laneId, LaneRows, RunningRow, Waterfall } from "./operation/waterfall.tsx";
import type { Timeline } from "../../lib/operations/timeline.ts";

/** One update of an operation's page. */
export interface OperationPatchProps {
  /** The operation after the event. */
  readonly view: OperationView;
  readonly event: OperationEvent;
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
  /** Every event up to and including this one, for the log. */
  readonly events: () => readonly OperationEvent[];
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
  readonly timeline: Timeline;
  /** Whether the whole timeline is sent, because more than single lanes differs from what the page shows. */
  readonly redraw: boolean;
}

/** How many calls the NAS gets at once. */
export function ConcurrencyPatch({ concurrency }: { concurrency: Concurrency | null }) {
  return (
    <hx-partial hx-target="#concurrency" hx-swap="outerMorph">
      <ConcurrencyLine concurrency={concurrency} />
    </hx-partial>
  );
}

/** What one event changes on an operation's page. */
export function OperationPatch(
  { view, event, events, mayChange, now, timeline, redraw }: OperationPatchProps,
) {
  if (changesFrame(event)) {
    return (
      <>
        <hx-partial hx-target="#operation" hx-swap="outerMorph">
          <Operation {...{ view, timeline, now, mayChange }} events={events()} />
        </hx-partial>
        {event.type === "finished" ? <ConcurrencyPatch concurrency={null} /> : null}
        {event.type === "finished" ? <StreamPatch /> : null}
      </>
    );
  }
  const vm = "vm" in event ? view.vms.find(({ name }) => name === event.vm) : undefined;
  const lane = timeline.lanes.find((lane) => lane.vm.name === vm?.name);
  return (
    <>
      {redraw
        ? (
          <hx-partial hx-target="#waterfall" hx-swap="outerMorph">
            <Waterfall timeline={timeline} kind={view.kind} />
          </hx-partial>
        )
        : lane === undefined
        ? null
        : (
          <>
            <hx-partial hx-target={`#${laneId(lane.vm.name)}`} hx-swap="outerMorph">
              <LaneRows lane={lane} timeline={timeline} kind={view.kind} />
            </hx-partial>
            <hx-partial hx-target="#waterfall-axis" hx-swap="outerMorph">
              <Axis timeline={timeline} />
            </hx-partial>
            <hx-partial hx-target="#waterfall-running" hx-swap="outerMorph">
              <RunningRow timeline={timeline} />
            </hx-partial>
          </>
        )}
      {vm === undefined ? null : (
        <hx-partial hx-target={`#${operationRowId(vm.name)}`} hx-swap="outerMorph">
          <OperationVmRow
            vm={vm}
            kind={view.kind}
            columns={columnsOf(view)}
            rollback={hasRollback(view)}
            isAway={view.waiting !== null}
          />
        </hx-partial>
      )}
      <hx-partial hx-target="#operation-summary" hx-swap="outerMorph">
        <OperationSummary view={view} now={now} mayChange={mayChange} />
      </hx-partial>
      {event.type !== "vm" ? null : (
        <hx-partial hx-target="#operation-notices" hx-swap="outerMorph">
          <OperationNotices view={view} />
        </hx-partial>
      )}
      <LogPatch event={event} />
    </>
  );
}

/** When an operation ends, its page switches to the stream that every page has. */
export function StreamPatch() {
  return (
    <hx-partial hx-target="#page-stream" hx-swap="outerMorph">
      <PageStream stream={paths.connectionEvents()} />
    </hx-partial>
  );
}

/** Whether an event changes more than a row: the overall status or the columns. */
function changesFrame(event: OperationEvent): boolean {
  if (["started", "finished", "waiting", "back"].includes(event.type)) return true;
  return event.type === "step" && event.status === "running" && isUndo(event);
}

function LogPatch({ event }: { event: OperationEvent }) {
  if (!isLogged(event)) return null;
  return (
    <hx-partial hx-target="#operation-log" hx-swap="beforeend">
      <OperationLogLine event={event} />
    </hx-partial>
  );
}

/** Above this number, changes are announced only as a count. */
const MAX_WORDS = 3;

/** Announcements for screen readers. */
export function WordsPatch({ words }: { words: readonly string[] }) {
  const text = words.length > MAX_WORDS ? `${words.length} changes in the list` : words.join("; ");
  return <hx-partial hx-target="#live-words" hx-swap="innerHTML">{text}</hx-partial>;
}

/** How many operations wait for a decision, in the navigation. */
export function UndecidedPatch({ count }: { count: number }) {
  return (
    <hx-partial hx-target="#undecided" hx-swap="outerMorph">
      <Undecided count={count} />
    </hx-partial>
  );
}

/** The connection, in the header and above the page. */
export function ConnectionPatch({ connection }: { connection: ConnectionView }) {
  return (
    <>
      <hx-partial hx-target="#connection" hx-swap="outerMorph">
        <ConnectionBadge connection={connection} />
      </hx-partial>
      <hx-partial hx-target="#connection-notice" hx-swap="outerMorph">
        <ConnectionNotice connection={connection} />
      </hx-partial>
    </>
  );
}
