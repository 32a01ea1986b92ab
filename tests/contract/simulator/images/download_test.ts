/**
 * Protects the simulated NAS's way of giving files: who may have one, that it is given once and to whom it was promised, and
 * that a reader who goes away ends the job; and that an upload which breaks off leaves a shorter file and a job that succeeded.
 */
import assert from "node:assert/strict";
import { GIB, IMAGE, onReleases, RELEASES } from "../../../support/images/images_lab.ts";
import { qcow2Head } from "../../../../lib/simulator/images/disk_image.ts";
import { endedJob } from "../../../support/recorded_calls.ts";
import { postParts } from "../../../support/images/uploads.ts";
import { Peer } from "../../../support/peer.ts";

const addressOf = (url: string) => url.replace(/^ws/, "http");

onReleases(RELEASES, "the beginning of a file is read, and the job of the rest breaks", async (lab) => {
  const [id, path] = await lab.peer.result("core.download", "filesystem.get", [IMAGE], "head") as [
    number,
    string,
  ];
  const response = await fetch(addressOf(lab.simulator.url) + path);
  assert.equal(response.status, 200);
  const reader = response.body?.getReader();
  const { value } = await reader?.read() ?? {};
  assert.deepEqual(value?.slice(0, 72), qcow2Head(2 * GIB).slice(0, 72));
  await reader?.cancel();
  const job = await endedJob(lab.peer, id);
  assert.deepEqual([job.state, job.error], ["FAILED", "[Errno 32] Broken pipe"]);
  const again = await fetch(addressOf(lab.simulator.url) + path);
  assert.equal((await again.body?.cancel(), again.status), 401, "the token was for one use");
});

onReleases(["25.10"], "what is no file gives nothing, and only the job says why", async (lab) => {
  const [id, path] = await lab.peer.result(
    "core.download",
    "filesystem.get",
    ["/mnt/tank/images/none"],
    "x",
  ) as [
    number,
    string,
  ];
  const response = await fetch(addressOf(lab.simulator.url) + path);
  assert.deepEqual([response.status, (await response.bytes()).length], [200, 0]);
  assert.match((await endedJob(lab.peer, id)).error ?? "", /\/mnt\/tank\/images\/none is not a file$/);
});

onReleases(["25.10"], "only full administrators are given files", async ({ simulator }) => {
  const peer = new Peer(simulator.url);
  await peer.open();
  await peer.login("vmadmin", "truenas");
  const { error } = await peer.call("core.download", "filesystem.get", [IMAGE], "head");
  assert.match(JSON.stringify(error), /Not authorized/);
  await peer.close();
}, { accounts: [{ username: "vmadmin", password: "truenas", roles: ["VM_WRITE", "FILESYSTEM_DATA_READ"] }] });

onReleases(
  RELEASES,
  "an upload that breaks off leaves a part of the file and a job that succeeded",
  async (lab) => {
    const { simulator, peer } = lab;
    const target = "/mnt/tank/images/part.qcow2";
    simulator.addFault({ method: "filesystem.put", action: "cut", moment: "middle" });
    const token = await peer.result("auth.generate_token") as string;
    const data = JSON.stringify({ method: "filesystem.put", params: [target, {}] });
    const sent = postParts(
      simulator.url,
      [{ name: "data", content: data }, { name: "file", content: new Uint8Array(1_000_000) }],
      { authorization: `Token ${token}` },
    );
    await assert.rejects(sent);
    const jobs = await peer.result("core.get_jobs", [["method", "=", "filesystem.put"]]) as {
      state: string;
    }[];
    assert.deepEqual(jobs.map(({ state }) => state), ["SUCCESS"]);
    assert.ok((simulator.store.files.get(target)?.sizeBytes ?? 0) < 1_000_000);
  },
);
