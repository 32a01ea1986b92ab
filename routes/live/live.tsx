/**
 * Live updates of open pages (the list, one VM, or the connection) as server-sent events. Each stream collects changes
 * while the last message is being sent, so a slow browser gets fewer messages but never outdated ones.
 */
import { Hono } from "hono";
import { isUndecided } from "../../lib/operations/record/undecided.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { AgePatch } from "../../templates/parts/list/patches.tsx";
import { ConnectionPatch, UndecidedPatch, WordsPatch } from "../../templates/parts/patches.tsx";
import { vmGoneParts, vmParts } from "../../templates/parts/vm/devices/patches.tsx";
import { isVmTab, type VmTab } from "../../templates/paths.ts";
import { isByName } from "../../templates/parts/list/vm_list.tsx";
import { connectionView, type Dashboard, onConnection } from "../server/dashboard.ts";
import { isOperationFilter } from "../../templates/parts/operation/operation_list.tsx";
import { liveTasks } from "./live_tasks.tsx";
import { watchHistory } from "./watch_history.tsx";
import { frame, sendStream, type Write } from "./streams.ts";
import type { ListWatcher, SharedLists, Shown } from "./shared_lists.tsx";
import { groupOf } from "../vms/vm_groups.ts";
import { rowOf, staleness, unfinishedOf, vmAudit, vmNow, vmOf } from "../vms/vm_props.ts";
import { typeMatcher } from "../vms/type_match.ts";
import { queryOf } from "../vms/vm_query.ts";
import { watchOperations } from "./watch_operations.tsx";
import { type AppContext, type AppEnv, mayChange } from "../server/context.ts";
import { announcementsOf, VmRowOnce, type VmRowProps } from "../../templates/parts/list/vm_row.tsx";

/** GET /events (the list, `?only=operations` their list, `?only=connection` the badge alone), /vms/:id/events. */
export function liveRoutes(dashboard: Dashboard, shared: SharedLists): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const stream = (c: AppContext, open: (ring: () => void) => Source) =>
    sendStream(c, dashboard, (write, signal) => pump(write, signal, open));
  app.get("/events", (c) => {
    if (c.req.query("only") === "connection") {
      return stream(c, (ring) => watchFrame(dashboard, ring));
    }
    const state = c.req.query("state") ?? "";
    if (c.req.query("only") === "operations") {
      return stream(c, (ring) => {
        const [connection, history] = [
          watchConnection(dashboard, ring),
          watchHistory(dashboard, isOperationFilter(state) ? state : "", ring),
        ];
        const take = () => [...connection.take(), ...history.take()];
        return { take, end: [...connection.end, ...history.end] };
      });
    }
    const watcher = { query: queryOf(c), mayChange: mayChange(c) };
    const [seen, operation] = [c.req.query("seen") ?? "", c.req.query("operation") ?? ""];
    return stream(c, (ring) => watchList(dashboard, shared, { ...watcher, seen, operation }, ring));
  });
  app.get("/vms/:id/events", (c) => {
    const tab = c.req.query("tab") ?? "";
    const watcher = {
      id: Number(c.req.param("id")),
      mayChange: mayChange(c),
      tab: isVmTab(tab) ? tab : "overview",
      devices: c.req.query("devices") ?? "",
    };
    return stream(c, (ring) => watchVm(dashboard, shared, watcher, ring));
  });
  return app;
}

/** A source of messages. */
interface Source {
  /** The messages to send now; empty if there are none. */
  take(): readonly Uint8Array<ArrayBuffer>[];
  /** Ends its subscriptions. */
  readonly end: readonly (() => void)[];
}

/** Sends a source's messages each time it rings, until the client disconnects. */
async function pump(
  write: Write,
  signal: AbortSignal,
  open: (ring: () => void) => Source,
): Promise<void> {
  let wake = () => {};
  const source = open(() => wake());
  const stop = () => wake();
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (!signal.aborted) {
      const messages = source.take();
      if (messages.length > 0) await write(joined(messages));
      if (messages.length === 0) await new Promise<void>((resolve) => wake = resolve);
      else await pause(GATHER_MS, signal);
    }
  } finally {
    for (const end of source.end) end();
    signal.removeEventListener("abort", stop);
  }
}

/** Joins messages into one chunk, because each write has a fixed cost. */
function joined(messages: readonly Uint8Array<ArrayBuffer>[]): Uint8Array<ArrayBuffer> {
  const [first] = messages;
  if (messages.length === 1 && first !== undefined) return first;
  const whole = new Uint8Array(messages.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const message of messages) {
    whole.set(message, at);
    at += message.length;
  }
  return whole;
}

