/** Server-sent events as this site uses them: unnamed messages of partials, a beat, and a named end. */
import { runDetached } from "../../lib/command_line/unhandled_errors.ts";
import { type AppContext, sessionOf } from "../server/context.ts";
import type { Dashboard } from "../server/dashboard.ts";
import type { Session } from "../auth/sessions.ts";

/**
 * A comment is sent this often, so that a peer that is gone is noticed, proxies keep the stream, and pages see that it
 * lives (static/live.js).
 */
const BEAT_MS = 10_000;

/** Streams at once: far more than people have pages open, and few enough for the memory of a NAS. */
const MAX_STREAMS = 1_000;

/** Streams of one sign-in at once: more pages than a person has open, so that nobody uses up everybody's. */
const MAX_STREAMS_PER_SESSION = 100;

const ofSession = new WeakMap<Session, number>();

/** What browsers say of a request that a page of somebody else's made. */
const OTHER_SITES: readonly string[] = ["cross-site", "same-site"];

const open = new WeakMap<Dashboard, { count: number }>();

/** How many streams a dashboard sends now. */
export function openStreams(dashboard: Dashboard): { count: number } {
  const known = open.get(dashboard) ?? { count: 0 };
  open.set(dashboard, known);
  return known;
}

/** One client's stream: a queue of one message, so that whoever writes goes at the client's pace. */
class EventStream {
  /** What the client reads. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** Aborted when the client has gone, or the stream is to end. */
  readonly gone = new AbortController();
  #controller: ReadableStreamDefaultController<Uint8Array<ArrayBuffer>> | null = null;
  /** Settles when the client takes more; null while nobody waits for that. */
  #wanted: PromiseWithResolvers<void> | null = null;

  constructor() {
    this.body = new ReadableStream({
      start: (controller) => void (this.#controller = controller),
      pull: () => this.#goOn(),
      cancel: () => {
        this.#controller = null;
        this.end();
      },
    });
  }

  /** Sends a message, and waits until the client takes more, or has gone. */
  async write(message: Uint8Array<ArrayBuffer>): Promise<void> {
    if (this.#controller === null) return;
    this.#controller.enqueue(message);
    if ((this.#controller.desiredSize ?? 0) > 0) return;
    await (this.#wanted ??= Promise.withResolvers<void>()).promise;
  }

  /** Sends a message that waits for nothing and nobody waits for; not to a client that is behind. */
  beat(message: Uint8Array<ArrayBuffer>): void {
    if ((this.#controller?.desiredSize ?? 0) > 0) this.#controller?.enqueue(message);
  }

  /** Sends nothing more; what was written before still arrives. */
  close(): void {
    const controller = this.#controller;
    this.#controller = null;
    controller?.close();
  }

  /** Ends the work: the client has gone, or the program stops. */
  end(): void {
    this.gone.abort();
    this.#goOn();
  }

  #goOn(): void {
    this.#wanted?.resolve();
    this.#wanted = null;
  }
}

/** What sends a stream's messages; each write waits until the client takes more. */
export type Write = (message: Uint8Array<ArrayBuffer>) => Promise<void>;

const BEAT = new TextEncoder().encode(": beat\n\n");

/** Sends a stream; it ends with the client, with its session, with the work, or with the program. */
export function sendStream(
  c: AppContext,
  dashboard: Dashboard,
  work: (write: Write, signal: AbortSignal) => Promise<void>,
): Response {
  if (OTHER_SITES.includes(c.req.header("sec-fetch-site") ?? "")) {
    return c.text("Only this dashboard's own pages may be kept up to date\n", 403);
  }
  const session = sessionOf(c);
  const own = session === null ? 0 : ofSession.get(session) ?? 0;
  if (openStreams(dashboard).count >= MAX_STREAMS || own >= MAX_STREAMS_PER_SESSION) {
    c.header("retry-after", "30");
    return c.text("Too many live pages are open. This one shows how things were. Close some of them\n", 503);
  }
  c.header("content-type", "text/event-stream");
  c.header("cache-control", "no-store");
  c.header("x-accel-buffering", "no");
  // Nobody reads the body of an answer to HEAD, so nothing would ever end it.
  if (c.req.method === "HEAD") return c.body(null);
  const stream = new EventStream();
  const running = run(dashboard, { path: c.req.path, session }, stream, work);
  runDetached(running, "keeping a page up to date", dashboard.logger);
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
    await work((message) => stream.write(message), stream.gone.signal);
  } catch (error) {
    // Never the error's own text: a stream's reader is a page.
    dashboard.logger.error("A stream failed", {
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

/** What goes before a message's data. */
export interface FrameHead {
  /** For reconnections. */
  readonly id?: number;
  /** Only the end of a stream is named. */
  readonly event?: "end";
}

/** A message as it goes over the wire, to be made once for everybody who is sent the same. */
export function frame(data: string, { id, event }: FrameHead = {}): Uint8Array<ArrayBuffer> {
  const head = `${event === undefined ? "" : `event: ${event}\n`}${id === undefined ? "" : `id: ${id}\n`}`;
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("");
  return new TextEncoder().encode(`${head}${lines}\n`);
}

/** The event after which a stream goes on: what the browser saw last, or else what the page was rendered with. */
export function resumeAfter(c: AppContext): number {
  const seen = Number(c.req.header("last-event-id") ?? c.req.query("after") ?? 0);
  return Number.isInteger(seen) && seen > 0 ? seen : 0;
}
