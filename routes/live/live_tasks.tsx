/** The running operations, rendered once for all pages that show them as tasks. */
import { isActive, type OperationView } from "../../lib/operations/types.ts";
import { Tasks } from "../../templates/parts/frame/tasks.tsx";
import type { Dashboard } from "../server/dashboard.ts";
import { frame } from "./streams.ts";

/** How often progress is sent; starts and ends are sent at once. */
const PROGRESS_MS = 500;

/** The running operations, without the one that a page shows itself. */
function runningOperations({ manager }: Dashboard, except: string | null): readonly OperationView[] {
  return manager.operations.store.list().filter((view) => isActive(view) && view.id !== except);
}

/** The tasks of a dashboard, for all its streams. */
export class LiveTasks {
  readonly #dashboard: Dashboard;
  readonly #watchers = new Set<() => void>();
  /** Messages by the operation that they leave out. */
  readonly #messages = new Map<string | null, Uint8Array<ArrayBuffer>>();
  #timer: ReturnType<typeof setTimeout> | undefined;
  #forget = () => {};

  /** Follows nothing yet. */
  constructor(dashboard: Dashboard) {
    this.#dashboard = dashboard;
  }

  /** Calls `ring` when {@link message} has changed, until the returned function is called. */
  watch(ring: () => void): () => void {
    if (this.#watchers.size === 0) this.#follow();
    this.#watchers.add(ring);
    return () => {
      if (!this.#watchers.delete(ring) || this.#watchers.size > 0) return;
      this.#forget();
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#messages.clear();
    };
  }

  /** The tasks as a message; the same object until they change. */
  message(except: string | null): Uint8Array<ArrayBuffer> {
    const known = this.#messages.get(except);
    if (known !== undefined) return known;
    const tasks = { running: runningOperations(this.#dashboard, except), now: this.#dashboard.now() };
    const made = frame(String(
      <hx-partial hx-target="#tasks-dock" hx-swap="outerMorph">
        <Tasks {...tasks} />
      </hx-partial>,
    ));
    this.#messages.set(except, made);
    return made;
  }

  #follow(): void {
    this.#messages.clear();
    this.#forget = this.#dashboard.manager.operations.store.onEvent((_view, { type }) => {
      if (type === "started" || type === "finished") return this.#changed();
      this.#timer ??= setTimeout(() => this.#changed(), PROGRESS_MS);
    });
  }

  #changed(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#messages.clear();
    for (const ring of this.#watchers) ring();
  }
}

const tasksOf = new WeakMap<Dashboard, LiveTasks>();

/** The tasks of a dashboard. */
export function liveTasks(dashboard: Dashboard): LiveTasks {
  const known = tasksOf.get(dashboard) ?? new LiveTasks(dashboard);
  tasksOf.set(dashboard, known);
  return known;
}
