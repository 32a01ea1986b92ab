/**
 * OpenTelemetry: names request spans by route and creates spans for operations and their steps. The runtime exports them
 * when started with OTEL_DENO=true; otherwise they go nowhere.
 */
import { context, type Span, SpanStatusCode, trace } from "@opentelemetry/api";
import type { MiddlewareHandler } from "hono";
import { routePath } from "hono/route";
import type { OperationStore } from "../../../lib/operations/record/store.ts";
import { VERSION } from "../../../lib/version.ts";

const tracer = trace.getTracer("truenas-vm-manager", VERSION);

/** Names a request's span by its route, because the runtime knows only the method. */
export function nameSpans(): MiddlewareHandler {
  return async (c, next) => {
    await next();
    const span = trace.getActiveSpan();
    if (span === undefined) return;
    const route = routePath(c, -1);
    span.updateName(`${c.req.method} ${route}`);
    span.setAttribute("http.route", route);
  };
}

/** Creates spans for operations and their steps, until the returned function is called. */
export function traceOperations(operations: OperationStore): () => void {
  const open = new Map<string, Span>();
  const end = (key: string, failure: string | null) => {
    const span = open.get(key);
    open.delete(key);
    if (failure !== null) span?.setStatus({ code: SpanStatusCode.ERROR, message: failure });
    span?.end();
  };
  return operations.onEvent((view, event) => {
    const { id, kind } = view;
    switch (event.type) {
      case "started": {
        const attributes = { "operation.id": id, "operation.kind": kind, "operation.vms": event.vms.length };
        open.set(id, tracer.startSpan(`operation ${kind}`, { attributes }));
        return;
      }
      case "step": {
        const { vm, step, status, method, error } = event;
        const key = `${id} ${vm} ${step}`;
        if (status !== "running") return end(key, status === "failed" ? error?.message ?? "failed" : null);
        const operation = open.get(id);
        const parent = operation === undefined
          ? context.active()
          : trace.setSpan(context.active(), operation);
        const attributes = {
          "operation.id": id,
          vm,
          step,
          ...(method === undefined ? {} : { "nas.method": method }),
        };
        open.set(key, tracer.startSpan(`step ${step.replace(/-?\d+$/, "")}`, { attributes }, parent));
        return;
      }
      case "finished":
        for (const key of [...open.keys()]) if (key.startsWith(`${id} `)) end(key, null);
        return end(id, event.status === "done" ? null : event.status);
    }
  });
}
