/**
 * Protects the simulated NAS from diverging from the real one: recorded conversations with TrueNAS 25.10.7 and 27.0 are
 * replayed call by call. Answers must be of the same kind, with the same codes, error numbers, attribute paths and
 * texts, results with the same fields, and the same events. Every remaining difference is listed here with its reason;
 * an unlisted one fails, and so does a listed one that no longer occurs.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { startSimulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";

interface Line {
  readonly dir: "out" | "in";
  readonly frame?: Frame;
  readonly text?: string;
}

interface Frame {
  readonly id?: number | null;
  readonly method?: string;
  readonly params?: unknown;
  readonly result?: unknown;
  readonly error?: {
    readonly code: number;
    readonly message: string;
    readonly data?: {
      readonly reason: string;
      readonly extra: unknown;
      readonly error: number;
      readonly errname: string;
    };
  };
}

const RECORDINGS: readonly (readonly [SimulatedVersion, string])[] = [["25.10", "25.10.7"], [
  "27.0",
  "27.0.0",
]];

/** Differences that are meant, each by the place where it shows. */
const REASONS: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "25.10.7": {
    "vm.device.create error [Errno 2] No such file or directory: '/mnt/tank/iso/none.iso'":
      "a later recording of 25.10.7, in tests/data/calls, answers ENOENT: Path not found.",
    "vm.device.nic_attach_choices result": "the product's simulated NAS has a second bridge, br1",
    "events changed vm.query SUSPENDED SHUTOFF":
      "recorded late, after the VM was off: the words of the state at that moment",
    "events changed vm.query SUSPENDED SUSPENDED": "the same event told at once",
    "events changed vm.query RUNNING RUNNING":
      "a resume is told at once; the recording ends the VM before it was told",
  },
  "27.0.0": {
    "vm.device.nic_attach_choices result": "the product's simulated NAS has a second bridge, br1",
    "events changed vm.query RUNNING":
      "libvirt told one start once only in the recording; here each is told twice",
    "events changed vm.query SUSPENDED":
      "a suspension is told at once; in the recording the VM ran again before it was told",
  },
};

function readLines(recording: string): Line[] {
  const path = fileURLToPath(new URL(`../../data/frames/${recording}.jsonl`, import.meta.url));
  return readFileSync(path, "utf8").trim().split("\n").map((line) => JSON.parse(line));
}

/** Keys and kinds of a value, without the values that are different each time. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (typeof value !== "object" || value === null) return value === null ? "null" : typeof value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([key, it]) => [key, shape(it)]),
  );
}

function answerOf({ error, result }: Frame): unknown {
  if (error === undefined) return { result: shape(result) };
  // A parser's words for bad JSON are Python's own; the code is what matters.
  if (error.data === undefined) {
    return { code: error.code, message: error.code === -32700 ? "" : error.message };
  }
  const { reason, extra, error: errno, errname } = error.data;
  return { code: error.code, errno, errname, reason, extra };
}

interface EventParams {
  readonly msg: string;
  readonly collection: string;
  readonly fields?: { readonly status?: { readonly state: string }; readonly state?: string };
  readonly extra?: { readonly state: string };
}

/** An event as one line: what, of what, libvirt's word, the state in its fields. */
function eventName({ msg, collection, fields, extra }: EventParams): string {
  const words = [msg, collection, extra?.state, fields?.status?.state ?? fields?.state];
  return words.filter((word) => word !== undefined).join(" ");
}

function count(names: readonly string[]): Map<string, number> {
  const counts = new Map<string, number>();
  for (const name of names) counts.set(name, (counts.get(name) ?? 0) + 1);
  return counts;
}

/** The fields that each kind of event has. */
function fieldSets(events: readonly EventParams[]): Map<string, string> {
  return new Map(events.map((event) => [eventName(event), Object.keys(event.fields ?? {}).sort().join(" ")]));
}

class Peer {
  readonly events: EventParams[] = [];
  readonly #socket: WebSocket;
  readonly #frames: Frame[] = [];
  #wake = () => {};

