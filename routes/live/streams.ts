/** Server-sent events: unnamed messages with partials, a heartbeat, and a named end. */
import { IDS, parseWholeNumber } from "../../lib/inputs.ts";
import { runDetached } from "../../lib/errors/unhandled_errors.ts";
import { type AppContext, sessionOf } from "../server/context.ts";
import type { Dashboard } from "../server/dashboard.ts";
import type { Session } from "../auth/sessions.ts";

/**
 * How often a heartbeat is sent, so that dead connections are noticed, proxies keep the stream open, and pages know that
 * it works (static/live.js).
 */
const BEAT_MS = 10_000;

/** Far more than the open pages of a team, and few enough for the memory of a small machine. */
const MAX_STREAMS = 1_000;

/** Per sign-in, so that nobody can use up the streams of others. */
const MAX_STREAMS_PER_SESSION = 100;

const ofSession = new WeakMap<Session, number>();

/** Values of Sec-Fetch-Site for requests from other sites. */
const OTHER_SITES: readonly string[] = ["cross-site", "same-site"];

const open = new WeakMap<Dashboard, { count: number }>();

/** How many streams of a dashboard are open. */
export function openStreams(dashboard: Dashboard): { count: number } {
  const known = open.get(dashboard) ?? { count: 0 };
  open.set(dashboard, known);
  return known;
}

/** One client's stream. It queues only one message, so that writers wait for a slow client. */
class EventStream {
  /** What the client reads. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Aborted when the client disconnects or the stream must end. */
  readonly ended = new AbortController();
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;
  /** Resolves when the client is ready for more; null while nothing waits for it. */
  #wanted: PromiseWithResolvers<void> | null = null;

  constructor() {
    this.body = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#resume(),
      cancel: () => {
        this.#controller = null;
        this.end();
      },
    });
  }

  /** Sends a message, then waits until the client is ready for more or has disconnected. */
  async write(message: Uint8Array<ArrayBuffer>): Promise<void> {
    const controller = this.#controller;
    if (controller === null) return;
    controller.enqueue(message);
    // A client that disconnects at this moment wants nothing more, and would never say so.
    if ((controller.desiredSize ?? 0) > 0 || this.ended.signal.aborted) return;
    await (this.#wanted ??= Promise.withResolvers<void>()).promise;
  }

  /** Sends a message without waiting, unless the client is behind. */
  beat(message: Uint8Array<ArrayBuffer>): void {
    if ((this.#controller?.desiredSize ?? 0) > 0) this.#controller?.enqueue(message);
  }

  /** Closes the stream; earlier messages still arrive. */
  close(): void {
    const controller = this.#controller;
    this.#controller = null;
    controller?.close();
  }

  /** Ends the work, because the client has disconnected or the program is stopping. */
  end(): void {
    this.ended.abort();
    this.#resume();
  }

  #resume(): void {
    this.#wanted?.resolve();
    this.#wanted = null;
  }
}

/** Sends a message and waits until the client is ready for more. */
export type Write = (message: Uint8Array<ArrayBuffer>) => Promise<void>;

const BEAT = new TextEncoder().encode(": beat\n\n");

/** Responds with a stream that ends with the client, its session, the work, or the program. */
export function sendStream(
  c: AppContext,
  dashboard: Dashboard,
  work: (write: Write, signal: AbortSignal) => Promise<void>,
): Response {
  if (OTHER_SITES.includes(c.req.header("sec-fetch-site") ?? "")) {
    return c.text("Live updates are available only to the dashboard's own pages\n", 403);
  }
  const session = sessionOf(c);
  const own = session === null ? 0 : ofSession.get(session) ?? 0;
  if (openStreams(dashboard).count >= MAX_STREAMS || own >= MAX_STREAMS_PER_SESSION) {
    c.header("retry-after", "30");
    return c.text(
      "Too many live pages are open. This page will not be updated. Close some of the others\n",
      503,
    );
  }
  c.header("content-type", "text/event-stream");
  c.header("cache-control", "no-store");
  c.header("x-accel-buffering", "no");
  // The body of a HEAD response is never read, so the stream would never end.
  if (c.req.method === "HEAD") return c.body(null);
  const stream = new EventStream();
  const running = run(dashboard, { path: c.req.path, session }, stream, work);
  runDetached(running, "sending live updates", dashboard.logger);
  return c.body(stream.body);
}

async function run(
  dashboard: Dashboard,
  { path, session }: { readonly path: string; readonly session: Session | null },
  stream: EventStream,
  work: (write: Write, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const streams = openStreams(dashboard);
  const count = (by: 1 | -1) => {
    streams.count += by;
    if (session !== null) ofSession.set(session, (ofSession.get(session) ?? 0) + by);
  };
  count(1);
  const ends = [dashboard.stopping, ...(session === null ? [] : [session.ended])];
  const end = () => stream.end();
  for (const signal of ends) signal.addEventListener("abort", end, { once: true });
  if (ends.some(({ aborted }) => aborted)) end();
  const beat = setInterval(() => {
    session?.use();
    stream.beat(BEAT);
  }, BEAT_MS);
  try {
    await work((message) => stream.write(message), stream.ended.signal);
  } catch (error) {
    // The error goes only to the log, because a page reads the stream.
    dashboard.logger.error("Stream failed", {
      path,
      error: error instanceof Error ? error.stack : String(error),
    });
  } finally {
    count(-1);
    clearInterval(beat);
    for (const signal of ends) signal.removeEventListener("abort", end);
    stream.close();
  }
}

/** The fields before a message's data. */
export interface FrameHead {
  /** For reconnections. */
  readonly id?: number;
  /** Only the end of a stream is named. */
  readonly event?: "end";
}

/** Encodes a message, once for everyone it is sent to. */
export function frame(data: string, { id, event }: FrameHead = {}): Uint8Array<ArrayBuffer> {
  const head = `${event === undefined ? "" : `event: ${event}\n`}${id === undefined ? "" : `id: ${id}\n`}`;
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("");
  return new TextEncoder().encode(`${head}${lines}\n`);
}

/** The event after which a stream continues: the last one the browser received, or else the last one on its page. */
export function resumeAfter(c: AppContext): number {
  return parseWholeNumber(c.req.header("last-event-id") ?? c.req.query("after") ?? "", IDS) ?? 0;
}
