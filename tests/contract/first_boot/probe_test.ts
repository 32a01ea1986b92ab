/** Protects the probing of ports: what it tells apart, and that guests get nothing from it. Over a port between two workers. */
import assert from "node:assert/strict";
import { probePort } from "../../../lib/first_boot/readiness/probe_port.ts";
import { probeOver, refuseProbes, serveProbes } from "../../../lib/first_boot/readiness/remote_probe.ts";

Deno.test("a probe tells an open port from a closed one, and sends nothing", async () => {
  const { port1, port2 } = new MessageChannel();
  serveProbes(port2, probePort);
  const probe = probeOver(port1);
  const received: number[] = [];
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  const serving = (async () => {
    for await (const connection of listener) {
      await connection.write(new TextEncoder().encode("SSH-2.0-Test\r\n"));
      received.push(await connection.read(new Uint8Array(10)) ?? 0);
      connection.close();
    }
  })();
  const target = { address: "127.0.0.1", port, timeoutMs: 1_000 };
  assert.deepEqual(await probe(target), { state: "open", greeting: "SSH-2.0-Test", because: null });
  listener.close();
  await serving;
  assert.deepEqual(received, [0]);
  const closed = await probe(target);
  assert.deepEqual([closed.state, closed.greeting], ["refused", null]);
  port1.close();
  port2.close();
});

Deno.test("where nothing may be probed, nothing waits for an answer", async () => {
  const { port1, port2 } = new MessageChannel();
  refuseProbes(port2, "the program was started without --allow-net");
  const { state, because } = await probeOver(port1)({ address: "192.0.2.1", port: 22, timeoutMs: 1_000 });
  assert.deepEqual([state, because], ["silent", "the program was started without --allow-net"]);
  port1.close();
  port2.close();
});
