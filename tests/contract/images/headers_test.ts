/**
 * Protects the NAS's other files: an image that somebody put there is used only when its header was read and names no other
 * file, also when it is changed after the plan.
 */
import assert from "node:assert/strict";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import { qcow2Head } from "../../../lib/simulator/images/disk_image.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addFile } from "../../../lib/simulator/store.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { RELEASES } from "../../support/images/images_lab.ts";
import { credentials, withLab } from "../../support/lab.ts";

const GIB = 1024 ** 3;
const PATH = "/mnt/tank/iso/debian.qcow2";

const { configuration } = parseConfigurationFile({
  text: `
storage: { pool_path: tank/vms }
images: { debian: { path: ${PATH} } }
web: { count: 1, memory: 256, cpu: 1, image: debian, disk: { root: 20 } }
`,
  source: "config.yaml",
});

/** A qcow2 header that names another file, which qemu-img reads as a part of the disk. */
function withBackingFile(): Uint8Array<ArrayBuffer> {
  const head = qcow2Head(2 * GIB);
  const view = new DataView(head.buffer, head.byteOffset);
  const name = new TextEncoder().encode("/etc/shadow");
  view.setBigUint64(8, BigInt(head.length - name.length));
  view.setUint32(16, name.length);
  head.set(name, head.length - name.length);
  return head;
}

function isConverted({ calls }: Simulator): boolean {
  return calls.some(({ method }) => /convert|import_disk_image/.test(method));
}

for (const version of RELEASES) {
  Deno.test(`an image that names another file is refused in the plan (${version})`, () =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      addFile(simulator.store, PATH, { head: withBackingFile() });
      const { findings, vms } = await manager.operations.planCreation({ configuration });
      const [found] = findings.filter(({ severity }) => severity === "error");
      assert.equal(found?.field, "web.image");
      assert.match(found?.message ?? "", /debian\.qcow2 cannot be used as the image debian: .*file/);
      assert.equal(vms[0]?.action, "blocked");
    }));

  Deno.test(`an image that is changed after the plan is not converted (${version})`, () =>
    withLab({ simulator: { version } }, async ({ simulator, manager }) => {
      const good = qcow2Head(2 * GIB);
      addFile(simulator.store, PATH, { head: good });
      const result = await manager.operations.create({ configuration }, {
        observer: ({ type }) => {
          if (type !== "started") return;
          const bad = new Uint8Array(good.length);
          bad.set(withBackingFile().subarray(0, good.length));
          addFile(simulator.store, PATH, { head: bad });
        },
      });
      assert.equal(result.status, "failed");
      assert.match(result.vms[0]?.message ?? "", /cannot be used as the image debian/);
      assert.equal(isConverted(simulator), false);
      const ours = [...simulator.store.datasets.keys()].filter((name) => /debian-|web01/.test(name));
      assert.deepEqual(ours, [], "nothing is left");
    }));
}

const MAKER = {
  username: "maker",
  password: "secret",
  roles: ["VM_DEVICE_WRITE", "DATASET_WRITE", "DATASET_DELETE", "FILESYSTEM_ATTRS_READ", "SNAPSHOT_WRITE"],
};

Deno.test("an account that may not read files learns what to do, and uses what was converted before", async () => {
  await using simulator = await startSimulator({ version: "27.0", times: TEST_TIMES, accounts: [MAKER] });
  addFile(simulator.store, PATH, { head: qcow2Head(2 * GIB) });
  const account = { ...credentials(simulator), username: "maker", password: "secret" };
  await using maker = new VMManager(account);
  await maker.connect();
  const { findings } = await maker.operations.planCreation({ configuration });
  const [found] = findings.filter(({ severity }) => severity === "error");
  assert.match(found?.message ?? "", /was never checked, .* only a full administrator may read files/);
  assert.match(
    found?.message ?? "",
    /Let a full administrator create the first VM from it, or give the image a url/,
  );
  await using admin = new VMManager(credentials(simulator));
  await admin.connect();
  assert.equal((await admin.operations.create({ configuration })).status, "done");
  const more = {
    ...configuration,
    types: { web: { ...configuration.types.web, count: 2 } },
  } as typeof configuration;
  assert.equal((await maker.operations.create({ configuration: more })).status, "done");
});
