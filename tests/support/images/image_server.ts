/** A server of disk images for tests, with an index of links like rclone and people's browsers expect it. */

/** A served image server. */
export interface ImageServer extends AsyncDisposable {
  /** Ends with a slash. */
  readonly url: string;
  /** The Range headers that came. */
  readonly ranges: string[];
}

/** How it serves. */
export interface ServingOptions {
  /** By path without the first slash. */
  readonly files: Readonly<Record<string, Uint8Array<ArrayBuffer>>>;
  /** Folders whose files are always sent whole. */
  readonly ignoresRange?: (path: string) => boolean;
  /** Sends half of a file, then waits for this before the rest. */
  readonly pause?: (path: string) => Promise<void> | null;
}

/** Serves files until it is disposed of. */
export function serveImages(
  { files, ignoresRange = () => false, pause = () => null }: ServingOptions,
): ImageServer {
  const ranges: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    const path = decodeURIComponent(new URL(request.url).pathname.slice(1));
    const file = files[path];
    if (file === undefined) return index(Object.keys(files), path);
    const range = request.headers.get("range");
    if (range !== null) ranges.push(range);
    const [, from, to] = /bytes=(\d+)-(\d+)/.exec(range ?? "") ?? [];
    const headers = { "accept-ranges": "bytes" };
    if (from !== undefined && !ignoresRange(path)) {
      return new Response(file.slice(Number(from), Number(to) + 1), { status: 206, headers });
    }
    const waits = request.method === "GET" ? pause(path) : null;
    const length = { ...headers, "content-length": String(file.length) };
    return new Response(waits === null ? file : slowly(file, waits), { headers: length });
  });
  return {
    url: `http://127.0.0.1:${server.addr.port}/`,
    ranges,
    [Symbol.asyncDispose]: async () => {
      await server.shutdown();
    },
  };
}

function slowly(
  file: Uint8Array<ArrayBuffer>,
  waits: Promise<void>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  const half = Math.floor(file.length / 2);
  return new ReadableStream({
    start: async (controller) => {
      controller.enqueue(file.slice(0, half));
      await waits;
      controller.enqueue(file.slice(half));
      controller.close();
    },
  });
}

function index(paths: readonly string[], folder: string): Response {
  const below = paths.filter((path) => path.startsWith(folder)).map((path) => path.slice(folder.length));
  if (below.length === 0) return new Response("Not found", { status: 404 });
  const links = new Set(below.map((path) => path.replace(/\/.*/, "/")));
  const items = [...links].map((link) =>
    `<a href="${encodeURIComponent(link).replace("%2F", "/")}">${link}</a>`
  );
  return new Response(`<!doctype html><title>Index</title>${items.join("\n")}`, {
    headers: { "content-type": "text/html" },
  });
}
