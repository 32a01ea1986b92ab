/** A failing network between browser and dashboard: connections that stall or break. */

/** A proxy for TCP. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** Bytes of all connections go no further, those of new ones either, while the connections stay open. */
  stall(): void;
  /** Ends every connection that is there; new ones are let through. */
  cut(): void;
}

/** Starts one before a port of this machine. */
export function startTcpProxy(target: number): TcpProxy {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const sockets = new Set<Deno.Conn>();
  let stalled = false;
  const carry = async (from: Deno.Conn, to: Deno.Conn) => {
    const buffer = new Uint8Array(65_536);
    try {
      for (let read = await from.read(buffer); read !== null; read = await from.read(buffer)) {
        if (stalled) continue;
        for (let at = 0; at < read;) at += await to.write(buffer.subarray(at, read));
      }
    } catch {
      // One side is gone; so will be the other.
    } finally {
      for (const socket of [from, to]) close(socket);
    }
  };
  const close = (socket: Deno.Conn) => {
    if (sockets.delete(socket)) socket.close();
  };
  const carried: Promise<void>[] = [];
  const accepting = (async () => {
    for await (const client of listener) {
      const server = await Deno.connect({ hostname: "127.0.0.1", port: target });
      sockets.add(client).add(server);
      carried.push(carry(client, server), carry(server, client));
    }
  })();
  const cut = () => {
    for (const socket of [...sockets]) close(socket);
  };
  return {
    port: listener.addr.port,
    stall: () => void (stalled = true),
    cut,
    async [Symbol.asyncDispose]() {
      listener.close();
      cut();
      await accepting.catch(() => {});
      await Promise.all(carried);
    },
  };
}
