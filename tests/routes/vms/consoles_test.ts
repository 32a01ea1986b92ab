/**
 * Protects people who open a console: its link leads to the NAS as browsers reach it, and not to the reader's own
 * machine when the dashboard uses a socket or a tunnel. Over real HTTP.
 */
import assert from "node:assert/strict";
import type { TestDashboard } from "../../support/pages/dashboard.ts";
import { text, withDashboard } from "../../support/pages/http.ts";
import { onEach } from "../../support/pages/vm_forms.ts";

/** A VM with a display, and what its two console links lead to. */
async function consoles({ url, simulator, manager }: TestDashboard, bind = "0.0.0.0") {
  const display = [...simulator.store.devices.values()].find(({ attributes }) =>
    attributes.dtype === "DISPLAY"
  );
  assert.ok(display, "a VM has a display");
  display.attributes.bind = bind;
  await manager.inventory.live.refreshNow(display.vm);
  const web = await fetch(`${url}/vms/${display.vm}/console/nas`, { redirect: "manual" });
  const viewer = await fetch(`${url}/vms/${display.vm}/console.vv`);
  return {
    web: URL.parse(web.headers.get("location") ?? "")?.origin ?? null,
    said: await web.text(),
    viewer: /^host=(.*)$/m.exec(await viewer.clone().text())?.[1] ?? null,
    refused: viewer.status === 409 ? await viewer.text() : (await viewer.body?.cancel(), null),
  };
}

const MAKER = { username: "vm", password: "vm-pw", roles: ["VM_DEVICE_WRITE"] };

Deno.test("behind a tunnel, consoles lead to the address that the NAS reports (fault 24)", () =>
  withDashboard({ simulator: { foreignVms: 3 } }, async (dashboard) => {
    const { web, viewer } = await consoles(dashboard);
    assert.deepEqual({ web, viewer }, { web: "http://192.168.1.10", viewer: "192.168.1.10" });
    const page = await text(fetch(`${dashboard.url}/connection`));
    assert.match(
      page,
      /Console host<\/dt><dd><code>192\.168\.1\.10<\/code> <span class="soft">from the NAS itself/,
    );
  }));

Deno.test("over a socket, consoles lead to the address that the NAS reports (fault 24)", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const unixPath = `${folder}/nas.sock`;
    await withDashboard(
      { simulator: { foreignVms: 3, unixPath }, manager: { host: `unix:${unixPath}` } },
      async (dashboard) => {
        const { web, viewer } = await consoles(dashboard);
        assert.deepEqual({ web, viewer }, { web: "http://192.168.1.10", viewer: "192.168.1.10" });
      },
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("NAS_PUBLIC_HOST sets the host of consoles, with port and scheme for the web page (fault 24)", async () => {
  for (
    const [publicHost, where] of [
      ["nas.lan:444", "http://nas.lan:444"],
      ["https://nas.lan", "https://nas.lan"],
    ] as const
  ) {
    await withDashboard({ simulator: { foreignVms: 3 }, manager: { publicHost } }, async (dashboard) => {
      const { web, viewer } = await consoles(dashboard);
      assert.deepEqual({ web, viewer }, { web: where, viewer: "nas.lan" });
    });
  }
});

Deno.test("if it is unknown how browsers reach the NAS, the console page says what to set (fault 24)", () =>
  withDashboard({ simulator: { foreignVms: 3, accounts: [MAKER] }, manager: MAKER }, async (dashboard) => {
    const { web, said, viewer, refused } = await consoles(dashboard);
    assert.deepEqual({ web, viewer }, { web: null, viewer: null });
    for (const page of [said, refused ?? ""]) {
      assert.match(page, /Set NAS_PUBLIC_HOST to the name or address/);
    }
    assert.match(await text(fetch(`${dashboard.url}/connection`)), /Unknown\. Set NAS_PUBLIC_HOST/);
  }));

Deno.test("a viewer is not sent to a display that listens on the NAS's own loopback (fault 24)", () =>
  withDashboard({ simulator: { foreignVms: 3 } }, async (dashboard) => {
    const { viewer, refused } = await consoles(dashboard, "127.0.0.1");
    assert.equal(viewer, null);
    assert.match(refused ?? "", /The display listens only on 127\.0\.0\.1 of the NAS/);
    assert.equal((await consoles(dashboard, "192.168.1.10")).viewer, "192.168.1.10");
  }));

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
