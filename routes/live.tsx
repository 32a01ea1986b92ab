/**
 * What keeps open pages true: the list, one VM, or only the connection, as server-sent events. Each stream gathers
 * what changed while the last message was on its way, so that a slow browser gets fewer messages and never old ones.
 */
import { type Context, Hono } from "hono";
import type { SSEStreamingApi } from "hono/streaming";
import type { Vm } from "../lib/inventory.ts";
import { typeOf } from "../lib/names.ts";
import {
  AgePatch,
  ConnectionPatch,
  GroupPatch,
  VmGonePatch,
  VmListPatch,
  VmNowPatch,
  VmPatch,
  WordsPatch,
} from "../templates/parts/patches.tsx";
import { isByName, wordsOn } from "../templates/parts/vm_list.tsx";
import type { VmQuery, VmRowProps } from "../templates/props.ts";
import { connectionView, type Dashboard, mayChange, onConnection } from "./dashboard.ts";
import { sendStream } from "./streams.ts";
import { listProps, rowOf, staleness, vmNow } from "./vm_props.ts";
import { matches, queryOf } from "./vm_query.ts";

/** GET /events (the list, or with `?only=connection` the badge alone), /vms/:id/events. */
export function liveRoutes(dashboard: Dashboard): Hono {
  const app = new Hono();
  const stream = (c: Context, begin: (ring: () => void) => Source) =>
    sendStream(c, dashboard, (stream, signal) => pump(stream, signal, begin));
  app.get("/events", (c) => {
    if (c.req.query("only") === "connection") {
      return stream(c, (ring) => watchConnection(dashboard, ring));
    }
    const watcher = { query: queryOf(c), mayChange: mayChange(c) };
    return stream(c, (ring) => watchList(dashboard, watcher, ring));
  });
  app.get("/vms/:id/events", (c) => {
    const watcher = { id: Number(c.req.param("id")), mayChange: mayChange(c) };
    return stream(c, (ring) => watchVm(dashboard, watcher, ring));
  });
  return app;
}

/** Something that has messages at times. */
interface Source {
  /** What is to be sent now; nothing when all is sent. */
  take(): readonly string[];
  /** Ends its subscriptions. */
  readonly end: readonly (() => void)[];
}

/** Sends what a source has, each time it rings, until the client goes. */
async function pump(
  stream: SSEStreamingApi,
  signal: AbortSignal,
  begin: (ring: () => void) => Source,
): Promise<void> {
  let wake = () => {};
  const source = begin(() => wake());
  const stop = () => wake();
  signal.addEventListener("abort", stop, { once: true });
  try {
    while (!signal.aborted) {
      const messages = source.take();
      for (const data of messages) await stream.writeSSE({ data });
      if (messages.length === 0) await new Promise<void>((resolve) => wake = resolve);
    }
  } finally {
    for (const end of source.end) end();
    signal.removeEventListener("abort", stop);
  }
}

/** The badge, and why there is no connection. */
function watchConnection(dashboard: Dashboard, ring: () => void): Source {
  let stale = true;
  const forget = onConnection(dashboard, () => {
    stale = true;
    ring();
  });
  return {
    end: [forget],
    take: () => {
      if (!stale) return [];
      stale = false;
      return [String(<ConnectionPatch connection={connectionView(dashboard)} />)];
    },
  };
}

/** VMs that changed on the NAS, or to which something is being done here. */
function onVm({ manager }: Dashboard, changed: (vm: Vm) => void): () => void {
  const forget = [
    manager.live.onChange((change) => {
      if (change.type === "changed") changed(change.vm);
    }),
    manager.operations.onEvent((_view, event) => {
      if (event.type !== "step" && event.type !== "vm") return;
      const vm = manager.live.snapshot.vms?.find(({ name }) => name === event.vm);
      if (vm !== undefined) changed(vm);
    }),
  ];
  return () => forget.forEach((end) => end());
}

/** Who watches the list. */
interface ListWatcher {
  readonly query: VmQuery;
  readonly mayChange: boolean;
}

/** How often the age of what is not kept true is told anew. */
const AGE_MS = 5_000;

/** A row as it was sent: what it said, and of which state it told. */
interface Shown {
  readonly text: string;
  readonly row: VmRowProps;
}

