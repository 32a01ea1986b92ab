/**
 * Protects the way of an image that needs no full administrator: the NAS fetches it from this program, from an address that is
 * gone afterwards, and what fetched nothing is noticed.
 */
import assert from "node:assert/strict";
import { offeringOn } from "../../../lib/images/offering/offering.ts";
import { pathServerWhenNeeded } from "../../../lib/secret_paths/path_server.ts";
import type { OperationView } from "../../../lib/operations/types.ts";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { VMManager } from "../../../lib/vm_manager.ts";
import type { VMManagerOptions } from "../../../lib/vm_manager_options.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { fileDatasets, qcow2, sha256Of, storedDigest } from "../../support/images/fetched_images.ts";
import { addImageMaker } from "../../support/images/image_maker.ts";
import { serveImages } from "../../support/images/image_server.ts";
import { RELEASES } from "../../support/images/images_lab.ts";
import { credentials } from "../../support/lab.ts";
import { withFolder } from "../../support/program/program.ts";

const BYTES = qcow2();
const SHA256 = sha256Of(BYTES);
const DATASET = "tank/images";
const PATH = "/mnt/tank/images/files-debian/debian.qcow2";

interface Pulling {
  readonly simulator: Simulator;
  readonly manager: VMManager;
  readonly add: (sha256?: string, signal?: AbortSignal) => Promise<OperationView>;
}

async function withMaker(
  version: typeof RELEASES[number],
  test: (lab: Pulling) => Promise<void>,
  { without = [], ...options }: Partial<VMManagerOptions> & { readonly without?: readonly string[] } = {},
): Promise<void> {
  await withFolder("", async (folder) => {
    await using server = serveImages({ files: { "debian.qcow2": BYTES } });
    await using simulator = await startSimulator({ version, times: TEST_TIMES, multipartBytes: 100_000 });
    await using paths = pathServerWhenNeeded({ host: "127.0.0.1", port: 0 });
    const offering = offeringOn(paths, folder);
    const account = addImageMaker(simulator, without);
    await using manager = new VMManager({ ...credentials(simulator), ...account, offering, ...options });
    await manager.connect();
    const image = { dataset: DATASET, name: "debian", url: `${server.url}debian.qcow2` };
    const add = async (sha256 = SHA256, signal?: AbortSignal) => {
      const running = await manager.images.add({ ...image, sha256 }, signal === undefined ? {} : { signal });
      return await running.finished;
    };
    await test({ simulator, manager, add });
  });
}

for (const version of RELEASES) {
  Deno.test(`the NAS fetches an image without a full administrator (${version})`, () =>
    withMaker(version, async ({ simulator, manager, add }) => {
      const { chosen, choices } = await manager.images.ways(DATASET);
      assert.deepEqual([chosen?.way, chosen?.why], [
        "pull",
        "the account may let the NAS fetch files (CLOUD_SYNC_WRITE)",
      ]);
      const upload = choices.find(({ way }) => way === "upload");
      assert.equal(upload?.why, "only full administrators may upload files, and the account is not one");
      const view = await add();
      assert.equal(view.status, "done", JSON.stringify(view.vms));
      assert.equal(storedDigest(simulator, PATH), SHA256);
      assert.equal(simulator.store.cloudCredentials.size, 0, "the credentials are removed");
      const [created] = simulator.calls.filter(({ method }) => method === "cloudsync.credentials.create");
      const address = /http:[^"]+/.exec(JSON.stringify(created?.params))?.[0] ?? "";
      await assert.rejects(
        fetch(`${address}debian.qcow2`).then(async (response) => {
          await response.body?.cancel();
          if (!response.ok) throw new Error(String(response.status));
        }),
        "the address is gone",
      );
    }));

  Deno.test(`a file with another digest is never offered to the NAS (${version})`, () =>
    withMaker(version, async ({ simulator, add }) => {
      const view = await add("0".repeat(64));
      assert.match(view.vms[0]?.message ?? "", /does not have the expected SHA-256/);
      assert.deepEqual(fileDatasets(simulator), []);
      assert.equal(simulator.calls.some(({ method }) => method.startsWith("cloudsync.")), false);
    }));
}

Deno.test("a fetch that succeeds without having fetched anything is noticed", () =>
  withMaker("25.10", async ({ simulator, add }) => {
    simulator.addFault({ method: "cloudsync.sync_onetime", action: "answer", result: 77 });
    simulator.addFault({
      method: "core.get_jobs",
      times: Infinity,
      matches: (params) => JSON.stringify(params) === '[[["id","=",77]]]',
      action: "answer",
      result: [{ id: 77, method: "cloudsync.sync_onetime", state: "SUCCESS", error: null }],
    });
    const view = await add();
    assert.equal(view.status, "failed");
    assert.match(view.vms[0]?.message ?? "", /debian\.qcow2 is not there, and 350000 bytes were sent/);
    assert.deepEqual(fileDatasets(simulator), []);
    assert.equal(simulator.store.cloudCredentials.size, 0);
  }));

Deno.test("an account without any way is told what it lacks, and what to do", async () => {
  await withMaker("27.0", async ({ simulator, add }) => {
    const view = await add();
    assert.match(
      view.vms[0]?.message ?? "",
      /only full administrators may upload files, .*; the account does not have the role CLOUD_SYNC_WRITE\. Put the file on the NAS/,
    );
    assert.deepEqual(fileDatasets(simulator), []);
  }, { without: ["CLOUD_SYNC_WRITE"] });
});
