/**
 * Protects the pages of one VM over real HTTP: each tab has its address, as a page and as JSON; a mistake comes back on the
 * tab of its form; what cannot be done now says why; and the way to TrueNAS's own page is right or absent.
 */
import assert from "node:assert/strict";
import { repeatedly, soon } from "../../support/deadline.ts";
import { idOf, startDashboard } from "../../support/pages/dashboard.ts";
import { post, send, signIn, text, withDashboard } from "../../support/pages/http.ts";

const LAB = { simulator: { foreignVms: 5 } } as const;

function tabOf(html: string): string | undefined {
  return /id="tab-(\w+)"[^>]*aria-current="page"/.exec(html)?.[1];
}

Deno.test("each tab of a VM has its own address, as a page and as JSON", () =>
  withDashboard(LAB, async (dashboard) => {
    const id = idOf(dashboard, "homeassistant");
    for (
      const [path, tab] of [
        ["", "overview"],
        ["/disks", "disks"],
        ["/network", "network"],
        ["/boot", "boot"],
        [
          "/history",
          "history",
        ],
        ["/console", "console"],
        ["/serial", "console"],
        ["/clone", "overview"],
      ]
    ) {
      const html = await text(fetch(`${dashboard.url}/vms/${id}${path}`));
      assert.equal(tabOf(html), tab, path);
      assert.match(html, /id="vm-state" data-vm="homeassistant" data-state="RUNNING"/, path);
    }
    const json = async (path: string) => {
      const response = await fetch(`${dashboard.url}/vms/${id}${path}`, {
        headers: { accept: "application/json" },
      });
      return await response.json();
    };
    assert.equal((await json("/disks")).name, "homeassistant");
    assert.deepEqual(await json("/history"), { operations: [], audit: [] });
    for (const path of [`/vms/${id}/nothing`, "/vms/999/disks", "/vms/999/history"]) {
      const missing = await fetch(dashboard.url + path);
      await missing.body?.cancel();
      assert.equal(missing.status, 404, path);
    }
  }));

Deno.test("while the NAS is away, every tab of a VM says how old its state is", () =>
  withDashboard(LAB, async (dashboard) => {
    const id = idOf(dashboard, "homeassistant");
    const head = async (path: string) =>
      /<span id="vm-state".*?<div id="vm-actions|<span id="vm-state".*?<\/h1>|<span id="vm-state".*?<\/div>/s
        .exec(
          await text(fetch(`${dashboard.url}/vms/${id}${path}`)),
        )?.[0] ?? "";
    for (const path of ["", "/disks", "/console"]) assert.doesNotMatch(await head(path), /as of/, path);
    const stream = await fetch(`${dashboard.url}/vms/${id}/events?tab=overview`);
    const reader = (stream.body ?? assert.fail()).pipeThrough(new TextDecoderStream()).getReader();
    await dashboard.simulator.goAway();
    await repeatedly("the connection is lost", async () => {
      const { state } = dashboard.manager.connection;
      return await Promise.resolve(state.kind === "reconnecting" || null);
    });
    for (const path of ["", "/disks", "/console"]) {
      assert.match(await head(path), /Running.*<span class="warn tone" data-stale="true">as of <time/, path);
    }
    for (let said = ""; !/hx-target="#vm-state".*data-stale="true"/s.test(said);) {
      const { value, done } = await soon(reader.read(), "an open page says it too");
      assert.ok(!done);
      said += value;
    }
    await reader.cancel();
  }));

Deno.test("a mistake comes back on the tab of its form with what was typed", () =>
  withDashboard(LAB, async (dashboard) => {
    const id = idOf(dashboard, "ubuntu_dev");
    const disk = [...dashboard.simulator.store.devices.values()].find(({ vm, attributes }) =>
      vm === id && attributes.dtype === "DISK"
    );
    const long = "x".repeat(10_000);
    for (
      const [form, fields, tab, shown] of [
        ["settings", { name: "ubuntu_dev", cpu: "many", memory: "1", description: "" }, "overview", "many"],
        ["disks", { size: "-1" }, "disks", "-1"],
        ["nics", { attach: "br0", mac: "\u202eabc" }, "network", "\u202eabc"],
        ["cdroms", { path: long }, "boot", long],
        ["clone", { name: "with space" }, "clone", "with space"],
        ["remove", { device: "9999", tab: "network" }, "network", ""],
        ["remove", { device: String(disk?.id), zvol: "yes", phrase: "no" }, "disks", ""],
        ["remove", { device: "9999", tab: "nowhere" }, "disks", ""],
      ] as const
    ) {
      const response = await post(dashboard, `/vms/${id}/${form}`, fields);
      const html = await response.text();
      assert.equal(response.status, 422, form);
      assert.match(html, /id="error-summary"/, form);
      assert.equal(tabOf(html), tab === "clone" ? "overview" : tab, form);
      if (shown !== "") assert.ok(html.includes(`value="${shown}"`), form);
    }
    assert.match(
      await (await post(dashboard, `/vms/${id}/settings`, { name: "x", cpu: "0" })).text(),
      /<details[^>]*id="edit"[^>]*open/,
      "the form with the mistake is open",
    );
  }));

Deno.test("a saved change is confirmed on the tab of its form", () =>
  withDashboard(LAB, async (dashboard) => {
    const id = idOf(dashboard, "ubuntu_dev");
    const saved = await post(dashboard, `/vms/${id}/disks`, { size: "2", sparse: "yes" });
    await saved.body?.cancel();
    const location = saved.headers.get("location") ?? "";
    assert.match(location, new RegExp(`^/vms/${id}/disks\\?saved=`));
    const html = await text(fetch(dashboard.url + location));
    assert.match(html, /<strong>Disk added<\/strong>/);
    assert.equal(tabOf(html), "disks");
    const history = await text(fetch(`${dashboard.url}/vms/${id}/history`));
    assert.match(history, /data-operation="[^"]+" data-status="done"/);
    assert.match(history, /data-audit="\d+"/);
  }));

