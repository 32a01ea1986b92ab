/**
 * Protects the devices of a VM on its pages: a disk never shrinks, a zvol is destroyed only with a phrase, no name or MAC
 * is used twice, others' devices are only shown, and what the NAS refuses stands at its field. Over real HTTP.
 */
import assert from "node:assert/strict";
import { deriveMac } from "../../../lib/inventory/names.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { idOf, startDashboard } from "../../support/pages/dashboard.ts";
import { post, text } from "../../support/pages/http.ts";
import { devices, onEach } from "../../support/pages/vm_forms.ts";

onEach(
  "disks are added, grown and removed; none shrinks, and data is destroyed only with the phrase",
  async ({ dashboard, id, send }) => {
    const { store } = dashboard.simulator;
    assert.equal((await send("disks", { size: "5", sparse: "yes" })).status, 303);
    const added = "tank/vms/controlplane01-disk1";
    assert.deepEqual([store.datasets.get(added)?.volsizeBytes, store.datasets.get(added)?.sparse], [
      5 * 1024 ** 3,
      true,
    ]);
    const [root, data] = devices(dashboard, id, "DISK");
    assert.ok(root && data);
    const smaller = await send("grow", { device: String(root.id), size: "5" });
    assert.equal(smaller.status, 422);
    assert.match(
      smaller.html,
      /data-error="grow\.size-\d+"[^<]*>A disk can only grow. Enter more than its current 20 GiB/,
    );
    assert.equal((await send("grow", { device: String(root.id), size: "30" })).status, 303);
    assert.equal(store.datasets.get("tank/vms/controlplane01-disk0")?.volsizeBytes, 30 * 1024 ** 3);
    const hasty = await send("remove", { device: String(data.id), zvol: "yes", phrase: "" });
    assert.equal(hasty.status, 422);
    assert.equal((await send("remove", { device: String(data.id) })).status, 303);
    assert.ok(store.datasets.has(added), "without the tick the zvol stays");
    const rest = await send("remove", { device: String(root.id), zvol: "yes", phrase: "destroy 1 disk" });
    assert.equal(rest.status, 303);
    assert.ok(!store.datasets.has("tank/vms/controlplane01-disk0"));
    const huge = await send("disks", { size: "60000" });
    assert.match(
      huge.html,
      /data-error="disks\.size">(?:<[^>]+>)?The pool does not have enough free space for this zvol; [^<]*use more than 80%/,
    );
  },
);

onEach(
  "NICs and images are attached and detached, and refusals by the NAS appear at their fields",
  async ({ dashboard, id, send }) => {
    assert.equal((await send("nics", { attach: "br1", mac: "02-00-5E-00-00-09" })).status, 303);
    assert.deepEqual(
      devices(dashboard, id, "NIC").map(({ attributes }) => [attributes.nic_attach, attributes.mac])[1],
      [
        "br1",
        "02:00:5e:00:00:09",
      ],
    );
    assert.match(
      (await send("nics", { attach: "br9" })).html,
      /data-error="nics\.attach"[^<]*>The NAS has no such bridge or interface; choose one [^<]*Not a valid choice\./,
    );
    assert.match((await send("nics", { attach: "br1", mac: "zz" })).html, /data-error="nics\.mac"/);
    const [cdrom] = devices(dashboard, id, "CDROM");
    assert.equal((await send("remove", { device: String(cdrom?.id) })).status, 303);
    assert.equal(devices(dashboard, id, "CDROM").length, 0);
    assert.equal((await send("cdroms", { path: "/mnt/tank/iso/talos.iso", first: "yes" })).status, 303);
    const [attached] = devices(dashboard, id, "CDROM");
    const [disk] = devices(dashboard, id, "DISK");
    assert.ok((attached?.order ?? 0) < (disk?.order ?? 0), "it boots first");
    assert.match((await send("cdroms", { path: "/etc/passwd" })).html, /data-error="cdroms\.path"/);
    assert.equal((await send("cdroms", { path: "/mnt/tank/iso/none.iso" })).status, 422);
  },
);

onEach(
  "sizes are shown and read as when a VM is created: 4 GiB, 0.5 TiB, or a number in the unit that is named",
  async ({ dashboard, id, send }) => {
    const { store } = dashboard.simulator;
    const settings = { name: "controlplane01", cpu: "4", description: "", autostart: "yes" };
    const page = () => text(fetch(`${dashboard.url}/vms/${id}`));
    assert.ok((await page()).includes(`name="memory" value="2 GiB"`));
    for (
      const [typed, mib, shown] of [["5 GiB", 5120, "5 GiB"], ["1.5g", 1536, "1536 MiB"], [
        "3072",
        3072,
        "3 GiB",
      ]]
    ) {
      assert.equal(
        (await send("settings", { ...settings, memory: String(typed) })).status,
        303,
        String(typed),
      );
      assert.equal(store.vms.get(id)?.config.memory, mib);
      assert.ok((await page()).includes(`name="memory" value="${shown}"`), `${typed} is shown as ${shown}`);
    }
    const wrong = await send("settings", { ...settings, memory: "much" });
    assert.match(wrong.html, /Memory must be a whole number from 20 to 16777216 MiB, found &quot;much&quot;/);
    assert.match(wrong.html, /name="memory" value="much"/);
    const [root] = devices(dashboard, id, "DISK");
    assert.equal((await send("grow", { device: String(root?.id), size: "0.5 TiB" })).status, 303);
    assert.equal(store.datasets.get("tank/vms/controlplane01-disk0")?.volsizeBytes, 512 * 1024 ** 3);
    assert.equal((await send("disks", { size: "3 GiB" })).status, 303);
    assert.equal(store.datasets.get("tank/vms/controlplane01-disk1")?.volsizeBytes, 3 * 1024 ** 3);
    assert.match(
      (await send("disks", { size: "512 MiB" })).html,
      /from 1 to 65536 GiB, found &quot;512 MiB&quot;/,
    );
  },
);

