/** The VMs: the list and its live changes, and one VM. */
import { type Context, Hono } from "hono";
import type { SSEStreamingApi } from "hono/streaming";
import { type Problem, TrueNASError } from "../lib/errors.ts";
import type { Vm } from "../lib/inventory.ts";
import { vmJson } from "../lib/json.ts";
import { typeOf } from "../lib/names.ts";
import { VM_ACTION_NAMES, whyNot } from "../lib/vm_actions.ts";
import { VmPage, type VmPageProps } from "../templates/pages/vm_page.tsx";
import { VmsPage } from "../templates/pages/vms_page.tsx";
import { AgePatch, ConnectionPatch, GroupPatch, VmListPatch, VmPatch } from "../templates/parts/patches.tsx";
import { isByName } from "../templates/parts/vm_list.tsx";
import type { Capacity, Stale, Typed, VmListProps, VmQuery, VmRowProps } from "../templates/props.ts";
import { connectionView, type Dashboard, mayChange, pageFrame, sendPage, wantsJson } from "./dashboard.ts";
import { sendStream } from "./streams.ts";
import { matches, queryOf, sorted } from "./vm_query.ts";

/** GET /, /vms/:id, /events. */
export function vmRoutes(dashboard: Dashboard): Hono {
  const { manager } = dashboard;
  const app = new Hono();
  app.get("/", async (c) => {
    await manager.live.ready();
    const query = queryOf(c);
    const list = listProps(dashboard, query, mayChange(c));
    if (wantsJson(c)) {
      return c.json(
        { nas: nasJson(dashboard), vms: (list.vms ?? []).map(({ vm }) => vmJson(vm)) },
        list.vms === null ? 503 : 200,
      );
    }
    const page = { frame: pageFrame(c, dashboard), list, running: manager.writing?.view ?? null };
    return sendPage(c, <VmsPage {...page} capacity={await readCapacity(dashboard)} />);
  });
  app.get("/vms/:id", async (c) => {
    const { vms } = await manager.live.ready();
    const vm = vms?.find(({ id }) => String(id) === c.req.param("id"));
    if (vm === undefined) return c.notFound();
    if (wantsJson(c)) return c.json(vmJson(vm));
    return sendPage(c, <VmPage {...vmPage(c, dashboard, vm)} />);
  });
  app.get("/events", (c) => {
    const query = queryOf(c);
    return sendStream(
      c,
      dashboard,
      (stream, signal) => streamInventory(dashboard, { query, mayChange: mayChange(c) }, stream, signal),
    );
  });
  return app;
}

/** What has to be said on a VM's page beside what is there. */
export interface VmPageWords {
  readonly notice?: string;
  readonly problems?: readonly Problem[];
  readonly typed?: Typed;
}

/** What a VM's page is given. */
export function vmPage(c: Context, dashboard: Dashboard, vm: Vm, words: VmPageWords = {}): VmPageProps {
  const { manager } = dashboard;
  const operations = manager.operations.list().filter(({ vms }) => vms.some(({ name }) => name === vm.name));
  const facts = { busy: manager.operations.busy(vm.name)?.doing ?? null, canReset: manager.canReset };
  return {
    frame: pageFrame(c, dashboard),
    vm,
    actions: VM_ACTION_NAMES.map((name) => ({ name, because: whyNot(name, vm, facts) })),
    operations: operations.slice(0, MAX_OPERATIONS),
    notice: words.notice ?? null,
    problems: words.problems ?? [],
    typed: words.typed ?? null,
  };
}

/** A VM's page is about the VM: the rest is in the history. */
const MAX_OPERATIONS = 10;

/** What the NAS has left; what cannot be read is left out. */
async function readCapacity({ manager, configuration, logger }: Dashboard): Promise<Capacity> {
  try {
    const { storage } = configuration().configuration;
    return await manager.capacity(storage.pool_path);
  } catch (error) {
    if (!(error instanceof TrueNASError)) throw error;
    logger.debug("The NAS's capacity cannot be read", { error: error.message });
    return { memoryBytes: null, storage: null };
  }
}

/** How old what is known is, while it is not kept true. */
function staleness({ manager, now }: Dashboard): Stale | null {
  const { readAt } = manager.live.snapshot;
  return manager.connection.kind === "live" || readAt === null ? null : { since: readAt, now: now() };
}

