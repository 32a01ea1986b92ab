/** The list of operations, and each operation live. */
import { Hono } from "hono";
import { type Problem, TrueNASError } from "../lib/errors/errors.ts";
import type { RollBackPlan } from "../lib/plan/roll_back.ts";
import { operationJson } from "../lib/inventory/json.ts";
import { applyEvent, emptyView, foldOperation } from "../lib/operations/record/fold.ts";
import type { OperationLog } from "../lib/operations/record/log.ts";
import { isActive, type OperationView } from "../lib/operations/types.ts";
import { type Timeline, timelineOf } from "../lib/operations/timeline.ts";
import { recoveryOf } from "../lib/operations/recovery.ts";
import type { RunningOperation } from "../lib/operations/runner.ts";
import { runDetached } from "../lib/errors/unhandled_errors.ts";
import { OperationPage } from "../templates/pages/operation_page.tsx";
import { OperationsPage } from "../templates/pages/operations_page.tsx";
import {
  ConcurrencyPatch,
  ConnectionPatch,
  OperationPatch,
  StreamPatch,
} from "../templates/parts/patches.tsx";
import { isOperationFilter } from "../templates/parts/operation/operation_list.tsx";
import { frameOf } from "../templates/parts/operation/waterfall.tsx";
import { paths } from "../templates/paths.ts";
import {
  connectionView,
  type Dashboard,
  onConnection,
  pageFrame,
  sendPage,
  wantsJson,
} from "./server/dashboard.ts";
import { whyNotNow } from "./confirm.ts";
import { readForm } from "./forms/read_form.ts";
import { inTime } from "./in_time.ts";
import { liveTasks } from "./live/live_tasks.tsx";
import { frame, resumeAfter, sendStream } from "./live/streams.ts";
import { actorOf, type AppContext, type AppEnv, mayChange } from "./server/context.ts";

/** GET /operations, /operations/:id, /operations/:id/events, POST /operations/:id/cancel, /stop-waiting, /resume, /rollback, /leave. */
export function operationRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const { manager, now } = dashboard;
  const app = new Hono<AppEnv>();
  const withLog =
    (handle: (c: AppContext, log: OperationLog) => Response | Promise<Response>) => (c: AppContext) => {
      const log = manager.operations.store.get(c.req.param("id") ?? "");
      return log === undefined ? c.notFound() : handle(c, log);
    };
  const recordDecision = (c: AppContext, { id, title, vms }: OperationView, decision: string) => {
    const entry = { what: `${decision}: ${title}`, vms: vms.map(({ name }) => name), operation: id };
    manager.audit.record({ by: actorOf(c), ...entry, outcome: "done" });
  };
  app.get("/operations", (c) => {
    const operations = manager.operations.store.list();
    if (wantsJson(c)) return c.json({ operations: operations.map(operationJson) });
    const state = c.req.query("state") ?? "";
    if (!isOperationFilter(state)) return c.redirect(paths.operations(), 303);
    const list = { operations, state, now: now() };
    return sendPage(c, <OperationsPage frame={pageFrame(c, dashboard)} {...list} />);
  });
  const show = async (
    c: AppContext,
    log: OperationLog,
    problems: readonly Problem[],
    status: 200 | 409 | 422,
  ) => {
    const page = {
      frame: pageFrame(c, dashboard),
      view: log.view,
      events: log.since(0),
      concurrency: manager.operations.concurrency,
      now: now(),
      rollBack: await rollBackOf(dashboard, log.view),
      problems,
    };
    return sendPage(c, <OperationPage {...page} />, status);
  };
  const refuse = (c: AppContext, log: OperationLog, message: string) =>
    show(c, log, [{ field: "", message }], 409);
  app.get(
    "/operations/:id",
    withLog((c, log) => wantsJson(c) ? c.json(operationJson(log.view)) : show(c, log, [], 200)),
  );
  app.post(
    "/operations/:id/resume",
    withLog(async (c, log) => {
      const overlap = manager.operations.overlapWith(log.view.id);
      if (overlap !== null) return await refuse(c, log, whyNotNow(overlap, "Nothing was resumed"));
      return await recover(c, log, manager.operations.resume(log.view.id, { by: actorOf(c) }));
    }),
  );
  app.post(
    "/operations/:id/rollback",
    withLog(async (c, log) => {
      const { phrase } = recoveryOf(log.view);
      const fields = await readForm(c.req.raw);
      const typed = fields?.get("phrase")?.trim().toLowerCase() ?? "";
      if (phrase !== null && typed !== phrase) {
        const message = `The phrase did not match. Nothing was removed. Type ${phrase} to confirm`;
        return await show(c, log, [{ field: "phrase", message }], 422);
      }
      const overlap = manager.operations.overlapWith(log.view.id);
      if (overlap !== null) return await refuse(c, log, whyNotNow(overlap, "Nothing was removed"));
      const isUnderWay = manager.operations.isRecovering(log.view.id);
      const shown = isUnderWay ? null : await rollBackOf(dashboard, log.view);
      const sent = fields?.get("plan") ?? "";
      // A page opened while the operation ran does not show snapshots and clones of the disks.
      if (shown !== null && shown.fingerprint !== sent && (sent !== "" || hasMoreToShow(shown))) {
        const message = sent === ""
          ? "Nothing has been removed yet. Check which snapshots are destroyed and what cannot be removed, then roll back again"
          : "Snapshots or clones of the disks changed after the page was shown. Nothing was removed. Check the current list and confirm again";
        return await refuse(c, log, message);
      }
      const options = { by: actorOf(c), ...(shown === null ? {} : { shown }) };
      return await recover(c, log, manager.operations.rollBack(log.view.id, options));
    }),
  );
  app.post(
    "/operations/:id/leave",
    withLog((c, log) => {
      const { id } = log.view;
      if (manager.operations.leave(id)) recordDecision(c, log.view, "Keep as it is");
      return c.redirect(paths.operation(id), 303);
    }),
  );
  app.post(
    "/operations/:id/stop-waiting",
    withLog(async (c, log) => {
      const { id } = log.view;
      if (manager.operations.stopWaiting(id)) {
        recordDecision(c, log.view, "Stop waiting");
        // The page then shows what to decide, also where no script brings it up to date.
        await inTime(manager.operations.ended(id));
      }
      return c.redirect(paths.operation(id), 303);
    }),
  );
  app.post(
    "/operations/:id/cancel",
    withLog(async (c, log) => {
      const { id } = log.view;
      const fields = await readForm(c.req.raw);
      // Cancelling a finished operation has no effect; its page shows how it ended.
      if (manager.operations.cancel(id, fields?.get("then") === "keep" ? "keep" : "roll-back")) {
        recordDecision(c, log.view, "Cancel");
      }
      return c.redirect(paths.operation(id), 303);
    }),
  );
  app.get("/operations/:id/events", (c) => {
    const log = manager.operations.store.get(c.req.param("id"));
    return sendStream(c, dashboard, async (write, signal) => {
      // After a restart, a 404 would make open tabs retry forever.
      if (log === undefined) {
        await write(frame(String(<StreamPatch />)));
        return await write(frame("unknown", { event: "end" }));
      }
      const after = resumeAfter(c);
      // These have no event ID, because a reconnection continues only from the operation's own events.
      const send = (html: string) => runDetached(write(frame(html)), "writing to a stream", dashboard.logger);
      const stopConnection = onConnection(dashboard, () => {
        send(String(<ConnectionPatch connection={connectionView(dashboard)} />));
      });
      const tasks = liveTasks(dashboard);
      const stopTasks = tasks.watch(() =>
        runDetached(write(tasks.message(log.view.id)), "writing to a stream", dashboard.logger)
      );
      const stopConcurrency = manager.operations.onConcurrency(() =>
        send(String(<ConcurrencyPatch concurrency={manager.operations.concurrency} />))
      );
      try {
        for await (const message of patches(log, { after, signal, now, mayChange: mayChange(c) })) {
          await write(message);
        }
      } finally {
        stopConnection();
        stopConcurrency();
        stopTasks();
      }
      const { status } = log.view;
      if (!isActive(log.view)) await write(frame(status, { event: "end" }));
    });
  });
  return app;
}

