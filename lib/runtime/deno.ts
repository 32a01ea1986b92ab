/** The runtime is Deno. */
import type { Handler, Runtime, ServeAt } from "./types.ts";

/** Deno. */
export const runtime: Runtime = {
  client: ({ caCerts = [], unixPath, localAddress }) => {
    const client = Deno.createHttpClient({
      // Prevents idle connections from staying open.
      poolMaxIdlePerHost: 0,
      ...(localAddress === undefined ? {} : { localAddress }),
      ...(unixPath === undefined
        ? { caCerts: [...caCerts] }
        : { proxy: { transport: "unix", path: unixPath } }),
    });
    return {
      fetch: (url, init) => fetch(url, { ...init, client }),
      webSocket: (url) => new WebSocket(url, { client }),
      close: () => client.close(),
    };
  },
  serve: async (at, handler) => {
    const listening = Promise.withResolvers<number>();
    const server = listen(at, handler, listening.resolve);
    server.finished.catch(listening.reject);
    return { port: await listening.promise, shutdown: () => server.shutdown() };
  },
  upgradeWebSocket: (request, options = {}) => Deno.upgradeWebSocket(request, options),
  mayWrite: async (path) => {
    const { state } = await Deno.permissions.query({ name: "write", path });
    return state === "granted";
  },
  run: async ({ program, args, env, follow, signal }) => {
    await using child = new Deno.Command(program, {
      args: [...args],
      env: { ...env },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal,
    }).spawn();
    const [{ code }] = await Promise.all([child.status, follow(child.stdout), follow(child.stderr)]);
    return code;
  },
};

const onError = () => new Response("The server failed", { status: 500 });

function listen(
  at: ServeAt,
  handler: Handler,
  onListen: (port: number) => void,
): Deno.HttpServer {
  if ("unixPath" in at) {
    return Deno.serve(
      { path: at.unixPath, onListen: () => onListen(0), onError },
      (request) => handler(request, ""),
    );
  }
  const { hostname, port, tls } = at;
  return Deno.serve(
    { ...tls, hostname, port, onListen: ({ port }) => onListen(port), onError },
    (request, { remoteAddr }) => handler(request, remoteAddr.hostname),
  );
}
