/**
 * Protects images with an address against everything that can happen to the calls: each call of fetching one, and of creating
 * two VMs from one, is refused, loses its connection, or meets a NAS that restarts; and the program is killed at each.
 * Afterwards the file is whole and marked so, or nothing of it is left.
 */
import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { fileURLToPath } from "node:url";
import { FILE_PROPERTIES } from "../../lib/images/acquiring/image_files.ts";
import { offeringOn } from "../../lib/images/offering/offering.ts";
import { pathServerWhenNeeded } from "../../lib/secret_paths/path_server.ts";
import { Journal } from "../../lib/operations/record/journal.ts";
import type { OperationView } from "../../lib/operations/types.ts";
import type { Simulator } from "../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../lib/simulator/types.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import type { VMManagerOptions } from "../../lib/vm_manager_options.ts";
import { fileDatasets, PART_BYTES, qcow2, sha256Of, storedDigest } from "../support/images/fetched_images.ts";
import { addImageMaker } from "../support/images/image_maker.ts";
import { type ImageServer, serveImages } from "../support/images/image_server.ts";
import { RELEASES } from "../support/images/images_lab.ts";
import { fetchedConfiguration, newImage } from "./support/fetched_configuration.ts";
import { connect, startNas } from "./support/lab.ts";
import { killAtPoint, type Point, strike, sweep } from "./support/points.ts";

const BYTES = qcow2();
const SHA256 = sha256Of(BYTES);
const PATH = "/mnt/tank/images/files-debian/debian.qcow2";
const CHILD = fileURLToPath(new URL("./support/fetch_child.ts", import.meta.url));
const NEVER: Omit<Point, "version"> = { action: "fail", moment: "before", nth: Infinity };
const WORK = ["add", "pull", "create"] as const;

interface Bench {
  readonly server: ImageServer;
  readonly url: string;
}

function serve(): Bench {
  const server = serveImages({ files: { "debian.qcow2": BYTES } });
  return { server, url: `${server.url}debian.qcow2` };
}

async function nas(version: SimulatedVersion): Promise<Simulator> {
  const simulator = await startNas(version);
  addImageMaker(simulator);
  simulator.setTimes({ convertMs: 10, deviceMs: 2 });
  return simulator;
}

async function work(
  manager: VMManager,
  what: typeof WORK[number],
  url: string,
): Promise<OperationView | null> {
  try {
    return what !== "create"
      ? await (await manager.images.add(newImage(url, SHA256))).finished
      : (await manager.operations.create({ configuration: fetchedConfiguration(url, SHA256) })).operation;
  } catch (error) {
    // A run whose first reading is struck sends nothing and says so by an error.
    assert.match(String(error), /TrueNAS\w*Error/);
    return null;
  }
}

async function count(version: SimulatedVersion, what: typeof WORK[number]): Promise<number> {
  const { server, url } = serve();
  await using _server = server;
  await using simulator = await nas(version);
  await using manager = await connect(simulator, options(what));
  const { seen } = strike(simulator, { ...NEVER, version });
  const view = await work(manager, what, url);
  assert.equal(view?.status, "done", `the premise: ${JSON.stringify(view?.vms)}`);
  return seen();
}

/** By pull: as an account that may not upload. */
function options(what: typeof WORK[number]): Partial<VMManagerOptions> {
  const offering = offeringOn(pathServerWhenNeeded({ host: "127.0.0.1", port: 0 }), tmpdir());
  return what === "pull" ? { username: "maker", password: "secret", offering } : { partBytes: PART_BYTES };
}

/** The file is whole, and its dataset says so. */
function expectWhole(simulator: Simulator, at: string): void {
  assert.deepEqual(fileDatasets(simulator), ["tank/images/files-debian"], at);
  const { userProperties = {} } = simulator.store.datasets.get("tank/images/files-debian") ?? {};
  assert.equal(userProperties[FILE_PROPERTIES.path], PATH, at);
  assert.equal(userProperties[FILE_PROPERTIES.digest], SHA256, at);
  assert.equal(userProperties[FILE_PROPERTIES.operation], undefined, at);
  assert.equal(storedDigest(simulator, PATH), SHA256, at);
}