/** Without the whole page in the message. */
function matches(html: string, pattern: RegExp): void {
  assert.ok(pattern.test(html), `it has ${pattern}`);
}

Deno.test("networks and images are chosen from what the NAS has, also for a VM that exists", async () => {
  await using dashboard = await startDashboard({ simulator: { foreignVms: 1 } });
  const id = idOf(dashboard, "homeassistant");
  const at = (tab: string) => `${dashboard.url}/vms/${id}/${tab}`;
  const network = await text(fetch(at("network")));
  matches(network, /<select id="field-nics-attach" name="attach"[\s\S]*?<option value="br1" ?>br1/);
  const boot = await text(fetch(at("boot")));
  assert.match(
    boot,
    /<select id="field-cdroms-path" name="path"[\s\S]*?<option value="\/mnt\/tank\/iso\/talos\.iso"/,
  );
  // "Another file…" leads to the field beside it, which is kept when it is wrong.
  const other = await text(post(dashboard, `/vms/${id}/cdroms`, { path: "?", "path.other": "/etc/passwd" }));
  matches(other, /data-error="cdroms\.path"/);
  matches(other, /name="path\.other" value="\/etc\/passwd"/);
  const attached = await post(dashboard, `/vms/${id}/cdroms`, {
    path: "?",
    "path.other": "/mnt/tank/iso/talos.iso",
  });
  await attached.body?.cancel();
  assert.equal(attached.status, 303);
});

Deno.test("free text stands on a VM's page only where the account may not read what the NAS has", async () => {
  await using dashboard = await startDashboard({
    simulator: {
      foreignVms: 1,
      accounts: [{
        username: "keeper",
        password: "secret-pw",
        roles: ["VM_READ", "VM_WRITE", "VM_DEVICE_WRITE"],
      }],
    },
    manager: { username: "keeper", password: "secret-pw" },
  });
  const boot = await text(fetch(`${dashboard.url}/vms/${idOf(dashboard, "homeassistant")}/boot`));
  matches(boot, /<input id="field-cdroms-path" name="path"/);
});

onEach(
  "the boot order is changed, and an error says that a device no longer exists",
  async ({ dashboard, id, send }) => {
    const [cdrom] = devices(dashboard, id, "CDROM");
    const [disk] = devices(dashboard, id, "DISK");
    assert.ok(cdrom && disk && disk.order < cdrom.order, "the premise: the disk boots first");
    assert.equal((await send("boot", { device: String(cdrom.id) })).status, 303);
    assert.ok(cdrom.order < disk.order);
    assert.equal(
      devices(dashboard, id, "DISPLAY")[0]?.attributes.password,
      "display-secret",
      "nothing else changed",
    );
    const page = await text(fetch(`${dashboard.url}/vms/${id}/boot`));
    assert.ok(page.indexOf("Boot tank/vms/controlplane01-disk0 first") > 0, "now the disk can be put first");
    const gone = await send("boot", { device: "9999" });
    assert.equal(gone.status, 422);
    assert.match(gone.html, /This device no longer exists/);
  },
);

onEach("a device of a running VM is kept, with the NAS's error", async ({ dashboard, id, send }) => {
  const vm = dashboard.simulator.store.vms.get(id);
  assert.ok(vm);
  vm.state = "RUNNING";
  const [nic] = devices(dashboard, id, "NIC");
  const refused = await send("remove", { device: String(nic?.id) });
  assert.equal(refused.status, 422);
  assert.match(refused.html, /Please stop\/resume associated VM before deleting VM device/);
  assert.equal(devices(dashboard, id, "NIC").length, 1);
});

onEach(
  "a disk can be added although an earlier one left its zvol (fault 35)",
  async ({ dashboard, id, send }) => {
    const { store } = dashboard.simulator;
    const zvol = (n: number) => `tank/vms/controlplane01-disk${n}`;
    assert.equal((await send("disks", { size: "5" })).status, 303);
    const [, data] = devices(dashboard, id, "DISK");
    assert.equal((await send("remove", { device: String(data?.id) })).status, 303);
    assert.ok(store.datasets.has(zvol(1)), "the premise: the zvol was kept");
    const again = await send("disks", { size: "6" });
    assert.equal(again.status, 303, again.html);
    assert.deepEqual(
      devices(dashboard, id, "DISK").map(({ attributes }) => attributes.path),
      [`/dev/zvol/${zvol(0)}`, `/dev/zvol/${zvol(2)}`],
    );
    assert.equal(store.datasets.get(zvol(1))?.volsizeBytes, 5 * 1024 ** 3, "what was kept is as it was");
  },
);

