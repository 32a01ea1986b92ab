/** Takes the README's pictures from the running program: a simulated NAS, the example configuration, a failing disk. */
import { readFileSync } from "node:fs";
import { startBrowser } from "./browser.ts";
import { startDashboard } from "../pages/dashboard.ts";

const TIMES = { callMs: 60, zvolMs: 500, startMs: 700, shutdownMs: 100, deleteRunningMs: 100 } as const;

const folder = new URL("../../../docs/pictures/", import.meta.url).pathname;
const config = readFileSync(new URL("../../../config.yaml", import.meta.url), "utf8");

await using dashboard = await startDashboard({
  config,
  simulator: { version: "27.0", times: TIMES, foreignVms: 3 },
});
const browser = await startBrowser();
const page = await browser.newPage({ viewport: { width: 1280, height: 800 }, baseURL: dashboard.url });
// What appears is shown as it stays, without the way there.
await page.emulateMedia({ reducedMotion: "reduce" });
const shoot = (name: string) => page.screenshot({ path: `${folder}${name}.png` });
/** So many readings of the NAS's load make a chart that can be read. */
const READINGS = 30;
const CHARTED = `document.querySelector("#host-load .line").getAttribute("d").split("L").length`;

dashboard.simulator.addFault({
  method: "vm.device.create",
  matches: (params) => JSON.stringify(params).includes("worker02-disk1"),
  action: "fail",
  error: { errno: 28, errname: "ENOSPC", reason: "[ENOSPC] out of space" },
});
await page.goto("/create");
await page.getByRole("button", { name: "Review the plan" }).click();
await shoot("plan");
await page.getByRole("button", { name: "Create 4 VMs" }).click();
await page.waitForSelector('[data-vm="worker02"][data-status="rolled-back"]');
await shoot("operation");
await page.waitForSelector('#operation[data-status="partly-done"]');
await page.goto("/");
await page.locator("tr[data-vm]", { hasText: "192.168.1." }).first().waitFor();
while (await page.evaluate<number>(CHARTED) < READINGS) await page.waitForTimeout(1_000);
await page.getByRole("checkbox", { name: "Select worker01" }).check();
await shoot("vms");
await page.getByRole("link", { name: "controlplane01", exact: true }).click();
await page.getByRole("heading", { name: "controlplane01" }).waitFor();
await shoot("vm");
await page.goto("/destroy");
await shoot("destroy");
await browser.close();