/** What a rollback would remove; null if nothing, or if the NAS cannot be read now. */
async function rollBackOf({ manager }: Dashboard, view: OperationView): Promise<RollBackPlan | null> {
  try {
    return await manager.planRollBack(view);
  } catch (error) {
    if (error instanceof TrueNASError) return null;
    throw error;
  }
}

/** Whether a rollback removes snapshots or has to leave something, which the names alone do not show. */
function hasMoreToShow({ vms }: RollBackPlan): boolean {
  return vms.some(({ blocked, zvols }) =>
    blocked.length > 0 || zvols.some(({ snapshots }) => snapshots !== null && snapshots.length > 0)
  );
}

/** Opens the follow-up operation, which a second click finds again; without one, the same page. */
async function recover(
  c: AppContext,
  log: OperationLog,
  starting: Promise<RunningOperation | null>,
): Promise<Response> {
  const operation = await starting;
  const { id, resolution } = log.view;
  return c.redirect(paths.operation(operation?.log.id ?? resolution?.operation ?? id), 303);
}

interface FollowOptions {
  readonly after: number;
  readonly signal: AbortSignal;
  readonly now: () => number;
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
}

/** What watchers of an operation share of one event. */
interface Rendered {
  /** When it was first sent. */
  readonly at: number;
  readonly timeline: Timeline;
  /** By what the watchers may do and what their pages show. */
  readonly messages: Map<string, Uint8Array<ArrayBuffer>>;
}

/** What watchers of an operation share, by event. */
interface Shared {
  readonly events: Map<number, Rendered>;
  watchers: number;
}

const shared = new WeakMap<OperationLog, Shared>();

/** Events kept per operation; watchers further behind get them rendered again. */
const MAX_RENDERED = 64;

/** One message per event, each showing the operation as it was then. */
async function* patches(log: OperationLog, { after, signal, now, mayChange }: FollowOptions) {
  let view = after === 0 ? emptyView(log.id) : foldOperation(log.id, log.since(0).slice(0, after));
  const known = shared.get(log) ?? { events: new Map<number, Rendered>(), watchers: 0 };
  shared.set(log, known);
  known.watchers++;
  // How long the axis of a page that has just loaded is, is not known here, so its first message draws everything.
  let drawn: string | null = null;
  try {
    for await (const event of log.follow(after, signal)) {
      view = applyEvent(view, event);
      const { seq } = event;
      const rendered = known.events.get(seq) ?? render(view, now());
      if (seq > log.view.lastSeq - MAX_RENDERED) known.events.set(seq, rendered);
      known.events.delete(seq - MAX_RENDERED);
      const { at, timeline, messages } = rendered;
      const drawing = frameOf(timeline);
      const redraw = drawing !== drawn;
      drawn = drawing;
      const key = `${mayChange} ${redraw}`;
      const events = () => log.since(0).slice(0, seq);
      const patch = { view, event, events, mayChange, now: at, timeline, redraw };
      const message = messages.get(key) ?? frame(String(<OperationPatch {...patch} />), { id: seq });
      messages.set(key, message);
      yield message;
    }
  } finally {
    known.watchers--;
    if (known.watchers === 0) shared.delete(log);
  }
}

function render(view: OperationView, at: number): Rendered {
  return { at, timeline: timelineOf(view, at), messages: new Map() };
}