/** A row when a VM changed, the list when VMs came or went. */
function watchList(dashboard: Dashboard, watcher: ListWatcher, ring: () => void): Source {
  const { manager } = dashboard;
  const connection = watchConnection(dashboard, ring);
  const shown = new Map<number, Shown>();
  const changed = new Map<number, Vm>();
  let [whole, first, age] = [true, true, false];
  const aging = setInterval(() => {
    age = staleness(dashboard) !== null;
    if (age) ring();
  }, AGE_MS);
  const end = [
    ...connection.end,
    () => clearInterval(aging),
    manager.live.watchAddresses(),
    manager.live.onChange(({ type }) => {
      if (type === "changed") return;
      whole = true;
      ring();
    }),
    onVm(dashboard, (vm) => {
      changed.set(vm.id, vm);
      ring();
    }),
    manager.onConnection(() => {
      age = true;
      ring();
    }),
  ];
  const take = () => {
    const messages = [...connection.take()];
    if (age) messages.push(String(<AgePatch stale={staleness(dashboard)} />));
    age = false;
    const vms = [...changed.values()];
    changed.clear();
    const moved = vms.some((vm) => matches(vm, watcher.query) !== shown.has(vm.id));
    const told = whole || moved
      ? takeList(dashboard, watcher, shown)
      : takeRows(dashboard, watcher, shown, vms);
    // What the page was opened with is no news.
    const words = first ? [] : told.words;
    if (whole || moved) [whole, first] = [false, false];
    return [
      ...messages,
      ...told.messages,
      ...(words.length === 0 ? [] : [String(<WordsPatch words={words} />)]),
    ];
  };
  return { take, end };
}

/** Messages, and what is to be said aloud of them. */
interface Told {
  readonly messages: readonly string[];
  readonly words: readonly string[];
}

function takeList(dashboard: Dashboard, { query, mayChange }: ListWatcher, shown: Map<number, Shown>): Told {
  const list = listProps(dashboard, query, mayChange);
  const before = new Map(shown);
  shown.clear();
  for (const row of list.vms ?? []) shown.set(row.vm.id, { text: JSON.stringify(row), row });
  const words = [
    ...[...shown].flatMap(([id, { row }]) => wordsOn(before.get(id)?.row ?? null, row)),
    ...[...before].flatMap(([id, { row }]) => shown.has(id) ? [] : [`${row.vm.name} left the list`]),
  ];
  return { messages: [String(<VmListPatch list={list} />)], words };
}

/** Rows are compared with what was sent, for one change is often told of several times. */
function takeRows(
  dashboard: Dashboard,
  { query, mayChange }: ListWatcher,
  shown: Map<number, Shown>,
  vms: readonly Vm[],
): Told {
  const messages: string[] = [];
  const words: string[] = [];
  const groups = new Set<string>();
  for (const vm of vms) {
    const row = rowOf(dashboard, vm, mayChange);
    const text = JSON.stringify(row);
    const before = shown.get(vm.id);
    if (before === undefined || before.text === text) continue;
    shown.set(vm.id, { text, row });
    groups.add(typeOf(vm.name) ?? "");
    messages.push(String(<VmPatch {...row} />));
    words.push(...wordsOn(before.row, row));
  }
  if (!isByName(query)) return { messages, words };
  for (const type of groups) {
    const group = (dashboard.manager.live.snapshot.vms ?? []).filter((vm) =>
      (typeOf(vm.name) ?? "") === type && shown.has(vm.id)
    );
    messages.push(String(<GroupPatch type={type} vms={group} />));
  }
  return { messages, words };
}

/** Who watches one VM. */
interface VmWatcher {
  readonly id: number;
  readonly mayChange: boolean;
}

/** What is known of one VM, and what is being done to it; the forms stay as they are being filled in. */
function watchVm(dashboard: Dashboard, { id, mayChange }: VmWatcher, ring: () => void): Source {
  const { manager } = dashboard;
  const connection = watchConnection(dashboard, ring);
  let stale = true;
  let sent: string | null = null;
  let before: VmRowProps | null = null;
  const touch = () => {
    stale = true;
    ring();
  };
  const end = [
    ...connection.end,
    manager.live.watchAddresses(),
    manager.live.onChange((change) => {
      if (change.type === "all" || (change.type === "removed" && change.id === id)) touch();
    }),
    onVm(dashboard, (vm) => {
      if (vm.id === id) touch();
    }),
    manager.operations.onEvent((view) => {
      if (view.vms.some(({ vmId }) => vmId === id)) touch();
    }),
  ];
  const take = () => {
    const messages = [...connection.take()];
    const vm = stale ? manager.live.snapshot.vms?.find((it) => it.id === id) : undefined;
    const known = manager.live.snapshot.vms !== null;
    if (!stale || (vm === undefined && !known)) return messages;
    stale = false;
    const now = vm === undefined
      ? String(<VmGonePatch />)
      : String(<VmNowPatch {...vmNow(dashboard, vm, mayChange)} />);
    if (now !== sent) messages.push(now);
    sent = now;
    const row = vm === undefined ? null : rowOf(dashboard, vm, mayChange);
    const words = row === null || before === null ? [] : wordsOn(before, row);
    before = row;
    if (words.length > 0) messages.push(String(<WordsPatch words={words} />));
    return messages;
  };
  return { take, end };
}
