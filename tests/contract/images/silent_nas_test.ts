/** Protects plans and operations from a NAS whose web server takes a request and never answers, as after a loss of power. */
import assert from "node:assert/strict";
import { TrueNASConnectionError } from "../../../lib/errors/errors.ts";
import type { AcquireWork } from "../../../lib/images/acquiring/transfer.ts";
import { uploadFile } from "../../../lib/images/acquiring/upload_way.ts";
import type { ImageStream } from "../../../lib/images/source/image_stream.ts";
import { Cancelled } from "../../../lib/operations/steps/run_step.ts";
import { type NasRequest, requestNas } from "../../../lib/truenas/connection/connection.ts";
import type { NasFiles } from "../../../lib/truenas/connection/nas_files.ts";
import { soon } from "../../support/deadline.ts";

/** Asks a server that treats each connection like this. */
async function ask(
  treat: (connection: Deno.Conn) => void,
  request: Partial<NasRequest<string>>,
): Promise<unknown> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const accepted: Deno.Conn[] = [];
  const accepting = (async () => {
    for await (const connection of listener) {
      accepted.push(connection);
      treat(connection);
    }
  })();
  const host = "127.0.0.1";
  const address = { kind: "ws", host, url: `ws://${host}:${(listener.addr as Deno.NetAddr).port}` } as const;
  const read = (response: Response) => response.text();
  const path = "/_download/7?auth_token=secret";
  try {
    const asked = requestNas(address, { path, init: {}, timeoutMs: 60_000, read, ...request });
    return await soon(asked, "the request ends").catch((error) => error);
  } finally {
    listener.close();
    for (const connection of accepted) {
      try {
        connection.close();
      } catch {
        // Closed before.
      }
    }
    await accepting.catch(() => {});
  }
}

Deno.test("a request that the NAS never answers ends after its time, and may have had an effect", async () => {
  const error = await ask(() => {}, { timeoutMs: 100 });
  assert.ok(error instanceof TrueNASConnectionError, String(error));
  assert.equal(error.outcome, "unknown");
  assert.match(error.message, /did not answer within/);
});

Deno.test("a request that the NAS never answers ends when the operation is cancelled", async () => {
  const cancelling = new AbortController();
  const error = await ask(() => cancelling.abort(new Cancelled()), { init: { signal: cancelling.signal } });
  assert.ok(error instanceof Cancelled, String(error));
});

Deno.test("a connection that breaks is told without the token in its address", async () => {
  const error = await ask((connection) => connection.close(), {});
  assert.ok(error instanceof TrueNASConnectionError, String(error));
  assert.doesNotMatch(error.message, /secret|auth_token/);
  assert.match(error.message, /_download\/7/);
});

Deno.test("an upload to a NAS that never answers ends when the operation is cancelled", async () => {
  const cancelling = new AbortController();
  const files = {
    upload: (_caller: unknown, _part: unknown, signal: AbortSignal) => {
      const { promise, reject } = Promise.withResolvers<number>();
      signal.addEventListener("abort", () => reject(signal.reason));
      cancelling.abort(new Cancelled());
      return promise;
    },
  } as unknown as NasFiles;
  const work = {
    context: { log: { append: () => {} }, settle: { settleMs: 10, pollMs: 1 }, vmName: "debian" },
    caller: { call: () => Promise.resolve([]) },
    signal: cancelling.signal,
    calls: { next: () => Promise.resolve(), send: (call: () => Promise<unknown>) => call() },
  } as unknown as AcquireWork;
  const stream = {
    body: new Blob([new Uint8Array(8)]).stream(),
    lengthBytes: 8,
    received: () => 8,
  } as unknown as ImageStream;
  const sending = uploadFile(work, files, { name: "debian", path: "/mnt/tank/x", stream }, 4);
  await assert.rejects(soon(sending, "the upload ends"), Cancelled);
});
