/** Protects what the simulated NAS fetches itself with cloudsync.sync_onetime: rclone's habits, and what they cost. */
import assert from "node:assert/strict";
import { addDataset } from "../../../../lib/simulator/store.ts";
import { type ImagesLab, onReleases, RELEASES } from "../../../support/images/images_lab.ts";
import { serveImages } from "../../../support/images/image_server.ts";
import { endedJob, type JobRow } from "../../../support/recorded_calls.ts";

const PATH = "/mnt/tank/images";
const FILE = new Uint8Array(300_000).fill(7);

async function credentials({ peer, version }: ImagesLab, url: string): Promise<number> {
  const given = version === "24.10"
    ? { name: "ours", provider: "HTTP", attributes: { url } }
    : { name: "ours", provider: { type: "HTTP", url } };
  const { id } = await peer.result("cloudsync.credentials.create", given) as { id: number };
  return id;
}

async function pull(lab: ImagesLab, url: string, task: Readonly<Record<string, unknown>>): Promise<JobRow> {
  const id = await credentials(lab, url);
  const job = await lab.peer.result("cloudsync.sync_onetime", {
    path: PATH,
    credentials: id,
    direction: "PULL",
    transfer_mode: "COPY",
    attributes: { folder: "" },
    ...task,
  }, {});
  const ended = await endedJob(lab.peer, Number(job));
  await lab.peer.result("cloudsync.credentials.delete", id);
  return ended;
}

onReleases(RELEASES, "a pull brings the wanted file alone, whole", async (lab) => {
  await using server = serveImages({ files: { "a.qcow2": FILE, "b.qcow2": FILE } });
  const { state, progress, logs_path: log } = await pull(lab, server.url, { include: ["a.qcow2"] });
  assert.deepEqual([state, log === null], ["SUCCESS", false]);
  assert.match(progress.description, /^1 \/ 1, 292\.969 KiB \/ 292\.969 KiB/);
  const { files } = lab.simulator.store;
  assert.equal(files.get(`${PATH}/a.qcow2`)?.sizeBytes, FILE.length);
  assert.ok(!files.has(`${PATH}/b.qcow2`));
});

onReleases(RELEASES, "a pull that found nothing ends in success too", async (lab) => {
  await using server = serveImages({ files: { "a.qcow2": FILE } });
  const { state, progress } = await pull(lab, server.url, { include: ["none.qcow2"] });
  assert.deepEqual([state, progress.description], ["SUCCESS", "Starting"]);
  assert.ok(!lab.simulator.store.files.has(`${PATH}/none.qcow2`));
});

onReleases(
  ["25.10", "27.0"],
  "a large file comes in parts, and a server that ignores Range fails it",
  async (lab) => {
    await using server = serveImages({ files: { "a.qcow2": FILE }, ignoresRange: () => true });
    const { state, error } = await pull(lab, server.url, { include: ["a.qcow2"] });
    assert.equal(state, "FAILED");
    assert.match(error ?? "", /multipart copy: wrote 300000 bytes but expected to write 150000/);
    assert.ok(!lab.simulator.store.files.has(`${PATH}/a.qcow2`));
    await using better = serveImages({ files: { "a.qcow2": FILE } });
    assert.equal((await pull(lab, better.url, { include: ["a.qcow2"] })).state, "SUCCESS");
    assert.deepEqual(better.ranges, ["bytes=0-149999", "bytes=150000-299999"]);
  },
  { multipartBytes: 100_000 },
);

onReleases(RELEASES, "a pull can be aborted in the middle and leaves no file", async (lab) => {
  const rest = Promise.withResolvers<void>();
  await using server = serveImages({ files: { "a.qcow2": FILE }, pause: () => rest.promise });
  const id = await credentials(lab, server.url);
  const task = { direction: "PULL", transfer_mode: "COPY", attributes: { folder: "" }, include: ["a.qcow2"] };
  const job = await lab.peer.result("cloudsync.sync_onetime", { path: PATH, credentials: id, ...task }, {});
  const row = async () => {
    const [found] = await lab.peer.result("core.get_jobs", [["id", "=", job]]) as JobRow[];
    return found;
  };
  while (!(await row())?.progress.description.startsWith("0 / 1"));
  await lab.peer.result("core.job_abort", job);
  assert.equal((await row())?.state, "ABORTED");
  rest.resolve();
  assert.ok(!lab.simulator.store.files.has(`${PATH}/a.qcow2`));
});

onReleases(
  ["25.10"],
  "a pull into a read-only dataset, or from a server that is gone, fails in the job",
  async (lab) => {
    addDataset(lab.simulator.store, { name: "tank/frozen", type: "FILESYSTEM", isReadonly: true });
    await using server = serveImages({ files: { "a.qcow2": FILE } });
    const frozen = await pull(lab, server.url, { path: "/mnt/tank/frozen", include: ["a.qcow2"] });
    assert.match(frozen.error ?? "", /read-only file system/);
    assert.equal((await pull(lab, "http://127.0.0.1:1/", { include: ["a.qcow2"] })).state, "FAILED");
  },
);
