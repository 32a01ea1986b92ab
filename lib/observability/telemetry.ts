/** Reports a manager's work to the log and the metrics. */
import type { Readiness } from "../first_boot/types.ts";
import type { LiveInventory } from "../inventory/live_inventory.ts";
import type { Logger } from "./logging.ts";
import type { Metrics } from "./metrics.ts";
import type { OperationStore } from "../operations/record/store.ts";
import type { FinalStatus, OperationEvent, OperationKind, OperationView } from "../operations/types.ts";
import type { EndedCall } from "../truenas/client.ts";
import type { Session } from "../truenas/connection/session.ts";
import { VERSION } from "../version.ts";

/** Logs start, end and failures of operations, with the ids of the operation and of its request. */
export function logOperations(logger: Logger): (view: OperationView, event: OperationEvent) => void {
  return ({ id, title, by }, event) => {
    const of = { operation: id, ...(by?.request === undefined ? {} : { request: by.request }) };
    if (event.type === "started") {
      logger.info("Operation started", { ...of, title, who: by?.who, from: by?.from });
    }
    if (event.type === "finished") logger.info("Operation finished", { ...of, title, status: event.status });
    if (event.type === "step" && event.status === "failed") {
      logger.warning("A step failed", { ...of, vm: event.vm, step: event.step, error: event.error?.message });
    }
  };
}

/** The sources of the metrics. */
export interface Measured {
  readonly operations: OperationStore;
  readonly session: Session;
  readonly live: LiveInventory;
  /** Limit of concurrent calls of operations. */
  readonly concurrency: () => number;
  /** How many running VMs answer; default: that is not known. */
  readonly readiness?: () => ReadonlyMap<Readiness["state"], number>;
}

const KINDS: Readonly<Record<OperationKind, true>> = {
  "create": true,
  "destroy": true,
  "undo": true,
  "clean": true,
  "act": true,
  "change": true,
  "image": true,
  "remove-image": true,
  "checkpoint": true,
  "rollback": true,
  "remove-checkpoint": true,
};

const STATUSES: Readonly<Record<FinalStatus, true>> = {
  "done": true,
  "failed": true,
  "partly-done": true,
  "cancelled": true,
  "interrupted": true,
};

/** Counts operations, steps and reconnections, and reports the connection, the concurrency limit and the VMs. */
export function measureManager(
  metrics: Metrics,
  { operations, session, live, concurrency, readiness }: Measured,
): void {
  for (const kind of Object.keys(KINDS)) {
    for (const status of Object.keys(STATUSES)) {
      metrics.expect("truenas_vm_manager_operations_total", { kind, status });
    }
  }
  metrics.expect("truenas_vm_manager_reconnects_total");
  metrics.gauge("truenas_vm_manager_build_info", () => [{ labels: { version: VERSION }, value: 1 }]);
  operations.onEvent((view, event) => {
    if (event.type === "finished") {
      const { kind, status } = view;
      metrics.count("truenas_vm_manager_operations_total", { kind, status });
    }
    if (event.type === "healed") {
      metrics.count("truenas_vm_manager_healed_total", { step: event.step.replace(/-?\d+$/, "") });
    }
    if (event.type !== "step" || event.status === "running" || event.status === "pending") return;
    const step = event.step.replace(/-?\d+$/, "");
    metrics.count("truenas_vm_manager_steps_total", { step, status: event.status });
    const ended = view.vms.find(({ name }) => name === event.vm)?.steps.find((it) => it.step === event.step);
    // A step that was cancelled before its call only waited.
    if (event.status !== "skipped" && ended?.startedAt != null && ended.finishedAt !== null) {
      metrics.observe("truenas_vm_manager_step_seconds", (ended.finishedAt - ended.startedAt) / 1000, {
        step,
      });
    }
  });
  session.onState(({ kind }) => {
    if (kind === "reconnecting") metrics.count("truenas_vm_manager_reconnects_total");
  });
  metrics.gauge(
    "truenas_vm_manager_connected",
    () => [{ value: session.state.kind === "live" ? 1 : 0 }],
  );
  metrics.gauge(
    "truenas_vm_manager_operations_waiting",
    () => [{ value: operations.list().filter(({ status }) => status === "waiting").length }],
  );
  metrics.gauge("truenas_vm_manager_nas_concurrency", () => [{ value: concurrency() }]);
  metrics.gauge(
    "truenas_vm_manager_vms_ready",
    () => [...readiness?.() ?? []].map(([state, value]) => ({ labels: { state }, value })),
  );
  metrics.gauge("truenas_vm_manager_vms", () => {
    const states = new Map<string, number>();
    for (const { state } of live.snapshot.vms ?? []) states.set(state, (states.get(state) ?? 0) + 1);
    return [...states].map(([state, value]) => ({ labels: { state }, value }));
  });
}

/** Measures each call of a session. */
export function callMeter(metrics: Metrics): (call: EndedCall) => void {
  return ({ method, durationMs, outcome }) =>
    metrics.observe("truenas_vm_manager_nas_call_seconds", durationMs / 1000, { method, outcome });
}