function listProps(dashboard: Dashboard, query: VmQuery, mayChange: boolean): VmListProps {
  const { manager } = dashboard;
  const { vms, error } = manager.live.snapshot;
  const all = vms ?? [];
  const state = manager.connection;
  const wrong = state.kind === "reconnecting" || state.kind === "otp" ? state.error : error;
  return {
    mayChange,
    vms: vms === null
      ? null
      : sorted(all.filter((vm) => matches(vm, query)), query.sort).map((vm) =>
        rowOf(dashboard, vm, mayChange)
      ),
    total: all.length,
    query,
    states: [...new Set(all.map((vm) => vm.state))].sort(),
    types: [...new Set(all.map(({ name }) => typeOf(name)).filter((type) => type !== null))].sort(),
    problem: wrong === null ? null : {
      message: wrong.message,
      remedy: "remedy" in wrong ? String(wrong.remedy) : "Look again in a moment.",
    },
    stale: staleness(dashboard),
  };
}

function rowOf({ manager }: Dashboard, vm: Vm, mayChange: boolean): VmRowProps {
  return { vm, busy: manager.operations.busy(vm.name), mayChange };
}

/** Who watches what. */
interface Watcher {
  readonly query: VmQuery;
  readonly mayChange: boolean;
}

/** Sends changes until the client goes: a row when a VM changed, the list when VMs came or went. */
async function streamInventory(
  dashboard: Dashboard,
  watcher: Watcher,
  stream: SSEStreamingApi,
  signal: AbortSignal,
): Promise<void> {
  const { manager } = dashboard;
  const shown = new Map<number, string>();
  const wake = { whole: true, connection: true, age: false, changed: new Map<number, Vm>(), ring: () => {} };
  const aging = setInterval(() => {
    wake.age = staleness(dashboard) !== null;
    if (wake.age) wake.ring();
  }, AGE_MS);
  const forget = [
    manager.live.onChange((change) => {
      if (change.type === "changed") wake.changed.set(change.vm.id, change.vm);
      else wake.whole = true;
      wake.ring();
    }),
    manager.operations.onEvent((_view, event) => {
      if (event.type !== "step" && event.type !== "vm") return;
      const vm = manager.live.snapshot.vms?.find(({ name }) => name === event.vm);
      if (vm === undefined) return;
      wake.changed.set(vm.id, vm);
      wake.ring();
    }),
    manager.onConnection(() => {
      wake.connection = true;
      wake.age = true;
      wake.ring();
    }),
  ];
  const stop = () => wake.ring();
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (!signal.aborted) {
      const messages = takeMessages(dashboard, watcher, wake, shown);
      for (const data of messages) await stream.writeSSE({ data });
      if (messages.length === 0) await new Promise<void>((resolve) => wake.ring = resolve);
    }
  } finally {
    clearInterval(aging);
    for (const end of forget) end();
    signal.removeEventListener("abort", stop);
  }
}

/** How often the age of what is not kept true is told anew. */
const AGE_MS = 5_000;

interface Wake {
  whole: boolean;
  connection: boolean;
  age: boolean;
  readonly changed: Map<number, Vm>;
}

/** What is to be sent now. Rows are compared with what was sent, for one change is often told of several times. */
function takeMessages(
  dashboard: Dashboard,
  { query, mayChange }: Watcher,
  wake: Wake,
  shown: Map<number, string>,
): string[] {
  const messages: string[] = [];
  if (wake.connection) messages.push(String(<ConnectionPatch connection={connectionView(dashboard)} />));
  wake.connection = false;
  if (wake.age) messages.push(String(<AgePatch stale={staleness(dashboard)} />));
  wake.age = false;
  const changed = [...wake.changed.values()];
  wake.changed.clear();
  const moved = changed.some((vm) => matches(vm, query) !== shown.has(vm.id));
  if (wake.whole || moved) {
    wake.whole = false;
    const list = listProps(dashboard, query, mayChange);
    shown.clear();
    for (const row of list.vms ?? []) shown.set(row.vm.id, JSON.stringify(row));
    messages.push(String(<VmListPatch list={list} />));
    return messages;
  }
  const groups = new Set<string>();
  for (const vm of changed) {
    const row = rowOf(dashboard, vm, mayChange);
    const text = JSON.stringify(row);
    if (!shown.has(vm.id) || shown.get(vm.id) === text) continue;
    shown.set(vm.id, text);
    groups.add(typeOf(vm.name) ?? "");
    messages.push(String(<VmPatch {...row} />));
  }
  if (!isByName(query)) return messages;
  for (const type of groups) {
    const vms = (dashboard.manager.live.snapshot.vms ?? []).filter((vm) =>
      (typeOf(vm.name) ?? "") === type && shown.has(vm.id)
    );
    messages.push(String(<GroupPatch type={type} vms={vms} />));
  }
  return messages;
}

function nasJson(dashboard: Dashboard): Record<string, unknown> {
  const { state, host, release, message } = connectionView(dashboard);
  const { readAt } = dashboard.manager.live.snapshot;
  return {
    host,
    release,
    connection: state,
    message,
    readAt: readAt === null ? null : new Date(readAt).toISOString(),
  };
}