function expectMade({ store }: Simulator, at: string): void {
  for (const name of ["web01", "web02"]) {
    assert.equal(store.datasets.get(`tank/vms/${name}-disk0`)?.content, `sha256:${SHA256}`, `${at}: ${name}`);
  }
}

/** A file that is not whole is nowhere. */
function expectNoPart(simulator: Simulator, at: string): void {
  if (fileDatasets(simulator).length > 0) expectWhole(simulator, at);
  else assert.equal(simulator.store.files.has(PATH), false, at);
}

async function settle(
  { simulator, manager, view, then, what, url, at }: {
    readonly simulator: Simulator;
    readonly manager: VMManager;
    readonly view: OperationView | null;
    readonly then: "resume" | "roll back";
    readonly what: typeof WORK[number];
    readonly url: string;
    readonly at: string;
  },
): Promise<void> {
  const { operations } = manager;
  const id = view?.id ?? "";
  const recovery = await (then === "resume" ? operations.resume(id) : operations.rollBack(id));
  const ended = await recovery?.finished;
  assert.ok(ended === undefined || ended.status === "done", `${at}: ${JSON.stringify(ended?.vms)}`);
  expectNoPart(simulator, at);
  assert.equal(simulator.store.cloudCredentials.size, 0, at);
  if (then === "resume") {
    // What failed before anything was sent is simply done again.
    await work(manager, what, url);
    expectWhole(simulator, at);
    if (what === "create") expectMade(simulator, at);
  } else {
    const zvols = [...simulator.store.datasets.keys()].filter((name) => name.includes("/web0"));
    assert.deepEqual(zvols, [], at);
  }
}

async function disturb(
  point: Point,
  what: typeof WORK[number],
  then: "resume" | "roll back",
): Promise<boolean> {
  const { server, url } = serve();
  await using _server = server;
  await using simulator = await nas(point.version);
  await using manager = await connect(simulator, options(what));
  const at = `${what} an image, then ${then}: ${JSON.stringify(point)}`;
  const { hasStruck, back } = strike(simulator, point);
  const view = await work(manager, what, url);
  if (!hasStruck()) return false;
  await back();
  simulator.clearFaults();
  if (view?.status === "done") {
    expectWhole(simulator, at);
    if (what === "create") expectMade(simulator, at);
  } else await settle({ simulator, manager, view, then, what, url, at });
  return true;
}

async function killed(
  point: Point,
  what: typeof WORK[number],
  then: "resume" | "roll back",
): Promise<boolean> {
  const { server, url } = serve();
  await using _server = server;
  await using simulator = await nas(point.version);
  const at = `${what} an image killed, then ${then}: ${JSON.stringify(point)}`;
  const folder = await Deno.makeTempDir();
  try {
    const args = ["run", "--no-prompt", "--allow-all", CHILD, what, simulator.url, folder, url, SHA256];
    if (!await killAtPoint(simulator, args, point)) return false;
    using journal = Journal.open(folder);
    await using manager = await connect(simulator, { ...options(what), journal });
    const [view = null] = manager.operations.store.list();
    if (view?.status === "done") return false;
    await settle({ simulator, manager, view, then, what, url, at });
    return true;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

for (const what of WORK) {
  for (const then of ["resume", "roll back"] as const) {
    Deno.test(`to ${what} an image with an address survives every refusal, cut and restart, then ${then}`, async () => {
      await sweep({
        name: `${what} an image, then ${then}`,
        actions: ["fail", "cut", "restart"],
        moments: ["before", "middle", "after"],
        versions: RELEASES,
        sample: what === "create" ? 25 : 9,
        width: 8,
        count: (version) => count(version, what),
        run: (point) => disturb(point, what, then),
      });
    });
  }

  Deno.test(`to ${what} an image with an address survives a kill at every call`, async () => {
    await sweep({
      name: `${what} an image, killed`,
      actions: ["kill"],
      moments: ["before", "after"],
      versions: ["24.10", "27.0"],
      sample: what === "create" ? 31 : 7,
      width: 2,
      count: (version) => count(version, what),
      run: (point) => killed(point, what, point.nth % 2 === 0 ? "resume" : "roll back"),
    });
  });
}
