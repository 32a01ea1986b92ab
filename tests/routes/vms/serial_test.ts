/**
 * Protects the serial console between a browser's WebSocket and the NAS's shell: input reaches the guest on every
 * release. Over real sockets, through the dashboard's own route.
 */
import assert from "node:assert/strict";
import {
  DISPLAY_PASSWORD,
  journalOn,
  startDashboard,
  type TestDashboard,
} from "../../support/pages/dashboard.ts";
import { soon } from "../../support/deadline.ts";
import { send, signIn } from "../../support/pages/http.ts";
import { SESSION_LIMITS } from "../../../routes/auth/sessions.ts";

/** A console of the first VM that runs, as the page's script has it. */
function openConsole({ url, simulator }: TestDashboard, cookie = "") {
  const vm = [...simulator.store.vms.values()].find(({ state }) => state === "RUNNING");
  assert.ok(vm !== undefined, "the premise: a VM runs");
  const address = `${url.replace("http:", "ws:")}/vms/${vm.id}/serial/socket`;
  const socket = new WebSocket(address, { headers: { origin: url, cookie } });
  socket.binaryType = "arraybuffer";
  const decoder = new TextDecoder();
  let seen = "";
  let isClosed = false;
  let changed = Promise.withResolvers<void>();
  const note = () => (changed.resolve(), changed = Promise.withResolvers<void>());
  const closed = Promise.withResolvers<CloseEvent>();
  socket.onmessage = ({ data }) => {
    seen += typeof data === "string" ? data : decoder.decode(data);
    note();
  };
  socket.onclose = (event) => {
    isClosed = true;
    closed.resolve(event);
    note();
  };
  const until = async (words: string) => {
    while (!seen.includes(words)) {
      assert.ok(!isClosed, `the console ended before it showed ${JSON.stringify(words)}: ${seen}`);
      await changed.promise;
    }
  };
  const end = () => (socket.close(), closed.promise);
  return {
    type: (input: string) => socket.send(JSON.stringify({ input })),
    until,
    end,
    closed: closed.promise,
  };
}

for (const version of ["24.10", "25.04.2", "25.10", "26.0", "27.0"] as const) {
  Deno.test(`input in the serial console reaches the guest (${version}) (fault 41)`, async () => {
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

Deno.test("a serial console that cannot be recorded is not opened, says why, and the dashboard keeps running (fault 16)", async () => {
  const disk = { isFull: false };
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 2 },
    manager: { journal: journalOn(disk) },
  });
  disk.isFull = true;
  const console = openConsole(dashboard);
  await console.until("The console was not opened, because the audit log could not be written");
  await console.end();
  assert.equal(dashboard.simulator.calls.filter(({ method }) => method === "auth.generate_token").length, 0);
  const page = await fetch(dashboard.url);
  assert.equal(page.status, 200);
  assert.match(await page.text(), /<main/);
});

Deno.test("a console closes when its session ends: on sign-out, on timeout, and when another sign-in replaces it (fault 11)", async () => {
  const clock = { now: Date.UTC(2026, 10, 23) };
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 2 },
    access: { password: "open sesame" },
    now: () => clock.now,
  });
  const ENDS: readonly ((cookie: string) => Promise<unknown>)[] = [
    (cookie) => send(dashboard, "/logout", { fields: {}, cookie }),
    (cookie) => send(dashboard, "/login", { fields: { password: "open sesame" }, cookie }),
    (cookie) => {
      clock.now += SESSION_LIMITS.absoluteMs + 1;
      return send(dashboard, "/", { cookie });
    },
  ];
  for (const end of ENDS) {
    const { cookie } = await signIn(dashboard, "open sesame");
    const console = openConsole(dashboard, cookie);
    await console.until("login: ");
    await end(cookie);
    const { code, reason } = await soon(console.closed, "the console ends");
    assert.deepEqual([code, reason], [1008, "The session has ended"]);
  }
});

Deno.test("a secret repeated in a NAS error is hidden before anybody sees it (fault 18)", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 2 } });
  const error = { errno: 22, errname: "EINVAL", reason: `bad password ${DISPLAY_PASSWORD} given` };
  dashboard.simulator.addFault({ method: "auth.generate_token", action: "fail", error });
  const console = openConsole(dashboard);
  await console.until("bad password [secret] given");
  await console.end();
});
