/**
 * Protects the relay between the console page and a display: bytes pass both ways unchanged, only to the display that
 * the inventory has, only for administrators on the dashboard's own pages; it ends with the session and the display,
 * and says why. Over real sockets, from the dashboard's own route on.
 */
import assert from "node:assert/strict";
import { DISPLAY_PORTS } from "../../../lib/consoles/display_target.ts";
import { CLOSES } from "../../../templates/parts/vm/console/display_closes.tsx";
import { type DashboardOptions, startDashboard, type TestDashboard } from "../../support/pages/dashboard.ts";
import { soon } from "../../support/deadline.ts";
import { listenForDisplay } from "../../support/network/display.ts";
import { send, signIn, text } from "../../support/pages/http.ts";

/** The first VM's display, made to listen on a port of this test. */
async function withDisplay(
  options: DashboardOptions,
  test: (given: { dashboard: TestDashboard; id: number; device: number; display: Echo }) => Promise<void>,
): Promise<void> {
  await using dashboard = await startDashboard({
    simulator: { foreignVms: 3, ...options.simulator },
    ...options,
  });
  using display = new Echo();
  const device = await place(dashboard, { port: display.port });
  await test({ dashboard, ...device, display });
}

/** Changes the display of the first VM, as somebody does on the NAS. */
async function place({ simulator, manager }: TestDashboard, attributes: Record<string, unknown>) {
  const found = [...simulator.store.devices.values()].find(({ attributes }) =>
    attributes.dtype === "DISPLAY"
  );
  assert.ok(found !== undefined, "the premise: a VM has a display");
  Object.assign(found.attributes, attributes);
  await manager.inventory.live.refreshNow(found.vm);
  return { id: found.vm, device: found.id };
}

/** A display that sends back what it gets. */
class Echo implements Disposable {
  readonly #listener = listenForDisplay();
  readonly #connections = new Set<Deno.TcpConn>();
  accepted = 0;

  constructor() {
    void this.#accept();
  }

  get port(): number {
    return this.#listener.addr.port;
  }

  /** Ends its connections, as a VM that stops does. */
  cut(): void {
    for (const connection of this.#connections) connection.close();
    this.#connections.clear();
  }

  [Symbol.dispose](): void {
    this.cut();
    this.#listener.close();
  }

  async #accept(): Promise<void> {
    for await (const connection of this.#listener) {
      this.accepted++;
      this.#connections.add(connection);
      void this.#echo(connection);
    }
  }

  async #echo(connection: Deno.TcpConn): Promise<void> {
    const buffer = new Uint8Array(65_536);
    try {
      for (let read = await connection.read(buffer); read !== null; read = await connection.read(buffer)) {
        for (let sent = 0; sent < read;) sent += await connection.write(buffer.subarray(sent, read));
      }
    } catch {
      // It was cut.
    }
    if (this.#connections.delete(connection)) connection.close();
  }
}

interface Screen {
  readonly socket: WebSocket;
  readonly closed: Promise<CloseEvent>;
  /** Resolves when so many bytes have come. */
  readonly received: (bytes: number) => Promise<Uint8Array>;
}

function openScreen({ url }: TestDashboard, id: number, device: number, cookie = ""): Screen {
  const address = `${url.replace("http:", "ws:")}/vms/${id}/display?device=${device}`;
  const socket = new WebSocket(address, { protocols: ["binary"], headers: { origin: url, cookie } });
  socket.binaryType = "arraybuffer";
  const closed = Promise.withResolvers<CloseEvent>();
  let seen = new Uint8Array();
  let changed = Promise.withResolvers<void>();
  socket.onmessage = ({ data }) => {
    seen = new Uint8Array([...seen, ...new Uint8Array(data)]);
    changed.resolve();
    changed = Promise.withResolvers();
  };
  socket.onclose = (event) => closed.resolve(event);
  const received = async (bytes: number) => {
    while (seen.length < bytes) await soon(changed.promise, `${bytes} bytes`);
    return seen;
  };
  return { socket, closed: closed.promise, received };
}

async function opened(screen: Screen): Promise<void> {
  await soon(
    new Promise((resolve, reject) => {
      screen.socket.onopen = resolve;
      screen.socket.onerror = reject;
    }),
    "the screen opens",
  );
}

async function closedWith(screen: Screen): Promise<number> {
  return (await soon(screen.closed, "the screen ends")).code;
}

