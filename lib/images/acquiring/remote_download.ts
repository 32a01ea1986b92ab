/**
 * Downloads images in another worker. The one that serves pages and speaks to the NAS may connect to nothing else; the one that
 * downloads may connect anywhere, and reads and writes no file.
 */
import { ImageError, type ImageFailure } from "../../errors/errors.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import type { ImageStream } from "../source/image_stream.ts";
import type { FetchedText, FetchText, TextRequest } from "../source/fetch_text.ts";
import type { ImageUrl } from "../source/open_url.ts";

/** Opens an image at a URL. */
export type OpenUrl = (image: ImageUrl) => Promise<ImageStream>;

/** What the other worker does. */
export interface Downloads {
  readonly openUrl: OpenUrl;
  readonly fetchText: FetchText;
}

type Opened = Pick<ImageStream, "fileName" | "format" | "virtualBytes" | "lengthBytes" | "bodyBytes">;

/** To the worker that downloads. */
type Request =
  | { readonly id: number; readonly open: Pick<ImageUrl, "url" | "sha256" | "allowPrivate"> }
  | { readonly id: number; readonly fetch: TextRequest }
  | { readonly id: number; readonly abort: true };

/** What went wrong there. */
interface Failed {
  readonly message: string;
  readonly failure: ImageFailure | null;
  readonly remedy: string;
}

/** From the worker that downloads. */
type Reply =
  & { readonly id: number }
  & (
    | { readonly opened: Opened; readonly body: ReadableStream<Uint8Array<ArrayBuffer>> }
    | { readonly fetched: FetchedText }
    | { readonly received: number }
    | { readonly digest: string }
    | { readonly failed: Failed }
  );

/** Milliseconds between two reports of the bytes that arrived. */
const REPORT_MS = 500;
/** The reason comes by another way than the end of the bytes, and may come a moment later. */
const REASON_MS = 2_000;

/** Downloads what the other side of the port asks for. */
export function serveDownloads(port: MessagePort, { openUrl: open, fetchText }: Downloads): void {
  const aborts = new Map<number, AbortController>();
  const send = (reply: Reply, transfer: Transferable[] = []) => port.postMessage(reply, transfer);
  const download = async (id: number, image: ImageUrl, { signal }: AbortController) => {
    let timer: ReturnType<typeof setInterval> | undefined;
    try {
      const { body, received, digest, ...opened } = await open({ ...image, signal });
      const { fileName, format, virtualBytes, lengthBytes, bodyBytes } = opened;
      timer = setInterval(() => send({ id, received: received() }), REPORT_MS);
      send({ id, opened: { fileName, format, virtualBytes, lengthBytes, bodyBytes }, body }, [
        body as unknown as Transferable,
      ]);
      send({ id, digest: await digest });
    } catch (error) {
      send({ id, failed: describe(error) });
    } finally {
      clearInterval(timer);
      aborts.delete(id);
    }
  };
  const fetch = async (id: number, wanted: TextRequest) => {
    try {
      send({ id, fetched: await fetchText(wanted) });
    } catch (error) {
      send({ id, failed: describe(error) });
    }
  };
  port.onmessage = ({ data }: MessageEvent<Request>) => {
    if ("fetch" in data) return void fetch(data.id, data.fetch);
    if ("abort" in data) return aborts.get(data.id)?.abort();
    const abort = new AbortController();
    aborts.set(data.id, abort);
    void download(data.id, data.open, abort);
  };
}

function describe(error: unknown): Failed {
  if (error instanceof ImageError) {
    const { message, failure, remedy } = error;
    return { message, failure, remedy };
  }
  return { message: reasonOf(error), failure: null, remedy: "Try again." };
}

/** A download that was asked for. */
interface Asked {
  readonly opened: PromiseWithResolvers<Extract<Reply, { opened: Opened }>>;
  readonly digest: PromiseWithResolvers<string>;
  readonly failed: PromiseWithResolvers<unknown>;
  received: number;
}

/** Downloads on the other side of a port. */
export function downloadsOver(port: MessagePort): Downloads {
  const all = new Map<number, Asked>();
  const texts = new Map<number, PromiseWithResolvers<FetchedText>>();
  let last = 0;
  port.onmessage = ({ data }: MessageEvent<Reply>) => {
    const text = texts.get(data.id);
    if (text !== undefined) {
      texts.delete(data.id);
      if ("fetched" in data) text.resolve(data.fetched);
      else if ("failed" in data) text.reject(errorOf(data.failed));
      return;
    }
    const asked = all.get(data.id);
    if (asked === undefined) return;
    if ("opened" in data) asked.opened.resolve(data);
    else if ("received" in data) asked.received = data.received;
    else if (!("fetched" in data)) {
      all.delete(data.id);
      if ("digest" in data) return asked.digest.resolve(data.digest);
      const error = errorOf(data.failed);
      asked.failed.resolve(error);
      asked.opened.reject(error);
      asked.digest.reject(error);
    }
  };
  const fetchText: FetchText = (wanted) => {
    const id = ++last;
    const asked = Promise.withResolvers<FetchedText>();
    texts.set(id, asked);
    port.postMessage({ id, fetch: wanted } satisfies Request);
    return asked.promise;
  };
  const openUrl: OpenUrl = async ({ url, sha256, allowPrivate, signal }) => {
    signal?.throwIfAborted();
    const id = ++last;
    const asked = newAsked();
    all.set(id, asked);
    const abort = () => {
      port.postMessage({ id, abort: true } satisfies Request);
      asked.opened.reject(signal?.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    port.postMessage({ id, open: { url, sha256, allowPrivate } } satisfies Request);
    const { opened, body } = await asked.opened.promise;
    return {
      ...opened,
      body: withReason(body, asked.failed.promise),
      received: () => asked.received,
      digest: asked.digest.promise,
    };
  };
  return { openUrl, fetchText };
}

function newAsked(): Asked {
  const asked = {
    opened: Promise.withResolvers<Extract<Reply, { opened: Opened }>>(),
    digest: Promise.withResolvers<string>(),
    failed: Promise.withResolvers<unknown>(),
    received: 0,
  };
  // Whoever reads the body learns of the failure there.
  asked.digest.promise.catch(() => {});
  asked.opened.promise.catch(() => {});
  return asked;
}

function errorOf({ message, failure, remedy }: Failed): Error {
  return new ImageError(message, { failure: failure ?? "server", remedy });
}

/** A stream from another worker ends with a copy of the error; the error itself comes by the port. */
function withReason(
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  failed: Promise<unknown>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const reader = body.getReader();
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        const { done, value } = await reader.read();
        if (done) controller.close();
        else controller.enqueue(value);
      } catch (error) {
        const late = new Promise((resolve) => setTimeout(() => resolve(error), REASON_MS));
        controller.error(await Promise.race([failed, late]));
      }
    },
    cancel: (reason) => reader.cancel(String(reason)),
  }, { highWaterMark: 0 });
}
