/**
 * Protects changes to one VM on its page: every change reaches the NAS, mistakes and NAS errors are shown at their
 * field with the entries kept, a disk never shrinks, a zvol is destroyed only with a phrase, and hostile text stays
 * text. Over real HTTP, on two releases.
 */
import assert from "node:assert/strict";
import { isMarked } from "../../../lib/inventory/marks.ts";
import { deriveMac } from "../../../lib/inventory/names.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { startDashboard, type TestDashboard } from "../../support/dashboard.ts";
import { post, text } from "../../support/http.ts";

interface Lab {
  readonly dashboard: TestDashboard;
  readonly version: SimulatedVersion;
  /** Of a VM made here, stopped, with one disk and one NIC. */
  readonly id: number;
  /** Sends a form of the VM's page; the status, and the page when it comes back. */
  readonly send: (form: string, fields: Record<string, string>) => Promise<{ status: number; html: string }>;
}

function onEach(
  name: string,
  test: (lab: Lab) => Promise<void>,
  versions: readonly SimulatedVersion[] = ["25.10", "27.0"],
): void {
  for (const version of versions) {
    Deno.test(`${name} (${version})`, async () => {
      await using dashboard = await startDashboard({ simulator: { version, foreignVms: 1 } });
      const { configuration } = dashboard.configuration();
      await dashboard.manager.create(
        {
          configuration: { ...configuration, controlplane: { ...configuration.controlplane, start: false } },
          types: [{ type: "controlplane", startPort: 5910 }],
        } as Parameters<typeof dashboard.manager.create>[0],
      );
      const vm = [...dashboard.simulator.store.vms.values()].find(({ config }) =>
        config.name === "controlplane01"
      );
      const id = vm?.id ?? assert.fail("it is there");
      dashboard.manager.inventory.live.refresh(id);
      // The disk is the last that is made of it: a reading from before would name the next one wrongly.
      while (
        !dashboard.manager.inventory.live.snapshot.vms?.some((it) => it.id === id && it.disks.length === 1)
      ) {
        await new Promise<void>((resolve) => {
          const forget = dashboard.manager.inventory.live.onChange(() => (forget(), resolve()));
        });
      }
      const send: Lab["send"] = async (form, fields) => {
        const response = await post(dashboard, `/vms/${id}/${form}`, fields);
        return { status: response.status, html: await response.text() };
      };
      await test({ dashboard, version, id, send });
    });
  }
}

const SETTINGS = { name: "controlplane01", cpu: "4", memory: "3072", description: "lab", autostart: "no" };

onEach(
  "the page confirms a saved change, and says when it takes effect only at the next start (fault 36)",
  async ({ dashboard, id }) => {
    const save = async (fields: Record<string, string>) => {
      const answer = await post(dashboard, `/vms/${id}/settings`, {
        ...SETTINGS,
        ...fields,
        shown: await shown(),
      });
      await answer.body?.cancel();
      assert.equal(answer.status, 303);
      return await text(fetch(dashboard.url + answer.headers.get("location")));
    };
    const shown = async () =>
      /name="shown" value="([^"]*)"/.exec(await text(fetch(`${dashboard.url}/vms/${id}`)))?.[1] ?? "";
    const stopped = await save({ memory: "1024" });
    assert.match(stopped, /Settings saved/);
    assert.doesNotMatch(stopped, /the next time/, "it does not run");
    const start = {
      action: "start" as const,
      id,
      name: "controlplane01",
      state: "STOPPED",
      overcommit: false,
    };
    await dashboard.manager.changes.act("start", [start]).finished;
    await dashboard.manager.inventory.live.ready(10_000);
    const described = await save({ memory: "1024", description: "other" });
    assert.match(described, /Settings saved/);
    assert.doesNotMatch(described, /the next time/, "a description applies at once");
    const grown = await save({ memory: "2048", description: "other" });
    assert.match(grown, /the new vCPUs and memory take effect at its next start/);
    const page = await text(fetch(`${dashboard.url}/vms/${id}?saved=nothing`));
    assert.doesNotMatch(page, /were saved/, "only what was done is said");
  },
);

function devices({ simulator }: TestDashboard, id: number, dtype: string) {
  return [...simulator.store.devices.values()].filter(({ vm, attributes }) =>
    vm === id && attributes.dtype === dtype
  );
}

