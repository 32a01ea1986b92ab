/**
 * Protects what is said of a VM's size: a running VM keeps the one it was started with, a changed one waits for the next
 * start, what is not known is not said, and the history has both values. Over real HTTP.
 */
import assert from "node:assert/strict";
import type { VmActionName } from "../../../lib/inventory/vm_actions.ts";
import { startDashboard, type TestDashboard } from "../../support/pages/dashboard.ts";
import { post, text } from "../../support/pages/http.ts";

/** Text as it is read, without marks. */
function words(html: string): string {
  return html.replaceAll(/<[^>]*>/g, " ").replaceAll(/\s+/g, " ");
}

/** One VM, as a browser uses its page. */
class VmPages {
  readonly #dashboard: TestDashboard;
  readonly #name: string;

  constructor(dashboard: TestDashboard, name: string) {
    this.#dashboard = dashboard;
    this.#name = name;
  }

  get vm() {
    const { vms } = this.#dashboard.manager.inventory.live.snapshot;
    return vms?.find(({ name }) => name === this.#name) ?? assert.fail(`${this.#name} is on the NAS`);
  }

  /** Changes its size, with the other settings as they are. */
  async resize(cpu: number, memory: string): Promise<void> {
    const { id, name, description } = this.vm;
    const fields = { name, description, cpu: String(cpu), memory, autostart: "yes" };
    const answer = await post(this.#dashboard, `/vms/${id}/settings`, fields);
    assert.equal(answer.status, 303, await answer.text());
  }

  async act(action: VmActionName): Promise<void> {
    const { changes, inventory } = this.#dashboard.manager;
    const { id, name, state } = this.vm;
    await changes.act(action, [{ action, id, name, state, overcommit: false }]).finished;
    await inventory.live.ready(10_000);
  }

  /** The fact, what the picture says, and the cells of the list's row. */
  async sizes(): Promise<readonly string[]> {
    const page = await text(fetch(`${this.#dashboard.url}/vms/${this.vm.id}`));
    const fact = /Size<\/dt><dd>(.*?)<\/dd>/.exec(page)?.[1] ?? "";
    const picture = /<text[^>]*>([^<]* vCPUs?,[^<]*)<\/text>/.exec(page)?.[1] ?? "";
    const list = await text(fetch(this.#dashboard.url));
    const row = list.split(`data-vm="${this.#name}"`)[1]?.split("</tr>")[0] ?? "";
    const cell = (kind: string) => new RegExp(`<td class="${kind}[^>]*>(.*?)</td>`).exec(row)?.[1] ?? "";
    return [fact, picture, cell("c-cpu"), cell("c-mem")].map((html) => words(html).trim());
  }

  async history(): Promise<string> {
    return words(await text(fetch(`${this.#dashboard.url}/vms/${this.vm.id}/history`)));
  }
}

Deno.test("a running VM shows the size that it was started with, and what waits for its next start", async () => {
  await using dashboard = await startDashboard();
  const { configuration } = dashboard.configuration();
  await dashboard.manager.createVmType(configuration, "controlplane", 5910);
  await dashboard.manager.inventory.live.ready(10_000);
  const pages = new VmPages(dashboard, "controlplane01");
  const topology = "1 socket × 2 cores × 1 thread";
  assert.deepEqual(await pages.sizes(), [`2 vCPUs, 2 GiB ${topology}`, "2 vCPUs, 2 GiB", "2", "2 GiB"]);
  await pages.resize(2, "3 GiB");
  assert.deepEqual(
    await pages.sizes(),
    [`2 vCPUs, 2 GiB now 3 GiB at its next start ${topology}`, "2 vCPUs, 2 GiB now", "2", "2 GiB then 3 GiB"],
  );
  await pages.resize(4, "4 GiB");
  assert.deepEqual(
    (await pages.sizes())[0],
    "2 vCPUs, 2 GiB now 4 vCPUs, 4 GiB at its next start",
    "it still runs with what it was started with",
  );
  await pages.resize(2, "2 GiB");
  assert.deepEqual((await pages.sizes())[3], "2 GiB", "nothing waits for what it already has");
  await pages.resize(2, "3 GiB");
  await pages.act("restart");
  assert.deepEqual(await pages.sizes(), [`2 vCPUs, 3 GiB ${topology}`, "2 vCPUs, 3 GiB", "2", "3 GiB"]);
  await pages.act("poweroff");
  await pages.resize(2, "1 GiB");
  assert.deepEqual((await pages.sizes())[0], `2 vCPUs, 1 GiB ${topology}`, "a stopped VM has its settings");
  assert.match(await pages.history(), /Change controlplane01 Settings changed: memory 3 GiB → 1 GiB Done/);
  assert.match(
    await pages.history(),
    /Settings changed: vCPUs 2 → 4, memory 3 GiB → 4 GiB \(takes effect at its next start\)/,
  );
});

Deno.test("of a VM that ran before the dashboard started nothing is said that is not known", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 3 } });
  await dashboard.manager.inventory.live.ready(10_000);
  const pages = new VmPages(dashboard, "homeassistant");
  assert.equal(pages.vm.state, "RUNNING", "the premise");
  const [, , cpu = ""] = await pages.sizes();
  await pages.resize(Number(cpu), "3 GiB");
  const [fact = "", picture = "", , memory] = await pages.sizes();
  assert.match(fact, /3 GiB From its next start; it was running when its size was changed/);
  assert.doesNotMatch(fact + picture, / now/);
  assert.equal(memory, "3 GiB from its next start");
  await pages.act("restart");
  assert.equal((await pages.sizes())[3], "3 GiB");
});

Deno.test("a lost connection hides a restart, so nothing is said of what a VM runs with until it changes again", async () => {
  await using dashboard = await startDashboard();
  const { configuration } = dashboard.configuration();
  const { manager, simulator } = dashboard;
  await manager.createVmType(configuration, "controlplane", 5910);
  await manager.inventory.live.ready(10_000);
  const pages = new VmPages(dashboard, "controlplane01");
  await pages.resize(2, "3 GiB");
  assert.equal((await pages.sizes())[3], "2 GiB then 3 GiB", "the premise");
  const again = new Promise<void>((resolve) => {
    const forget = manager.inventory.live.onChange(({ type }) => {
      if (type !== "all") return;
      forget();
      resolve();
    });
  });
  simulator.cutConnections();
  await again;
  assert.equal((await pages.sizes())[3], "3 GiB");
});