onEach(
  "a new NIC gets an unused MAC, whichever NIC was removed before (fault 35)",
  async ({ dashboard, id, send }) => {
    assert.equal((await send("nics", { attach: "br1", mac: "" })).status, 303);
    const [first, second] = devices(dashboard, id, "NIC");
    assert.equal((await send("remove", { device: String(first?.id) })).status, 303);
    const again = await send("nics", { attach: "br0", mac: "" });
    assert.equal(again.status, 303, again.html);
    const macs = devices(dashboard, id, "NIC").map(({ attributes }) => attributes.mac);
    assert.deepEqual([macs.length, new Set(macs).size, macs[0]], [2, 2, second?.attributes.mac]);
    const { connection } = dashboard.manager;
    assert.ok(connection.state.kind === "live" && connection.state.nas.id !== null);
    const seed = { nasId: connection.state.nas.id, vm: "controlplane01", nic: "nic2" };
    assert.equal(macs[1], deriveMac(seed), "it depends on the NAS, as a plan's");
  },
);

onEach("PCI, USB and other devices are shown read-only (fault 35)", async ({ dashboard, id }) => {
  const { simulator, manager, url } = dashboard;
  const add = (attributes: Record<string, unknown> & { dtype: string }) => {
    const deviceId = ++simulator.store.lastDeviceId;
    simulator.store.devices.set(deviceId, { id: deviceId, vm: id, order: 1002, attributes });
    return deviceId;
  };
  const ids = [
    add({ dtype: "PCI", pptdev: "pci_0000_01_00_0" }),
    add({ dtype: "USB", usb: { vendor_id: "0x046d", product_id: "0xc52b" }, device: null }),
    add({ dtype: "USB", usb: null, device: "usb_1_1" }),
    add({ dtype: "TPM2", password: "hush" }),
  ];
  await manager.inventory.live.refreshNow(id);
  const page = await text(fetch(`${url}/vms/${id}`));
  for (
    const [kind, what] of [["PCI device", "pci_0000_01_00_0"], ["USB device", "0x046d:0xc52b"], [
      "USB device",
      "usb_1_1",
    ]]
  ) {
    assert.match(page, new RegExp(`<span class="line">${kind} ${what}</span>`));
  }
  assert.match(page, /<span class="line">TPM2<\/span>/);
  assert.ok(!page.includes("hush"));
  for (const device of ids) {
    assert.ok(!page.includes(`name="device" value="${device}"`), "nothing changes it");
  }
});

onEach(
  "a deleted image is reported on the VM's page, in the plan, and when the VM cannot start (fault 35)",
  async ({ dashboard, id, send }) => {
    const { simulator, manager, url } = dashboard;
    const path = "/mnt/tank/iso/debian.iso";
    const page = () => text(fetch(`${url}/vms/${id}`));
    assert.doesNotMatch(await page(), /data-missing-image/);
    simulator.store.files.delete(path);
    assert.match(
      await page(),
      /data-missing-image="\/mnt\/tank\/iso\/debian\.iso"[^]*Remove the install image from the VM, or put the file back/,
    );
    const { configuration } = dashboard.configuration();
    const types = [{ type: "controlplane", startPort: 5910 }];
    const [planned] = (await manager.planCreation({ configuration, types })).vms;
    assert.equal(planned?.action, "blocked");
    assert.match(
      planned?.reasons.join() ?? "",
      /image \/mnt\/tank\/iso\/debian\.iso of controlplane01 no longer exists/,
    );
    const act = async (action: "start" | "restart", state: string) => {
      const view = await manager.changes.act(action, [
        { action, id, name: "controlplane01", state, overcommit: false },
      ]).finished;
      return view.vms[0]?.message ?? "";
    };
    assert.match(
      await act("start", "STOPPED"),
      /^controlplane01 was not started because its image \/mnt\/tank\/iso\/debian\.iso no longer exists on the NAS; remove/,
    );
    addFile(simulator.store, path);
    await act("start", "STOPPED");
    simulator.store.files.delete(path);
    assert.match(await act("restart", "RUNNING"), /could not start again.*was not shut down/);
    assert.equal(simulator.store.vms.get(id)?.state, "RUNNING");
    await manager.changes.act("poweroff", [
      { action: "poweroff", id, name: "controlplane01", state: "RUNNING", overcommit: false },
    ]).finished;
    const [kept] = (await manager.planCreation({ configuration, types })).findings;
    assert.deepEqual([kept?.severity, kept?.vms, kept?.field], ["warning", [], "cdrom"]);
    await manager.inventory.live.refreshNow(id);
    const [cdrom] = devices(dashboard, id, "CDROM");
    assert.equal((await send("remove", { device: String(cdrom?.id) })).status, 303);
    assert.doesNotMatch(await page(), /data-missing-image/);
    assert.equal(await act("start", "STOPPED"), "Now running");
  },
);
