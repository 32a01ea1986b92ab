/** Protects those who are told by a webhook: the program itself tells a real receiver, which may be away or hostile. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import type { Readiness } from "../../lib/first_boot/types.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { watch } from "../../lib/notifications/watch.ts";
import { FOREIGN } from "../unit/plan/plan_samples.ts";
import { noticeOfOperation, writeNotice } from "../../lib/notifications/notice.ts";
import { SIGNATURE_HEADER, signatureOf, TIMESTAMP_HEADER, Webhook } from "../../lib/notifications/webhook.ts";
import { loggerTo, TEST_CONFIG, TEST_TIMES } from "../support/pages/dashboard.ts";
import { repeatedly } from "../support/deadline.ts";
import { beginWorkers, startProgram, withFolder } from "../support/program/program.ts";

const SECRET = "webhook-secret-42";
const NOTICE = { event: "nas.back", at: 0, title: "T", message: "M", isTrouble: false } as const;

interface Told {
  readonly path: string;
  readonly headers: Headers;
  readonly body: string;
}

/** A receiver that answers as the test says. */
function receiver(answer: (count: number) => Response = () => new Response("ok")) {
  const told: Told[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    told.push({ path: new URL(request.url).pathname, headers: request.headers, body: await request.text() });
    return answer(told.length);
  });
  return { told, url: `http://127.0.0.1:${server.addr.port}/hook`, close: () => server.shutdown() };
}

Deno.test("the program tells its webhook that an operation ended, signed, and logs neither secret nor address", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    await using simulator = await startSimulator({ times: TEST_TIMES });
    const hook = receiver();
    const env = { WEBHOOK_URL: `${hook.url}/planted-in-the-path`, WEBHOOK_SECRET: SECRET };
    const program = await startProgram(simulator, folder, { env });
    const path = await beginWorkers(program);
    const { headers, body } = await repeatedly(
      "the webhook is told",
      () => Promise.resolve(hook.told[0] ?? null),
    );
    const { event, title, trouble, operation } = JSON.parse(body);
    assert.deepEqual([event, trouble, operation.path, operation.status], [
      "operation.ended",
      false,
      path,
      "done",
    ]);
    assert.match(title, /^Create \d+ VMs: done$/);
    const timestamp = headers.get(TIMESTAMP_HEADER) ?? "";
    const mac = createHmac("sha256", SECRET).update(`${timestamp}.${body}`).digest("hex");
    assert.equal(headers.get(SIGNATURE_HEADER), `sha256=${mac}`);
    assert.ok(Math.abs(Date.now() / 1000 - Number(timestamp)) < 60);
    await program.stop("SIGTERM");
    assert.match(program.said(), /Webhook: delivered/);
    assert.doesNotMatch(program.said(), /planted-in-the-path|webhook-secret/);
    await hook.close();
  }));

Deno.test("a notice is tried again while the receiver is away, never elsewhere, and refused ones are not repeated", async () => {
  const answers = [500, 429, 302, 204, 403] as const;
  const elsewhere = receiver();
  const hook = receiver((count) =>
    new Response(null, { status: answers[count - 1] ?? 200, headers: { location: elsewhere.url } })
  );
  const waits: number[] = [];
  const said: string[] = [];
  const logger = loggerTo((message, fields) => said.push(`${message} ${JSON.stringify(fields)}`));
  const wait = (ms: number) => Promise.resolve(void waits.push(ms));
  {
    await using webhook = new Webhook({ url: hook.url, secret: null, format: "generic" }, {
      logger,
      now: Date.now,
      wait,
    });
    // The first is refused by the redirect at its third try, the second delivered, the third refused.
    for (const title of ["one", "two", "three"]) webhook.send({ ...NOTICE, title });
    await repeatedly("all were tried", () => Promise.resolve(hook.told.length === 5 || null));
  }
  assert.deepEqual(waits, [1_000, 5_000]);
  assert.deepEqual(hook.told.map(({ body }) => JSON.parse(body).title), [
    "one",
    "one",
    "one",
    "two",
    "three",
  ]);
  assert.equal(elsewhere.told.length, 0, "a redirect is not followed");
  assert.equal(hook.told[0]?.headers.get(SIGNATURE_HEADER), null);
  assert.deepEqual(said.map((it) => it.split(" {")[0]), [
    "Webhook: a notice was not delivered; it is tried again",
    "Webhook: a notice was not delivered; it is tried again",
    "Webhook: the receiver refused a notice",
    "Webhook: delivered",
    "Webhook: the receiver refused a notice",
  ]);
  assert.ok(said.every((it) => !it.includes(hook.url)));
  await Promise.all([hook.close(), elsewhere.close()]);
});