/** Waits for a time, or until the client disconnects. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(end, ms);
    function end() {
      clearTimeout(timer);
      signal.removeEventListener("abort", end);
      resolve();
    }
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  });
}

/** The connection badge and notice, and the tasks, of which the page may show one itself. */
function watchFrame(dashboard: Dashboard, ring: () => void, shows: string | null = null): Source {
  const connection = watchConnection(dashboard, ring);
  const tasks = liveTasks(dashboard);
  const stop = tasks.watch(ring);
  let sent: Uint8Array<ArrayBuffer> | null = null;
  const take = () => {
    const message = tasks.message(shows);
    const messages = message === sent ? connection.take() : [...connection.take(), message];
    sent = message;
    return messages;
  };
  return { take, end: [...connection.end, stop] };
}

/** The connection badge and notice, and how many operations wait for a decision. */
function watchConnection(dashboard: Dashboard, ring: () => void): Source {
  let stale = true;
  let sent = -1;
  const { store } = dashboard.manager.operations;
  const end = [
    onConnection(dashboard, () => {
      stale = true;
      ring();
    }),
    store.onEvent((_view, { type }) => {
      if (type === "finished" || type === "resolved") ring();
    }),
  ];
  const take = () => {
    const messages = stale ? [frame(String(<ConnectionPatch connection={connectionView(dashboard)} />))] : [];
    stale = false;
    const undecided = store.list().filter(isUndecided).length;
    if (undecided !== sent) messages.push(frame(String(<UndecidedPatch count={undecided} />)));
    sent = undecided;
    return messages;
  };
  return { take, end };
}

/** How often the age of an outdated list is updated. */
const AGE_MS = 5_000;

/** How long changes are collected before they are sent together. */
const GATHER_MS = 30;

/** What the page of a list was rendered with. */
interface PageOfList {
  /** The version of its list. */
  readonly seen: string;
  /** The id of the operation above the list, or empty. */
  readonly operation: string;
}

/** Sends a row when a VM changes, and the whole list when VMs are added or removed. */
function watchList(
  dashboard: Dashboard,
  shared: SharedLists,
  { seen, operation, ...watcher }: ListWatcher & PageOfList,
  ring: () => void,
): Source {
  const { manager } = dashboard;
  const connection = watchFrame(dashboard, ring, operation || null);
  const strips = [shared.capacity, shared.load].map((strip) => onlyNew(strip));
  // A page rendered from the current list does not need it again.
  const isNew = seen === shared.version && staleness(dashboard) === null;
  const known = isNew ? shared.list(watcher) : null;
  let shown = new Map<number, Shown>(known?.shown ?? []);
  let matching: ReadonlyMap<number, string> = known?.matching ?? new Map();
  let order = known?.order ?? "";
  const changed = new Map<number, Vm>();
  const below = watchOperations(dashboard, operation, ring);
  let [whole, first, age] = [!isNew, !isNew, false];
  let { look, chips } = shared.list(watcher);
  const aging = setInterval(() => {
    age = staleness(dashboard) !== null;
    if (age) ring();
  }, AGE_MS);
  const end = [
    ...connection.end,
    ...below.end,
    () => clearInterval(aging),
    manager.inventory.live.watch(),
    shared.capacity.watch(ring),
    shared.load.watch(ring),
    manager.inventory.live.onChange(({ type }) => {
      if (type === "changed") return;
      whole = true;
      ring();
    }),
    shared.onVm((vm) => {
      changed.set(vm.id, vm);
      ring();
    }),
    shared.onConfiguration(() => {
      whole = true;
      ring();
    }),
    manager.connection.onState(() => {
      age = true;
      ring();
    }),
  ];
  const takeList = (): Announced => {
    const before = { shown, matching };
    const list = shared.list(watcher);
    shown = new Map(list.shown);
    ({ matching, order } = list);
    // A VM that only gets or loses its row stays in the list.
    const words = [
      ...[...matching].flatMap(([id, name]) =>
        before.matching.has(id) ? [] : [`${name} was added to the list`]
      ),
      ...[...shown].flatMap(([id, { row }]) => {
        const was = before.shown.get(id);
        return was === undefined ? [] : announcementsOf(was.row, row);
      }),
      ...[...before.matching].flatMap(([id, name]) =>
        list.matching.has(id) ? [] : [`${name} was removed from the list`]
      ),
    ];
    return { messages: [list.message()], words };
  };
  const take = () => {
    const messages = [...connection.take(), ...below.take()];
    if (age) messages.push(frame(String(<AgePatch stale={staleness(dashboard)} />)));
    age = false;
    messages.push(...strips.flatMap((takeNew) => takeNew()));
    const vms = [...changed.values()];
    changed.clear();
    const list = shared.list(watcher);
    const moved = list.look !== look ||
      (vms.length > 0 && (list.order !== order || !hasSameKeys(list.matching, matching)));
    if (list.chips !== chips || whole) messages.push(frame(list.chips));
    ({ look, chips } = list);
    const update = whole || moved ? takeList() : takeRows(dashboard, shared, watcher, shown, vms);
    // Nothing is announced for the list the page was opened with.
    const words = first ? [] : update.words;
    if (whole || moved) [whole, first] = [false, false];
    return [
      ...messages,
      ...update.messages,
      ...(words.length === 0 ? [] : [frame(String(<WordsPatch words={words} />))]),
    ];
  };
  return { take, end };
}

