/** A VM's graphical console: the page, and the WebSocket that the relay serves. */
import { Hono } from "hono";
import type { Display, Vm } from "../../lib/inventory/inventory.ts";
import { ConsolePage } from "../../templates/pages/vm/console_page.tsx";
import { PasswordPage } from "../../templates/pages/vm/password_page.tsx";
import { paths } from "../../templates/paths.ts";
import { isFromOwnPage } from "../auth/origin.ts";
import { actorOf, type AppEnv, mayChange, sessionOf } from "../server/context.ts";
import { readForm } from "../forms/read_form.ts";
import { type Dashboard, pageFrame, sendPage, wantsJson } from "../server/dashboard.ts";
import { DisplayAssets } from "../server/assets/display/assets.ts";
import { upgradeToWebSocket } from "../server/http/websocket.ts";
import { DisplayRelays } from "./display_relay.ts";
import { findVm, withVm } from "./find_vm.ts";
import { vmNow } from "./vm_props.ts";

/** GET /vms/:id/console, /vms/:id/display, POST /vms/:id/password, and the modules of the page. */
export function displayRoutes(dashboard: Dashboard): Hono<AppEnv> {
  const app = new Hono<AppEnv>();
  const relays = new DisplayRelays(dashboard);
  const assets = new DisplayAssets();
  app.route("/", assets.routes());
  app.get(
    "/vms/:id/console",
    withVm(dashboard, async (c, vm) => {
      const display = chosen(vm, c.req.query("display"));
      if (display === undefined && vm.displays.length > 0) return await c.notFound();
      if (display === undefined && mayChange(c)) return c.redirect(paths.vmSerial(vm.id), 303);
      const { consoles } = dashboard.manager;
      return sendPage(
        c,
        <ConsolePage
          frame={pageFrame(c, dashboard)}
          vm={vm}
          head={vmNow(dashboard, vm, mayChange(c))}
          display={display ?? null}
          found={display === undefined ? null : consoles.displayTarget(display)}
          readOnly={consoles.readOnly}
          script={await assets.scriptUrl()}
        />,
      );
    }),
  );
  app.post(
    "/vms/:id/password",
    withVm(dashboard, async (c, vm) => {
      const { audit, consoles } = dashboard.manager;
      const isForScreen = (await readForm(c.req.raw))?.get("for") === "screen";
      const displays = await consoles.displayPasswords(vm.id);
      const passwords = displays.map(({ password }) => password);
      const isKnown = passwords.some((it) => it !== null);
      // Recorded first, so that a password that cannot be recorded is not shown.
      if (isForScreen && isKnown) relays.recordOpening(vm, { by: actorOf(c), session: sessionOf(c) });
      else {
        const outcome = isKnown ? "shown" : "unknown";
        audit.record({ by: actorOf(c), what: "Show display password", vms: [vm.name], outcome });
      }
      if (wantsJson(c)) return c.json({ displays });
      return sendPage(c, <PasswordPage frame={pageFrame(c, dashboard)} vm={vm} passwords={passwords} />);
    }),
  );
  app.get("/vms/:id/display", async (c) => {
    // A page of another site could open a WebSocket with this site's cookie, so the origin is checked.
    if (!isFromOwnPage(c, dashboard.access)) {
      return c.text("Only the dashboard's own pages can open a screen. The screen was not opened\n", 403);
    }
    if (!mayChange(c)) return c.text("Viewers cannot open screens\n", 403);
    const vm = await findVm(c, dashboard);
    const display = vm === undefined ? undefined : chosen(vm, c.req.query("device"));
    if (vm === undefined || display === undefined) return await c.notFound();
    const opener = { vmId: vm.id, deviceId: display.deviceId, by: actorOf(c), session: sessionOf(c) };
    return upgradeToWebSocket(c, (socket) => relays.relay(socket, opener));
  });
  return app;
}

/** The display with this device id; the first without one. */
function chosen({ displays }: Vm, device: string | undefined): Display | undefined {
  return device === undefined ? displays[0] : displays.find(({ deviceId }) => String(deviceId) === device);
}