  constructor(url: string) {
    this.#socket = new WebSocket(url);
    this.#socket.onmessage = ({ data }) => {
      const frame = JSON.parse(data) as Frame;
      if (frame.method === "collection_update") this.events.push(frame.params as EventParams);
      else this.#frames.push(frame);
      this.#wake();
    };
  }

  async open(): Promise<void> {
    await new Promise((resolve) => this.#socket.onopen = resolve);
  }

  send(text: string): void {
    this.#socket.send(text);
  }

  async until<T>(look: () => T | undefined): Promise<T> {
    for (;;) {
      const found = look();
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => this.#wake = resolve);
    }
  }

  answer(id: number | null): Promise<Frame> {
    return this.until(() => {
      const at = this.#frames.findIndex((frame) => (frame.id ?? null) === id);
      return at < 0 ? undefined : this.#frames.splice(at, 1)[0];
    });
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    this.#socket.close();
    await closed;
  }
}

/** Sends what was sent, waits as the recording did, and notes every difference. */
async function replay(peer: Peer, lines: readonly Line[]): Promise<Map<string, string>> {
  const differences = new Map<string, string>();
  const answers = lines.filter(({ dir, frame }) => dir === "in" && frame?.method === undefined).map((
    { frame },
  ) => frame);
  const nameless = answers.filter((frame) => (frame?.id ?? null) === null);
  for (const { dir, frame, text } of lines) {
    if (dir !== "out") continue;
    const sent = text ?? JSON.stringify(frame);
    peer.send(sent);
    const id = frame?.id ?? idOf(sent);
    const recorded = id === null ? nameless.shift() : answers.find((answer) => answer?.id === id);
    assert.ok(recorded, `the recording has an answer to ${sent}`);
    compare(differences, frame?.method ?? sent, recorded, await peer.answer(id));
    if (frame?.method === "vm.stop") {
      await peer.until(() =>
        peer.events.find(({ collection, fields }) =>
          collection === "core.get_jobs" && fields?.state === "SUCCESS"
        )
      );
    }
  }
  return differences;
}

function idOf(sent: string): number | null {
  try {
    const { id } = JSON.parse(sent);
    return typeof id === "number" ? id : null;
  } catch {
    return null;
  }
}

function compare(differences: Map<string, string>, method: string, recorded: Frame, given: Frame): void {
  const [wanted, found] = [JSON.stringify(answerOf(recorded)), JSON.stringify(answerOf(given))];
  if (wanted === found) return;
  const place = recorded.error === undefined && given.error === undefined
    ? `${method} result`
    : `${method} error ${recorded.error?.data?.reason ?? ""}`.trimEnd();
  differences.set(place, `recorded ${wanted.slice(0, 1500)}\n    given    ${found.slice(0, 1500)}`);
}

function compareEvents(
  differences: Map<string, string>,
  recorded: readonly EventParams[],
  given: readonly EventParams[],
): void {
  const [wanted, found] = [count(recorded.map(eventName)), count(given.map(eventName))];
  for (const name of new Set([...wanted.keys(), ...found.keys()])) {
    const [times, seen] = [wanted.get(name) ?? 0, found.get(name) ?? 0];
    if (times !== seen) differences.set(`events ${name}`, `recorded ${times} times, given ${seen} times`);
  }
  const [fields, own] = [fieldSets(recorded), fieldSets(given)];
  for (const [name, keys] of fields) {
    if (own.has(name) && own.get(name) !== keys) {
      differences.set(`fields of ${name}`, `recorded ${keys}\n    given    ${own.get(name)}`);
    }
  }
}

for (const [version, recording] of RECORDINGS) {
  Deno.test(`the simulated NAS answers like the recording of TrueNAS ${recording}`, async () => {
    const lines = readLines(recording);
    assert.ok(lines.length > 100, "the recording is there");
    await using simulator = await startSimulator({ version, times: { ...TEST_TIMES, shutdownMs: 2 } });
    const peer = new Peer(`${simulator.url}/api/current`);
    await peer.open();
    const differences = await replay(peer, lines);
    await peer.close();
    const events = lines.flatMap(({ frame }) =>
      frame?.method === "collection_update" ? [frame.params as EventParams] : []
    );
    compareEvents(differences, events, peer.events);
    const reasons = REASONS[recording] ?? {};
    const unexplained = [...differences].filter(([place]) => !(place in reasons));
    assert.deepEqual(unexplained.map(([place, what]) => `${place}:\n    ${what}`), []);
    assert.deepEqual(
      Object.keys(reasons).filter((place) => !differences.has(place)),
      [],
      "every listed difference still occurs",
    );
    const list = Object.entries(reasons).map(([place, why]) => `  ${place}: ${why}\n`).join("");
    await Deno.stdout.write(
      new TextEncoder().encode(`${recording}: ${Object.keys(reasons).length} differences left\n${list}`),
    );
  });
}