Deno.test("bytes pass between the page and the display unchanged, and one console is one line of the audit log", () =>
  withDisplay({}, async ({ dashboard, id, device, display }) => {
    const screens = [openScreen(dashboard, id, device), openScreen(dashboard, id, device)];
    await Promise.all(screens.map(opened));
    for (const { socket, received } of screens) {
      assert.equal(socket.protocol, "binary");
      const sent = Uint8Array.from({ length: 200_000 }, (_, index) => index % 251);
      for (let at = 0; at < sent.length; at += 50_000) socket.send(sent.slice(at, at + 50_000));
      assert.deepEqual(await received(sent.length), sent);
    }
    assert.equal(display.accepted, 2);
    const lines = dashboard.manager.audit.list().filter(({ what }) => what === "Open the screen");
    assert.deepEqual(lines.map(({ vms, outcome }) => [vms, outcome]), [[["homeassistant"], "begun"]]);
    display.cut();
    assert.deepEqual(await Promise.all(screens.map(closedWith)), [CLOSES.ended, CLOSES.ended]);
  }));

Deno.test("a screen and the password that its page read for it are one line of the audit log, and each opening has its own", () =>
  withDisplay({}, async ({ dashboard, id, device }) => {
    const headers = { origin: dashboard.url, accept: "application/json" };
    const readPassword = () =>
      fetch(`${dashboard.url}/vms/${id}/password`, {
        method: "POST",
        headers,
        body: new URLSearchParams({ for: "screen" }),
      });
    for (const openings of [1, 2]) {
      assert.match(await text(readPassword()), /"password":"/);
      const screens = [openScreen(dashboard, id, device), openScreen(dashboard, id, device)];
      await Promise.all(screens.map(opened));
      for (const { socket, received } of screens) {
        socket.send(new Uint8Array(1));
        await received(1);
      }
      assert.deepEqual(
        dashboard.manager.audit.list().map(({ what, outcome }) => [what, outcome]),
        new Array(openings).fill(["Open the screen", "begun, display password read"]),
      );
      for (const { socket } of screens) socket.close();
      await Promise.all(screens.map(closedWith));
    }
    assert.match(await text(fetch(`${dashboard.url}/vms/${id}/history`)), /started, display password read/);
  }));

Deno.test("what keeps a screen from opening is said by a code, and every code has words on the page", () =>
  withDisplay({}, async ({ dashboard, id, device, display }) => {
    const code = async () => await closedWith(openScreen(dashboard, id, device));
    const page = await text(fetch(`${dashboard.url}/vms/${id}/console`));
    for (const known of [...Object.values(CLOSES), 1001, 1008]) {
      assert.match(page, new RegExp(`data-code="${known}"`));
    }
    const closedPort = listenForDisplay();
    closedPort.close();
    await place(dashboard, { port: closedPort.addr.port });
    assert.equal(await code(), CLOSES.refused);
    await place(dashboard, { port: 22 });
    assert.equal(await code(), CLOSES.unreachable);
    assert.match(
      await text(fetch(`${dashboard.url}/vms/${id}/console`)),
      /may only connect to ports 5900 to 7999/,
    );
    await place(dashboard, { port: display.port });
    const vm = dashboard.simulator.store.vms.get(id);
    assert.ok(vm);
    vm.state = "STOPPED";
    await dashboard.manager.inventory.live.refreshNow(id);
    assert.equal(await code(), CLOSES.stopped);
    assert.match(
      await text(fetch(`${dashboard.url}/vms/${id}/console`)),
      /It has a screen while it is running/,
    );
    assert.equal(display.accepted, 0, "the display was asked for nothing");
  }));

Deno.test("a screen is refused to viewers, to other sites and for READ_ONLY, and no display is asked", async () => {
  const access = { password: "open sesame", viewerPassword: "just looking" };
  await withDisplay({ access }, async ({ dashboard, id, device, display }) => {
    const ask = (headers: Record<string, string>) =>
      fetch(`${dashboard.url}/vms/${id}/display?device=${device}`, { headers, redirect: "manual" });
    const status = async (headers: Record<string, string>) => {
      const response = await ask(headers);
      await response.body?.cancel();
      return response.status;
    };
    const viewer = (await signIn(dashboard, "just looking")).cookie;
    const admin = (await signIn(dashboard, "open sesame")).cookie;
    assert.equal(await status({ origin: dashboard.url, cookie: viewer }), 403);
    assert.equal(await status({ origin: "https://evil.test", cookie: admin }), 403);
    assert.equal(await status({ cookie: admin }), 403, "without an origin");
    assert.notEqual(await status({ origin: dashboard.url }), 426, "without signing in");
    assert.equal(
      await status({ origin: dashboard.url, cookie: admin }),
      426,
      "the premise: only the upgrade is missing",
    );
    const page = await send(dashboard, `/vms/${id}/console`, { cookie: viewer });
    assert.match(page.body, /viewer-notice/);
    assert.doesNotMatch(page.body, /data-socket/);
    const other = await send(dashboard, `/vms/${id}/display?device=${device + 1}`, { cookie: admin });
    assert.ok([403, 404].includes(other.status), "a device that is no display of this VM");
    assert.equal(display.accepted, 0);
  });
  await withDisplay({ manager: { readOnly: true } }, async ({ dashboard, id, device, display }) => {
    assert.equal(await closedWith(openScreen(dashboard, id, device)), CLOSES["read-only"]);
    assert.match(await text(fetch(`${dashboard.url}/vms/${id}/console`)), /read-only \(READ_ONLY\)/);
    assert.equal(display.accepted, 0);
  });
});

Deno.test("a screen closes when its session ends", () =>
  withDisplay({ access: { password: "open sesame" } }, async ({ dashboard, id, device }) => {
    const { cookie } = await signIn(dashboard, "open sesame");
    const screen = openScreen(dashboard, id, device, cookie);
    await opened(screen);
    screen.socket.send(new Uint8Array([1]));
    await screen.received(1);
    await send(dashboard, "/logout", { fields: {}, cookie });
    const { code, reason } = await soon(screen.closed, "the screen ends");
    assert.deepEqual([code, reason], [1008, "The session has ended"]);
  }));

Deno.test("only so many screens are open at once, and closing one makes room", () =>
  withDisplay({}, async ({ dashboard, id, device }) => {
    const screens: Screen[] = [];
    for (let count = 0; count < 64; count++) {
      const screen = openScreen(dashboard, id, device);
      await opened(screen);
      screen.socket.send(new Uint8Array([1]));
      await screen.received(1);
      screens.push(screen);
    }
    assert.equal(await closedWith(openScreen(dashboard, id, device)), CLOSES["too-many"]);
    const [first] = screens;
    first?.socket.close();
    await first?.closed;
    const again = openScreen(dashboard, id, device);
    await opened(again);
    again.socket.send(new Uint8Array([1]));
    await again.received(1);
    for (const { socket } of [...screens, again]) socket.close();
    await Promise.all([...screens, again].map(({ closed }) => closed));
  }));

Deno.test("the console page has no password in it, and a policy for inline pictures of its own", () =>
  withDisplay({}, async ({ dashboard, id, device }) => {
    await place(dashboard, { password: "page-secret" });
    const page = await send(dashboard, `/vms/${id}/console?display=${device}`, {});
    assert.match(page.headers.get("content-security-policy") ?? "", /img-src 'self' data:;/);
    assert.doesNotMatch(page.body, /page-secret/);
    const other = await send(dashboard, `/vms/${id}`, {});
    assert.match(other.headers.get("content-security-policy") ?? "", /img-src 'self';/);
    const script = /src="([^"]*display\/[^"]*\.js)"/.exec(page.body)?.[1] ??
      assert.fail("the page has its script");
    const served = await send(dashboard, script, {});
    assert.equal(served.status, 200);
    assert.match(served.headers.get("cache-control") ?? "", /immutable/);
    assert.equal((await send(dashboard, script.replace("display.js", "../../app.css"), {})).status, 404);
    assert.equal((await send(dashboard, script.replace(/[0-9a-f]{12}/, "0".repeat(12)), {})).status, 404);
    const read = await fetch(`${dashboard.url}/vms/${id}/password`, {
      method: "POST",
      headers: { origin: dashboard.url, accept: "application/json" },
    });
    assert.deepEqual(await read.json(), { displays: [{ deviceId: device, password: "page-secret" }] });
    const lines = dashboard.manager.audit.list().filter(({ what }) => what === "Show display password");
    assert.equal(lines.length, 1, "and it is in the audit log");
    assert.ok(DISPLAY_PORTS.first < DISPLAY_PORTS.last);
  }));
