/** A web server that can be as unreliable as real ones: it speaks HTTP itself, so that it can break off anywhere. */

/** A request that came. */
export interface FileRequest {
  readonly path: string;
  readonly headers: Headers;
}

/** How a request is answered. */
export interface FileAnswer {
  /** Default: 200. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Uint8Array | string;
  /** What happens after the body: the connection ends (default), or stays silent until the server closes. */
  readonly after?: "silence";
}

/** A running server. */
export interface FileServer extends AsyncDisposable {
  /** Without a slash at its end. */
  readonly url: string;
  readonly port: number;
  readonly requests: readonly FileRequest[];
}

/** Serves until it is disposed of. */
export function serveFiles(
  answer: (request: FileRequest, count: number) => FileAnswer,
  hostname = "127.0.0.1",
): FileServer {
  const listener = Deno.listen({ hostname, port: 0 });
  const requests: FileRequest[] = [];
  const silent: Deno.Conn[] = [];
  const working: Promise<void>[] = [];
  const serve = async (connection: Deno.Conn) => {
    const request = await readRequest(connection);
    if (request === null) return connection.close();
    requests.push(request);
    const answered = answer(request, requests.length);
    try {
      await write(connection, head(answered));
      await write(connection, bytesOf(answered));
    } catch {
      // The other side has gone.
    }
    if (answered.after === "silence") silent.push(connection);
    else connection.close();
  };
  const accepting = (async () => {
    for await (const connection of listener) working.push(serve(connection));
  })();
  const host = hostname.includes(":") ? `[${hostname}]` : hostname;
  return {
    url: `http://${host}:${listener.addr.port}`,
    port: listener.addr.port,
    requests,
    [Symbol.asyncDispose]: async () => {
      listener.close();
      await accepting;
      await Promise.all(working);
      for (const connection of silent) connection.close();
    },
  };
}

async function readRequest(connection: Deno.Conn): Promise<FileRequest | null> {
  let text = "";
  const buffer = new Uint8Array(4096);
  while (!text.includes("\r\n\r\n")) {
    const count = await connection.read(buffer).catch(() => null);
    if (count === null) return null;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  const [first = "", ...lines] = text.slice(0, text.indexOf("\r\n\r\n")).split("\r\n");
  const headers = new Headers(
    lines.map((line) => [line.split(":")[0] ?? "", line.slice(line.indexOf(":") + 1)]),
  );
  return { path: first.split(" ")[1] ?? "", headers };
}

function bytesOf({ body = "" }: FileAnswer): Uint8Array {
  return typeof body === "string" ? new TextEncoder().encode(body) : body;
}

/** The length of the body is said unless other headers say otherwise. */
function head({ status = 200, headers = {}, ...answer }: FileAnswer): Uint8Array {
  const length = "content-length" in headers || "transfer-encoding" in headers
    ? {}
    : { "content-length": String(bytesOf(answer).length) };
  const lines = Object.entries({ ...length, ...headers, connection: "close" })
    .filter(([, value]) => value !== "")
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return new TextEncoder().encode(`HTTP/1.1 ${status} Status\r\n${lines.join("")}\r\n`);
}

async function write(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += await connection.write(bytes.subarray(at));
}