Deno.test("a receiver that is gone is given up after six tries, and stopping does not wait for it", async () => {
  const waits: number[] = [];
  const said: string[] = [];
  const logger = loggerTo((message) => said.push(message));
  const target = { url: "http://127.0.0.1:9/hook", secret: SECRET, format: "ntfy" } as const;
  const webhook = new Webhook(target, {
    logger,
    now: Date.now,
    wait: (ms) => Promise.resolve(void waits.push(ms)),
  });
  webhook.send(NOTICE);
  await repeatedly("it is given up", () => Promise.resolve(said.at(-1)?.includes("not tried again") || null));
  assert.deepEqual(waits, [1_000, 5_000, 30_000, 120_000, 600_000]);
  await webhook[Symbol.asyncDispose]();
});

Deno.test("a node that no longer answers is told of once, until it has answered again", () => {
  const told: string[] = [];
  let change = (_: Vm) => {};
  let state: Readiness["state"] = "ready";
  const end = watch({
    operations: { onEvent: () => () => {} },
    connection: { onState: () => () => {}, address: "wss://nas.lan" },
    readiness: {
      of: () => ({ state, address: "10.0.0.21", by: null, at: null }),
      onChange: (listener) => {
        change = listener;
        return () => {};
      },
    },
    now: () => 0,
  }, ({ title, message }) => told.push(`${title}: ${message}`));
  for (const next of ["ready", "lost", "lost", "ready", "lost"] as const) {
    state = next;
    change({ ...FOREIGN, id: 7, name: "worker07" });
  }
  end();
  assert.equal(told.length, 2);
  assert.match(told[0] ?? "", /^worker07 does not answer: It no longer answers at 10\.0\.0\.21/);
});

Deno.test("each format says what its receiver reads, also with hostile names", () => {
  const vm = (name: string, message: string | null) => ({
    name,
    message,
    outcome: message === null ? "created" : "failed",
  });
  const view = {
    id: "9f2c",
    kind: "create",
    title: "Create 2 VMs",
    status: "partly-done",
    startedAt: 0,
    finishedAt: 1_000,
    message: null,
    vms: [vm("a", null), vm("<!channel>\nb", "No space")],
  } as unknown as Parameters<typeof noticeOfOperation>[0];
  const notice = noticeOfOperation(view);
  const slack = JSON.parse(writeNotice("slack", notice).body);
  assert.match(slack.text, /^\*Create 2 VMs: partly-done\*\n&lt;!channel&gt;\nb: No space\n/);
  const ntfy = writeNotice("ntfy", { ...notice, title: "Größe\r\nX-Evil: 1" });
  assert.equal(ntfy.headers.title, "Gr??e??X-Evil: 1");
  assert.deepEqual([ntfy.headers.priority, ntfy.headers.tags], ["high", "warning"]);
  assert.equal(JSON.parse(writeNotice("generic", notice).body).at, "1970-01-01T00:00:01.000Z");
  assert.notDeepEqual(signatureOf(SECRET, "x", 1_000), signatureOf(SECRET, "x", 2_000), "the time is signed");
});