onEach(
  "settings are changed, the mark is kept, and mistakes appear at their fields",
  async ({ dashboard, id, send }) => {
    const vm = dashboard.simulator.store.vms.get(id);
    assert.equal((await send("settings", { ...SETTINGS, memory: "3 GiB" })).status, 303);
    const { cores, memory, description, autostart } = vm?.config ?? assert.fail();
    assert.deepEqual([cores, memory, autostart], [4, 3072, false]);
    assert.ok(isMarked(String(description)), "it stays known as made here");
    const wrong = await send("settings", { ...SETTINGS, name: "no-hyphens", cpu: "0", memory: "x" });
    assert.equal(wrong.status, 422);
    for (const field of ["settings.name", "settings.cpu", "settings.memory"]) {
      assert.match(wrong.html, new RegExp(`data-error="${field}"`));
    }
    assert.match(wrong.html, /value="no-hyphens"/, "what was typed is kept");
    const taken = await send("settings", { ...SETTINGS, name: "homeassistant" });
    assert.match(
      taken.html,
      /data-error="settings\.name"[^<]*>Another VM already has this name; choose another name \(TrueNAS: /,
      "at the field, in our words beside the NAS's",
    );
  },
);

onEach(
  "a VM that never started is renamed, and its page says so, whatever the NAS answers (fault 42)",
  async ({ dashboard, id, version, send }) => {
    const { status, html } = await send("settings", { ...SETTINGS, name: "etcd_a" });
    assert.equal(status, 303, html);
    assert.equal(dashboard.simulator.store.vms.get(id)?.config.name, "etcd_a");
    const update = dashboard.simulator.calls.find(({ method }) => method === "vm.update");
    assert.ok(update?.answer !== undefined);
    const isAnsweredWell = "result" in update.answer;
    assert.equal(isAnsweredWell, version === "27.0", "the premise: older releases answer with an error");
    const [change] = dashboard.manager.operations.store.list();
    assert.deepEqual([change?.status, change?.vms[0]?.outcome], ["done", "done"]);
    assert.match(change?.vms[0]?.message ?? "", /^Settings changed/);
    assert.match(await text(fetch(`${dashboard.url}/vms/${id}`)), /<h1 dir="auto">etcd_a<\/h1>/);
    assert.match(await text(fetch(dashboard.url)), /data-vm="etcd_a"/);
  },
  ["25.04.2", "25.10", "27.0"],
);

onEach(
  "a running VM is not renamed, and its page says what to do (fault 42)",
  async ({ dashboard, id, send }) => {
    const vm = dashboard.simulator.store.vms.get(id);
    assert.ok(vm);
    await dashboard.manager.changes.act("start", [
      { action: "start", id, name: "controlplane01", state: "STOPPED", overcommit: false },
    ]).finished;
    await dashboard.manager.inventory.live.refreshNow(id);
    const { status, html } = await send("settings", { ...SETTINGS, name: "etcd_a" });
    assert.equal(status, 422);
    assert.match(html, /data-error="settings\.name"[^<]*>Only a stopped VM can be renamed/);
    assert.equal(vm.config.name, "controlplane01");
  },
);

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
    const rest = await send("remove", { device: String(root.id), zvol: "yes", phrase: "destroy 1 zvol" });
    assert.equal(rest.status, 303);
    assert.ok(!store.datasets.has("tank/vms/controlplane01-disk0"));
    const huge = await send("disks", { size: "60000" });
    assert.match(
      huge.html,
      /data-error="disks\.size"[^<]*>The pool does not have enough free space for this zvol; [^<]*use more than 80%/,
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

onEach(
  "settings changed elsewhere in the meantime are not overwritten",
  async ({ dashboard, id, send }) => {
    const page = await text(fetch(`${dashboard.url}/vms/${id}`));
    const [, shown = ""] = /name="shown" value="([^"]+)"/.exec(page) ?? [];
    assert.ok(shown !== "");
    const elsewhere = await send("settings", { ...SETTINGS, memory: "4096", shown });
    assert.equal(elsewhere.status, 303);
    const late = await send("settings", { ...SETTINGS, memory: "1024", shown });
    assert.equal(late.status, 422);
    assert.match(late.html, /The settings were changed elsewhere after you opened this page/);
    assert.match(late.html, /value="1024"/, "what was typed is kept");
    assert.equal(dashboard.simulator.store.vms.get(id)?.config.memory, 4096);
    const [, anew = ""] = /name="shown" value="([^"]+)"/.exec(late.html) ?? [];
    assert.equal((await send("settings", { ...SETTINGS, memory: "1024", shown: anew })).status, 303);
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

