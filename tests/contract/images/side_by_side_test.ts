/**
 * Protects images while several operations run: two creations from one image make one golden zvol, and a creation without
 * images does not wait for a conversion.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { repeatedly } from "../../support/deadline.ts";
import { withLab } from "../../support/lab.ts";

const TYPE = "{ count: 1, memory: 256, cpu: 1, network: { lan: br0 }, disk: { root: 20 } }";
const TEXT = `
storage: { pool_path: tank/vms, cdrom_path: /mnt/tank/iso/talos.iso }
images: { debian: { path: /mnt/tank/iso/debian.qcow2 } }
web: ${TYPE.replace("{ ", "{ image: debian, ")}
db: ${TYPE.replace("{ ", "{ image: debian, ")}
empty: ${TYPE}
`;
const { configuration } = parseConfigurationFile({ text: TEXT, source: "config.yaml" });

for (const version of ["25.10", "27.0"] as const) {
  Deno.test(`an image is converted once for two creations, and others do not wait for it (${version})`, () =>
    withLab({ simulator: { version } }, async ({ simulator, manager: { operations } }) => {
      addFile(simulator.store, "/mnt/tank/iso/debian.qcow2", {
        sizeBytes: 300 * 1024 ** 2,
        head: qcow2Head(2 * 1024 ** 3),
      });
      const { promise: until, resolve: release } = Promise.withResolvers<void>();
      using _released = { [Symbol.dispose]: release };
      simulator.addFault({ method: "vm.device.convert", action: "hold", until });
      const create = (type: string, startPort: number) =>
        operations.create({ configuration, types: [{ type, startPort }] });
      const first = create("web", 5910);
      const converts = () => simulator.calls.filter(({ method }) => method === "vm.device.convert").length;
      await repeatedly("it is being converted", () => Promise.resolve(converts() > 0 || null));
      const second = create("db", 5910);
      const [empty] = (await create("empty", 5910)).vms;
      assert.equal(empty?.outcome, "created", empty?.message ?? "");
      assert.deepEqual(operations.claiming.map(({ view }) => view.vms[0]?.name), ["web01"]);
      release();
      assert.deepEqual([(await first).status, (await second).status], ["done", "done"]);
      assert.equal(converts(), 1);
      const clones = simulator.calls.filter(({ method }) => method.endsWith(".snapshot.clone"));
      assert.equal(clones.length, 2);
    }));
}
