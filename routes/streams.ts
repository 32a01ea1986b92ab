/** Server-sent events as this site uses them: unnamed messages of partials, a beat, and a named end. */
import type { Context } from "hono";
import { type SSEStreamingApi, streamSSE } from "hono/streaming";
import type { Dashboard } from "./dashboard.ts";

/** A comment is sent this often, so that a peer that is gone is noticed and proxies keep the stream. */
const BEAT_MS = 15_000;

/** Streams at once: far more than people have pages open, and few enough for the memory of a NAS. */
const MAX_STREAMS = 1_000;

const open = new WeakMap<Dashboard, { count: number }>();

/** How many streams a dashboard sends now. */
export function openStreams(dashboard: Dashboard): { count: number } {
  const known = open.get(dashboard) ?? { count: 0 };
  open.set(dashboard, known);
  return known;
}

/** Sends a stream; it ends with the client, with the work, or with the program. */
export function sendStream(
  c: Context,
  dashboard: Dashboard,
  work: (stream: SSEStreamingApi, signal: AbortSignal) => Promise<void>,
): Response {
  const streams = openStreams(dashboard);
  if (streams.count >= MAX_STREAMS) {
    c.header("retry-after", "30");
    return c.text("Too many pages are kept up to date already; close some\n", 503);
  }
  c.header("cache-control", "no-store");
  c.header("x-accel-buffering", "no");
  return streamSSE(c, async (stream) => {
    streams.count++;
    const gone = new AbortController();
    const end = () => gone.abort();
    stream.onAbort(end);
    dashboard.stopping.addEventListener("abort", end, { once: true });
    if (dashboard.stopping.aborted) end();
    const beat = setInterval(() => void stream.write(": beat\n\n"), BEAT_MS);
    try {
      await work(stream, gone.signal);
    } catch (error) {
      // Never the error's own text: a stream's reader is a page.
      dashboard.logger.error("A stream failed", {
        path: c.req.path,
        error: error instanceof Error ? error.stack : String(error),
      });
    } finally {
      streams.count--;
      clearInterval(beat);
      dashboard.stopping.removeEventListener("abort", end);
    }
  });
}

/** A message as it goes over the wire, to be made once for everybody who is sent the same; `id` is for reconnections. */
export function frame(data: string, id?: number): Uint8Array {
  const lines = data.split(/\r\n|\r|\n/).map((line) => `data: ${line}\n`).join("");
  return new TextEncoder().encode(`${lines}${id === undefined ? "" : `id: ${id}\n`}\n`);
}

/** The event after which a stream goes on: what the browser saw last, or else what the page was rendered with. */
export function resumeAfter(c: Context): number {
  const seen = Number(c.req.header("last-event-id") ?? c.req.query("after") ?? 0);
  return Number.isInteger(seen) && seen > 0 ? seen : 0;
}