onEach("a VM is cloned under a new name", async ({ dashboard, send }) => {
  assert.equal((await send("clone", { name: "copy01" })).status, 303);
  assert.ok([...dashboard.simulator.store.vms.values()].some(({ config }) => config.name === "copy01"));
  assert.match(
    (await send("clone", { name: "copy01" })).html,
    /data-error="clone\.name"[^<]*>Another VM already has this name; [^<]*This name already exists/,
  );
});

onEach(
  "a clone created here is marked, whoever created the original (fault 4)",
  async ({ dashboard, send }) => {
    const { manager, simulator, url } = dashboard;
    assert.equal((await send("clone", { name: "copy01" })).status, 303);
    const foreign = [...simulator.store.vms.values()].find(({ config }) => config.name === "homeassistant");
    const copied = await post(dashboard, `/vms/${foreign?.id}/clone`, { name: "copy02" });
    assert.equal(copied.status, 303, await copied.text());
    const plan = await manager.planDestruction({ prefixes: [], names: ["copy01", "copy02"] });
    assert.deepEqual(plan.vms.map(({ name, marks }) => ({ name, ...marks })), [
      { name: "copy01", description: true, zvols: "all", journal: true },
      { name: "copy02", description: true, zvols: "all", journal: true },
    ]);
    assert.equal(foreign?.config.description, "", "the original is as it was");
    for (const { name, userProperties } of simulator.store.datasets.values()) {
      if (name.includes("homeassistant") && !name.includes("copy")) {
        assert.deepEqual(
          userProperties,
          {},
          name,
        );
      }
    }
    assert.match(
      await text(fetch(`${url}/vms/${plan.vms[0]?.id}/destroy`)),
      /Type “destroy 1 vm” to confirm/,
    );
  },
);

onEach(
  "a clone that cannot be marked is kept, and the consequences are reported (fault 4)",
  async (lab) => {
    const { dashboard, send } = lab;
    dashboard.simulator.addFault({ method: "pool.dataset.update", action: "fail" });
    assert.equal((await send("clone", { name: "copy01" })).status, 303);
    const [clone] = dashboard.manager.operations.store.list();
    assert.equal(clone?.status, "done");
    assert.match(
      clone?.vms[0]?.message ?? "",
      /^Cloned as copy01, but marking it as created here failed/,
    );
  },
);

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
    simulator.store.files.add(path);
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

onEach("markup, emoji, right-to-left and very long text stay text", async ({ dashboard, id, send }) => {
  const hostile = `<script>alert(1)</script>"'&<img src=x onerror=alert(2)> 🧊 \u202Eevil ${"x".repeat(700)}`;
  assert.equal((await send("settings", { ...SETTINGS, description: hostile })).status, 303);
  const page = await text(fetch(`${dashboard.url}/vms/${id}`));
  assert.ok(!page.includes("<script>alert") && !page.includes("<img src=x"));
  assert.match(page, /&lt;script&gt;alert\(1\)/);
  const long = await send("settings", { ...SETTINGS, description: "x".repeat(10_000) });
  assert.equal(long.status, 422);
  assert.match(
    long.html,
    /data-error="settings\.description"[^<]*>The description has 10000 characters. Shorten it to 900/,
  );
});

onEach(
  "a running VM has a web console, and every VM a file for remote-viewer",
  async ({ dashboard, id }) => {
    const { url } = dashboard;
    const web = await fetch(`${url}/vms/${id}/console/nas`, { redirect: "manual" });
    await web.body?.cancel();
    assert.equal(web.status, 303);
    assert.match(
      web.headers.get("location") ?? "",
      /^http:\/\/192\.168\.1\.10\/vm\/display\/\d+\/spice_auto\.html/,
    );
    const viewer = await fetch(`${url}/vms/${id}/console.vv`);
    assert.equal(viewer.headers.get("content-type"), "application/x-virt-viewer");
    assert.equal(
      await viewer.text(),
      "[virt-viewer]\ntype=spice\nhost=192.168.1.10\nport=5910\ntitle=controlplane01\n",
    );
  },
);
