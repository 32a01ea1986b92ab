/**
 * Protects the serial console between a browser's WebSocket and the NAS's shell: what is typed reaches the guest on
 * every release. Over real sockets, from the dashboard's own route on.
 */
import assert from "node:assert/strict";
import { startDashboard, type TestDashboard } from "../support/dashboard.ts";

/** A console of the first VM that runs, as the page's script has it. */
function openConsole({ url, simulator }: TestDashboard) {
  const vm = [...simulator.store.vms.values()].find(({ state }) => state === "RUNNING");
  assert.ok(vm !== undefined, "the premise: a VM runs");
  const address = `${url.replace("http:", "ws:")}/vms/${vm.id}/serial/socket`;
  const socket = new WebSocket(address, { headers: { origin: url } });
  socket.binaryType = "arraybuffer";
  const decoder = new TextDecoder();
  let seen = "";
  let isClosed = false;
  let changed = Promise.withResolvers<void>();
  const note = () => (changed.resolve(), changed = Promise.withResolvers<void>());
  const closed = Promise.withResolvers<void>();
  socket.onmessage = ({ data }) => {
    seen += typeof data === "string" ? data : decoder.decode(data);
    note();
  };
  socket.onclose = () => {
    isClosed = true;
    closed.resolve();
    note();
  };
  const until = async (words: string) => {
    while (!seen.includes(words)) {
      assert.ok(!isClosed, `the console ended before it showed ${JSON.stringify(words)}: ${seen}`);
      await changed.promise;
    }
  };
  const end = () => (socket.close(), closed.promise);
  return { type: (input: string) => socket.send(JSON.stringify({ input })), until, end };
}

for (const version of ["24.10", "25.04.2", "25.10", "26.0", "27.0"] as const) {
  Deno.test(`what is typed in the serial console reaches the guest (${version}) (fault 41)`, async () => {
    await using dashboard = await startDashboard({ simulator: { version, foreignVms: 2 } });
    const console = openConsole(dashboard);
    await console.until("login: ");
    console.type("grüße €\r");
    await console.until("grüße €\r\nlogin: ");
    console.type("again");
    await console.until("login: again");
    await console.end();
  });
}

Deno.test("a serial console that cannot be recorded is not opened, says why, and the dashboard goes on (fault 16)", async () => {
  let isFull = false;
  const journal = {
    append: () => {},
    written: () => Promise.resolve(),
    load: () => [],
    read: () => [],
    forget: () => {},
    loadAudit: () => [],
    appendAudit: () => {
      if (isFull) throw new Error("database or disk is full");
    },
  };
  await using dashboard = await startDashboard({ simulator: { foreignVms: 2 }, manager: { journal } });
  isFull = true;
  const console = openConsole(dashboard);
  await console.until("The console was not opened, because the audit log could not be written");
  await console.end();
  assert.equal(dashboard.simulator.calls.filter(({ method }) => method === "auth.generate_token").length, 0);
  const page = await fetch(dashboard.url);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<main/);
});
