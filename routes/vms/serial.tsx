/** A VM's serial console: a WebSocket between the browser and the NAS's shell. */
import { Hono } from "hono";
import { isWithinRange } from "../../lib/inputs.ts";
import type { Actor } from "../../lib/operations/types.ts";
import { TrueNASError } from "../../lib/errors/errors.ts";
import { runDetached } from "../../lib/errors/unhandled_errors.ts";
import { SerialPage } from "../../templates/pages/vm/serial_page.tsx";
import { withBasePath } from "../../templates/paths.ts";
import { sendAsset } from "../server/assets/asset.ts";
import { type Dashboard, pageFrame, sendPage } from "../server/dashboard.ts";
import { isFromOwnPage } from "../auth/origin.ts";
import type { Session } from "../auth/sessions.ts";
import { findVm, withVm } from "./find_vm.ts";
import { vmNow } from "./vm_props.ts";
import { upgradeToWebSocket } from "../server/http/websocket.ts";
import { actorOf, type AppEnv, mayChange, sessionOf } from "../server/context.ts";

/** The longest input in one message: a paste, not a file. */
const MAX_TYPED_CHARS = 65_536;

/** GET /vms/:id/serial, /vms/:id/serial/socket, and the terminal's files. */
export function serialRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  app.get("/static/terminal/:file", async (c) => {
    const file = Object.values(await terminalFiles()).find(({ url }) => url === c.req.path);
    return file === undefined ? await c.notFound() : sendAsset(c, file);
  });
  app.get(
    "/vms/:id/serial",
    withVm(dashboard, async (c, vm) => {
      const head = vmNow(dashboard, vm, mayChange(c));
      const { xterm, xtermCss, xtermFit } = await terminalFiles();
      const assets = {
        xterm: withBasePath(xterm.url),
        xtermCss: withBasePath(xtermCss.url),
        xtermFit: withBasePath(xtermFit.url),
      };
      const page = { frame: pageFrame(c, dashboard), vm, head, assets };
      return sendPage(c, <SerialPage {...page} nonce={c.get("secureHeadersNonce") ?? ""} />);
    }),
  );
  app.get("/vms/:id/serial/socket", async (c) => {
    // A page of another site could open a WebSocket with this site's cookie, so the origin is checked.
    if (!isFromOwnPage(c, dashboard.access)) {
      return c.text("Only the dashboard's own pages can open a console. The console was not opened\n", 403);
    }
    if (!mayChange(c)) return c.text("Viewers cannot open the serial console\n", 403);
    const vm = await findVm(c, dashboard);
    if (vm === undefined) return await c.notFound();
    const opener = { id: vm.id, by: actorOf(c), session: sessionOf(c) };
    return upgradeToWebSocket(c, (socket) => bridge(dashboard, socket, opener));
  });
  return app;
}

/** Loaded with the first console, because most starts show none. */
async function terminalFiles() {
  return (await import("../server/assets/display/terminal.ts")).TERMINAL_FILES;
}

type Opened = Awaited<ReturnType<Dashboard["manager"]["consoles"]["openSerial"]>>;

/** A console that cannot be recorded in the audit log is not opened. */
const NOT_RECORDED = "The console was not opened, because the audit log could not be written. " +
  "Nothing was sent to the VM. See the dashboard's log for the cause, then try again";

/** How often an open console marks its session as active. */
const USE_MS = 10_000;

/** Carries bytes both ways until either side, the session or the program ends. */
function bridge(
  { manager, logger, stopping }: Dashboard,
  socket: WebSocket,
  { id: vmId, by, session }: { id: number; by: Actor; session: Session | null },
): void {
  let serial: Opened | null = null;
  let closed = false;
  const send = (data: string | Uint8Array<ArrayBuffer>) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(data);
  };
  const notify = (message: object) => send(JSON.stringify(message));
  const release = () => {
    closed = true;
    clearInterval(using);
    stopping.removeEventListener("abort", onStop);
    session?.ended.removeEventListener("abort", onSignedOut);
    serial?.close();
    serial = null;
  };
  // The NAS's side is closed first, because the browser may take its time or never close.
  const end = (code: number, reason: string) => {
    release();
    socket.close(code, reason);
  };
  const onStop = () => end(1001, "The dashboard is stopping");
  const onSignedOut = () => end(1008, "The session has ended");
  const using = setInterval(() => session?.use(), USE_MS);
  stopping.addEventListener("abort", onStop, { once: true });
  session?.ended.addEventListener("abort", onSignedOut, { once: true });
  const record = (outcome: string) => {
    const vms =
      manager.inventory.live.snapshot.vms?.filter(({ id }) => id === vmId).map(({ name }) => name) ?? [];
    manager.audit.record({ by, what: "Open the serial console", vms, outcome });
  };
  const open = async () => {
    record("begun");
    const opened = await manager.consoles.openSerial(vmId);
    if (closed) return opened.close();
    serial = opened;
    notify({ type: "connected" });
    opened.listen(send, () => {
      if (!closed) socket.close(1000, "The console was closed");
    });
  };
  const refuse = (error: unknown) => {
    const isNas = error instanceof TrueNASError;
    const message = isNas ? error.message : NOT_RECORDED;
    logger.warning("Cannot open a serial console", { vm: vmId, error: String(error) });
    notify({ type: "failed", message });
    socket.close(1000, "The console could not be opened");
    if (isNas) record(`failed: ${message}`);
  };
  socket.onopen = () => runDetached(open().catch(refuse), "opening a serial console", logger);
  socket.onmessage = ({ data }: MessageEvent) => {
    if (serial === null || typeof data !== "string" || data.length > MAX_TYPED_CHARS) return;
    const message = parse(data);
    if (message.type === "input") serial.send(message.data);
    if (message.type === "resize") {
      const resizing = manager.consoles.resizeSerial(serial.session, message.cols, message.rows);
      runDetached(resizing, "resizing a serial console", logger);
    }
  };
  socket.onclose = release;
}

type Typed =
  | { readonly type: "input"; readonly data: string }
  | { readonly type: "resize"; readonly cols: number; readonly rows: number }
  | { readonly type: "other" };

/** Limits on a terminal's columns and rows. */
const SIZES = { lowest: 2, highest: 1_000 } as const;

function parse(text: string): Typed {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { type: "other" };
  }
  if (typeof value !== "object" || value === null) return { type: "other" };
  const { input, cols, rows } = value as Record<string, unknown>;
  if (typeof input === "string") return { type: "input", data: input };
  return isWithinRange(cols, SIZES) && isWithinRange(rows, SIZES)
    ? { type: "resize", cols, rows }
    : { type: "other" };
}