function hasSameKeys(one: ReadonlyMap<number, unknown>, other: ReadonlyMap<number, unknown>): boolean {
  return one.size === other.size && [...one.keys()].every((key) => other.has(key));
}

/** The message of a strip that all lists share, once each time it changes. */
function onlyNew(strip: { readonly message: Uint8Array<ArrayBuffer> | null }) {
  let sent: Uint8Array<ArrayBuffer> | null = null;
  return (): readonly Uint8Array<ArrayBuffer>[] => {
    const { message } = strip;
    const isNew = message !== null && message !== sent;
    sent = message;
    return isNew ? [message] : [];
  };
}

/** Messages with their announcements for screen readers. */
interface Announced {
  readonly messages: readonly Uint8Array<ArrayBuffer>[];
  readonly words: readonly string[];
}

/** Sends only rows that differ from what was sent, because one change often causes several events. */
function takeRows(
  dashboard: Dashboard,
  shared: SharedLists,
  watcher: ListWatcher,
  shown: Map<number, Shown>,
  vms: readonly Vm[],
): Announced {
  const messages: Uint8Array<ArrayBuffer>[] = [];
  const words: string[] = [];
  const groups = new Set<string>();
  const list = shared.list(watcher);
  const unfinished = unfinishedOf(dashboard);
  const matchOf = typeMatcher(dashboard);
  for (const vm of vms) {
    const { mayChange } = watcher;
    const row = rowOf(dashboard, vm, { mayChange, look: list.look, unfinished, matchOf });
    const html = String(VmRowOnce(row));
    const before = shown.get(vm.id);
    // A VM without a row still counts in the heading of its group.
    if (before === undefined && list.matching.has(vm.id)) groups.add(groupOf(vm, list.types));
    if (before === undefined || before.html === html) continue;
    shown.set(vm.id, { html, row });
    groups.add(groupOf(vm, list.types));
    messages.push(shared.row(row));
    words.push(...announcementsOf(before.row, row));
  }
  if (!isByName(watcher.query)) return { messages, words };
  return {
    messages: [...messages, ...[...groups].flatMap((group) => shared.group(watcher, group) ?? [])],
    words,
  };
}

/** A page that shows one VM. */
interface VmWatcher {
  readonly id: number;
  readonly mayChange: boolean;
  readonly tab: VmTab;
  /** Ids of the devices that the page lists. */
  readonly devices: string;
}

/** Updates the parts of one VM's page that changed. Its forms are left alone, because someone may be filling them in. */
function watchVm(
  dashboard: Dashboard,
  shared: SharedLists,
  { id, mayChange, tab, devices }: VmWatcher,
  ring: () => void,
): Source {
  const { manager } = dashboard;
  const connection = watchFrame(dashboard, ring);
  const below = watchOperations(dashboard, "", ring);
  let stale = true;
  const sent = new Map<string, string>();
  let before: VmRowProps | null = null;
  const touch = () => {
    stale = true;
    ring();
  };
  const end = [
    ...connection.end,
    ...below.end,
    onConnection(dashboard, touch),
    manager.inventory.live.watch(),
    manager.inventory.live.onChange((change) => {
      if (change.type === "all" || (change.type === "removed" && change.id === id)) touch();
    }),
    shared.onVm((vm) => {
      if (vm.id === id) touch();
    }),
    manager.operations.store.onEvent((view) => {
      if (view.vms.some(({ vmId }) => vmId === id)) touch();
    }),
  ];
  const take = () => {
    const messages = [...connection.take(), ...below.take()];
    const vm = stale ? manager.inventory.live.snapshot.vms?.find((it) => it.id === id) : undefined;
    const known = manager.inventory.live.snapshot.vms !== null;
    if (!stale || (vm === undefined && !known)) return messages;
    stale = false;
    const parts = vm === undefined ? vmGoneParts() : vmParts({
      now: vmNow(dashboard, vm, mayChange),
      tab,
      devices,
      audit: tab === "history" ? vmAudit(dashboard, vm) : { entries: [], total: 0 },
    });
    const changed = parts.filter(({ id, html }) => sent.get(id) !== html);
    if (changed.length > 0) messages.push(frame(changed.map(({ html }) => html).join("")));
    for (const { id, html } of changed) sent.set(id, html);
    const row = vm === undefined ? null : vmOf(dashboard, vm, mayChange);
    const words = row === null || before === null ? [] : announcementsOf(before, row);
    before = row;
    if (words.length > 0) messages.push(frame(String(<WordsPatch words={words} />)));
    return messages;
  };
  return { take, end };
}
