/** Protects the exports as scripts and people fetch them: the list's own filters, each format, and what is not there. */
import assert from "node:assert/strict";
import { text, withDashboard } from "../support/http.ts";

Deno.test("GET /export gives the VMs of the list in each format, to look at and to download", () =>
  withDashboard(
    { simulator: { version: "27.0", foreignVms: 2 } },
    async ({ url, manager, configuration }) => {
      const { configuration: config } = configuration();
      const before = await text(fetch(`${url}/export?planned=yes&type=worker&format=csv`));
      await manager.createVmType(config, "worker", 5920);
      while (manager.live.snapshot.vms?.filter(({ nics }) => nics.length === 2).length !== 3) {
        await new Promise<void>((resolve) => {
          const forget = manager.live.onChange(() => (forget(), resolve()));
        });
      }
      const after = await text(fetch(`${url}/export?type=worker&format=csv`));
      assert.equal(after, before, "the MACs before creation are those after it");
      assert.equal(after.trim().split("\r\n").length, 1 + 3 * 2);
      for (const format of ["csv", "json", "dnsmasq", "isc", "ansible", "talos"]) {
        const response = await fetch(`${url}/export?type=worker&format=${format}&download=1`);
        assert.match(response.headers.get("content-disposition") ?? "", /^attachment; filename="[\w.-]+"$/);
        assert.match(await response.text(), /worker03/);
      }
      const page = await text(fetch(`${url}/export?type=worker`));
      assert.match(page, /data-copy="text-talos"/);
      assert.match(page, /hardwareAddr: 02:/);
      const unknown = await fetch(`${url}/export?format=xml`);
      assert.equal(unknown.status, 422);
      assert.match(
        await unknown.text(),
        /There is no format "xml"; there are csv, json, dnsmasq, isc, ansible, talos/,
      );
    },
  ));