Deno.test("items that are impossible now stay in the menu with the reason, and the worst is last", async () => {
  await using dashboard = await startDashboard(LAB);
  const id = idOf(dashboard, "win11");
  const page = await text(fetch(`${dashboard.url}/vms/${id}`));
  assert.match(page, /data-because="only a running VM can be suspended"[^]*?Suspend<small>Start it first/);
  assert.ok(page.indexOf("Destroy…") > page.indexOf("Power off"), "the worst is last");
});

Deno.test("the head has only buttons that can be pressed; while the VM is busy, the menu says why not", async () => {
  await using dashboard = await startDashboard(LAB);
  const { simulator, manager, url } = dashboard;
  const id = idOf(dashboard, "homeassistant");
  const { promise, resolve } = Promise.withResolvers<void>();
  simulator.addFault({ method: "vm.suspend", action: "hold", until: promise });
  const about = { id, name: "homeassistant", state: "RUNNING", overcommit: false } as const;
  const { finished } = manager.changes.act("suspend", [{ action: "suspend", ...about }]);
  const page = await text(fetch(`${url}/vms/${id}`));
  const [head = "", menu = ""] = page.slice(page.indexOf('id="vm-buttons"')).split('id="vm-menu"');
  assert.doesNotMatch(head, /Restart|Shut down|disabled/);
  assert.match(menu, /Restart<small>Suspending<\/small>/);
  assert.match(menu, /Shut down<small>Suspending<\/small>/);
  resolve();
  await finished;
});

Deno.test("an install image cannot be removed from a running VM, and the reason says what to do", async () => {
  await using dashboard = await startDashboard(LAB);
  const { simulator, manager, url } = dashboard;
  const id = idOf(dashboard, "homeassistant");
  const deviceId = ++simulator.store.lastDeviceId;
  const attributes = { dtype: "CDROM", path: "/mnt/tank/iso/debian.iso" };
  simulator.store.devices.set(deviceId, { id: deviceId, vm: id, order: 1100, attributes });
  await manager.inventory.live.refreshNow(id);
  const reason = "the install image can be removed only while the VM is stopped; shut it down first";
  assert.ok((await text(fetch(`${url}/vms/${id}`))).includes(`data-because="${reason}"`));
});

Deno.test("the menu in the list leads viewers to a VM's history, and to nothing that changes it", async () => {
  const access = { password: "open sesame", viewerPassword: "just looking" };
  await using dashboard = await startDashboard({ ...LAB, access });
  const { cookie } = await signIn(dashboard, access.viewerPassword);
  const id = idOf(dashboard, "homeassistant");
  const { body } = await send(dashboard, "/", { cookie });
  const menu = body.slice(body.indexOf(`id="more-${id}"`)).split("</details>")[0] ?? "";
  assert.match(menu, new RegExp(`href="/vms/${id}/history"`));
  assert.doesNotMatch(menu, /Shut down|Clone|Destroy/);
});

Deno.test("the overview leads to TrueNAS's own page at the address that people use", async () => {
  for (
    const [publicHost, link] of [
      ["https://nas.example:444", "https://nas.example:444/ui/vm"],
      ["nas.example", "http://nas.example/ui/vm"],
    ] as const
  ) {
    await withDashboard({ ...LAB, manager: { publicHost } }, async (dashboard) => {
      const page = await text(fetch(`${dashboard.url}/vms/${idOf(dashboard, "win11")}`));
      assert.match(page, new RegExp(`href="${link}"[^>]*>Open in TrueNAS`));
    });
  }
  await withDashboard(LAB, async (dashboard) => {
    const page = await text(fetch(`${dashboard.url}/vms/${idOf(dashboard, "win11")}`));
    assert.doesNotMatch(page, /Open in TrueNAS/, "a NAS on this machine has no address for others");
  });
});

Deno.test("the picture of a VM with many devices has ten elements at most, and says how many there are", () =>
  withDashboard(LAB, async (dashboard) => {
    const { simulator, manager, url } = dashboard;
    const id = idOf(dashboard, "ubuntu_dev");
    const add = (attributes: Record<string, unknown> & { dtype: string }) => {
      const deviceId = ++simulator.store.lastDeviceId;
      simulator.store.devices.set(deviceId, { id: deviceId, vm: id, order: 1100, attributes });
    };
    for (let n = 0; n < 6; n++) {
      add({ dtype: "NIC", nic_attach: "br1", mac: `02:00:00:00:00:0${n}`, type: "VIRTIO" });
      add({ dtype: "DISK", path: `/dev/zvol/tank/vms/many-${"long".repeat(20)}${n}`, type: "VIRTIO" });
    }
    await manager.inventory.live.refreshNow(id);
    const picture = /<svg class="topo"[^]*?<\/svg>/.exec(await text(fetch(`${url}/vms/${id}`)))?.[0] ?? "";
    const elements = [...picture.matchAll(/class="(net|self|box|disk-side)"/g)].length;
    assert.ok(elements > 5 && elements <= 10, `${elements} elements`);
    assert.match(picture, /and 6 more NICs/);
    assert.match(picture, /and 5 more disks/);
    assert.match(picture, /aria-label="ubuntu_dev is attached to [^"]*has 7 disks/);
  }));
