/** The history of operations, and each of them live. */
import { Hono } from "hono";
import { operationJson } from "../lib/json.ts";
import { applyEvent, emptyView, foldOperation } from "../lib/operations/fold.ts";
import type { OperationLog } from "../lib/operations/log.ts";
import type { RunningOperation } from "../lib/vm_manager.ts";
import { OperationPage } from "../templates/pages/operation_page.tsx";
import { OperationsPage } from "../templates/pages/operations_page.tsx";
import { OperationPatch } from "../templates/parts/patches.tsx";
import { paths } from "../templates/paths.ts";
import { type Dashboard, pageFrame, sendPage, wantsJson } from "./dashboard.ts";
import { resumeAfter, sendStream } from "./streams.ts";

/** GET /operations, /operations/:id, /operations/:id/events, POST /operations/:id/cancel, /undo. */
export function operationRoutes(dashboard: Dashboard): Hono {
  const { manager, now } = dashboard;
  const app = new Hono();
  const undone = new Map<string, Promise<RunningOperation | null>>();
  app.get("/operations", (c) => {
    const operations = manager.operations.list();
    if (wantsJson(c)) return c.json({ operations: operations.map(operationJson) });
    return sendPage(
      c,
      <OperationsPage frame={pageFrame(c, dashboard)} operations={operations} now={now()} />,
    );
  });
  app.get("/operations/:id", (c) => {
    const log = manager.operations.get(c.req.param("id"));
    if (log === undefined) return c.notFound();
    if (wantsJson(c)) return c.json(operationJson(log.view));
    const page = { frame: pageFrame(c, dashboard), view: log.view, events: log.since(0), now: now() };
    return sendPage(c, <OperationPage {...page} />);
  });
  app.post("/operations/:id/undo", async (c) => {
    const id = c.req.param("id");
    if (manager.operations.get(id) === undefined) return c.notFound();
    // A second click leads to the first one's operation, unless that one could not remove everything.
    const earlier = await undone.get(id);
    const settled = earlier?.log.view.status === "running" || earlier?.log.view.status === "done";
    const undoing = settled && earlier ? Promise.resolve(earlier) : manager.beginUndo(id);
    undone.set(id, undoing);
    const operation = await undoing;
    return c.redirect(paths.operation(operation?.log.id ?? id), 303);
  });
  app.post("/operations/:id/cancel", (c) => {
    const id = c.req.param("id");
    if (manager.operations.get(id) === undefined) return c.notFound();
    // One that is over needs no cancelling: its page says how it ended.
    manager.cancel(id);
    return c.redirect(paths.operation(id), 303);
  });
  app.get("/operations/:id/events", (c) => {
    const log = manager.operations.get(c.req.param("id"));
    return sendStream(c, dashboard, async (stream, signal) => {
      // A 404 would make tabs that were open before a restart ask again for ever.
      if (log === undefined) return await stream.writeSSE({ event: "end", data: "unknown" });
      const after = resumeAfter(c);
      for await (const { id, data } of patches(log, { after, signal, now })) {
        await stream.writeSSE({ id: String(id), data });
      }
      if (!signal.aborted) await stream.writeSSE({ event: "end", data: log.view.status });
    });
  });
  return app;
}

interface FollowOptions {
  readonly after: number;
  readonly signal: AbortSignal;
  readonly now: () => number;
}

/** One message an event: the fold runs along, so that each shows what was true then. */
async function* patches(log: OperationLog, { after, signal, now }: FollowOptions) {
  let view = after === 0 ? emptyView(log.id) : foldOperation(log.id, log.since(0).slice(0, after));
  for await (const event of log.follow(after, signal)) {
    view = applyEvent(view, event);
    const events = log.since(0).slice(0, event.seq);
    yield {
      id: event.seq,
      data: String(<OperationPatch view={view} event={event} events={events} now={now()} />),
    };
  }
}
