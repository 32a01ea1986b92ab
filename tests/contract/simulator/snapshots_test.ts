/**
 * Protects the simulated NAS's snapshots, holds and clones: what each release refuses to destroy, and what 26 and 27
 * destroy silently. The facts come from TrueNAS's own code, release by release.
 */
import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../../lib/simulator/simulator.ts";
import { addDataset } from "../../../lib/simulator/store.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { addClone, addHold, addSnapshot } from "../../../lib/simulator/zfs/zfs.ts";
import { TEST_TIMES } from "../../support/pages/dashboard.ts";
import { Peer } from "../../support/peer.ts";

const GIB = 1024 ** 3;
const OLD = ["25.04.2", "25.10"] as const;
const NEW = ["26.0", "27.0"] as const;

interface Lab {
  readonly simulator: Simulator;
  readonly peer: Peer;
  /** `zfs.snapshot` or `pool.snapshot` */
  readonly namespace: string;
}

function onEach(
  versions: readonly SimulatedVersion[],
  name: string,
  test: (lab: Lab) => Promise<void>,
  accounts: Parameters<typeof startSimulator>[0] = {},
): void {
  for (const version of versions) {
    Deno.test(`${version}: ${name} (fault 46)`, async () => {
      await using simulator = await startSimulator({ version, times: TEST_TIMES, ...accounts });
      addDataset(simulator.store, { name: "tank/vms/golden", type: "VOLUME", volsizeBytes: GIB });
      addSnapshot(simulator.store, "tank/vms/golden@ready");
      const peer = new Peer(simulator.url);
      await peer.open();
      await peer.login();
      await test({ simulator, peer, namespace: version === "25.04.2" ? "zfs.snapshot" : "pool.snapshot" });
      await peer.close();
    });
  }
}

const ALL = [...OLD, ...NEW];

async function errnos(peer: Peer, method: string, ...params: unknown[]): Promise<unknown> {
  const { error } = await peer.call(method, ...params);
  const data = error?.data as { error: number; extra: [string, string, number][] | null } | undefined;
  return data?.extra?.map(([attribute, , errno]) => `${attribute} ${errno}`) ?? data?.error;
}

/** A VM whose disk is a clone of the golden zvol. */
async function cloneUser(peer: Peer, simulator: Simulator): Promise<number> {
  addClone(simulator.store, "tank/vms/golden@ready", "tank/vms/other");
  const { id } = await peer.result("vm.create", { name: "other", memory: 256 }) as { id: number };
  await peer.result("vm.device.create", {
    vm: id,
    attributes: { dtype: "DISK", path: "/dev/zvol/tank/vms/other" },
  });
  return id;
}

onEach(ALL, "a clone tells its origin, and only up to 25.10 a snapshot its clones", async (lab) => {
  const { peer, simulator, namespace } = lab;
  const params = { snapshot: "tank/vms/golden@ready", dataset_dst: "tank/vms/copy" };
  assert.equal(await peer.result(`${namespace}.clone`, params), true);
  const rows = await peer.result("pool.dataset.query", [["origin.value", "=", "tank/vms/golden@ready"]], {
    extra: { properties: ["origin"] },
  }) as { id: string }[];
  assert.deepEqual(rows.map(({ id }) => id), ["tank/vms/copy"]);
  const [snapshot] = await peer.result(`${namespace}.query`, [["dataset", "=", "tank/vms/golden"]], {
    extra: { properties: ["clones"] },
  }) as { properties: { clones?: { value: string } } }[];
  const isOld = (OLD as readonly string[]).includes(simulator.version);
  assert.equal(snapshot?.properties.clones?.value, isOld ? "tank/vms/copy" : undefined);
});

onEach(OLD, "nothing goes while a clone depends on it, recursive or not", async ({ peer, simulator }) => {
  await cloneUser(peer, simulator);
  assert.equal(await errnos(peer, "pool.dataset.delete", "tank/vms/golden", { recursive: true }), 14);
  assert.equal(await errnos(peer, "pool.dataset.delete", "tank/vms/golden"), 14);
  const { id } = await peer.result("vm.create", { name: "golden", memory: 256 }) as { id: number };
  await peer.result("vm.device.create", {
    vm: id,
    attributes: { dtype: "DISK", path: "/dev/zvol/tank/vms/golden" },
  });
  assert.equal(await errnos(peer, "vm.delete", id, { zvols: true, force: false }), 14);
  assert.ok(simulator.store.vms.has(id), "the VM stays");
  assert.ok(simulator.store.datasets.has("tank/vms/golden"));
});

onEach(NEW, "a recursive destroy takes the idle clones of other VMs with it", async ({ peer, simulator }) => {
  await cloneUser(peer, simulator);
  addHold(simulator.store, "tank/vms/golden@ready");
  assert.deepEqual(await errnos(peer, "pool.dataset.delete", "tank/vms/golden"), ["zfs.resource.destroy 39"]);
  assert.ok(simulator.store.datasets.has("tank/vms/other"));
  assert.equal(await peer.result("pool.dataset.delete", "tank/vms/golden", { recursive: true }), true);
  assert.deepEqual(
    ["tank/vms/golden", "tank/vms/other"].filter((it) => simulator.store.datasets.has(it)),
    [],
  );
});

onEach(
  NEW,
  "vm.delete with zvols also destroys idle clones of other VMs",
  async ({ peer, simulator }) => {
    await cloneUser(peer, simulator);
    const { id } = await peer.result("vm.create", { name: "golden", memory: 256 }) as { id: number };
    const attributes = { dtype: "DISK", path: "/dev/zvol/tank/vms/golden" };
    await peer.result("vm.device.create", { vm: id, attributes });
    assert.equal(await peer.result("vm.delete", id, { zvols: true }), null);
    assert.ok(!simulator.store.datasets.has("tank/vms/other"));
  },
);

onEach(NEW, "a destroy that fails is answered like one that was done", async ({ peer, simulator }) => {
  addClone(simulator.store, "tank/vms/golden@ready", "tank/vms/open", { isOpen: true });
  assert.equal(await peer.result("pool.dataset.delete", "tank/vms/golden", { recursive: true }), true);
  assert.ok(simulator.store.datasets.has("tank/vms/golden"));
  addSnapshot(simulator.store, "tank/vms/open@own");
  const open = simulator.store.datasets.get("tank/vms/open");
  assert.ok(open);
  open.isOpen = false;
  assert.equal(await peer.result("pool.dataset.delete", "tank/vms/golden", { recursive: true }), true);
  assert.ok(simulator.store.datasets.has("tank/vms/open"), "a snapshot of its own protects it");
});

onEach(ALL, "deleting a device with its zvol spares snapshots and clones", async ({ peer, simulator }) => {
  const { id } = await peer.result("vm.create", { name: "golden", memory: 256 }) as { id: number };
  const attributes = { dtype: "DISK", path: "/dev/zvol/tank/vms/golden" };
  const disk = await peer.result("vm.device.create", { vm: id, attributes }) as { id: number };
  assert.ok(await errnos(peer, "vm.device.delete", disk.id, { zvol: true }));
  assert.ok(simulator.store.snapshots.has("tank/vms/golden@ready"));
});

onEach(ALL, "a held snapshot and one with clones are not deleted", async ({ peer, simulator, namespace }) => {
  const isOld = (OLD as readonly string[]).includes(simulator.version);
  await peer.result(`${namespace}.hold`, "tank/vms/golden@ready");
  assert.deepEqual(
    await errnos(peer, `${namespace}.delete`, "tank/vms/golden@ready"),
    isOld ? 14 : ["zfs.resource.snapshot.destroy 16"],
  );
  addClone(simulator.store, "tank/vms/golden@ready", "tank/vms/copy");
  await peer.result(`${namespace}.release`, "tank/vms/golden@ready");
  assert.deepEqual(
    await errnos(peer, `${namespace}.delete`, "tank/vms/golden@ready"),
    isOld ? ["options.defer 22"] : ["zfs.resource.snapshot.destroy 16"],
  );
  await peer.result("pool.dataset.promote", "tank/vms/copy");
  assert.equal(simulator.store.datasets.get("tank/vms/golden")?.origin, "tank/vms/copy@ready");
  await peer.result("pool.dataset.delete", "tank/vms/golden");
  assert.equal(await peer.result(`${namespace}.delete`, "tank/vms/copy@ready"), true);
});

onEach(ALL, "a clone of a VM that fails is left half-made only up to 25.10", async ({ peer, simulator }) => {
  const { id } = await peer.result("vm.create", { name: "golden", memory: 256, description: "marks" }) as {
    id: number;
  };
  const attributes = { dtype: "DISK", path: "/dev/zvol/tank/vms/golden" };
  await peer.result("vm.device.create", { vm: id, attributes });
  simulator.addFault({ method: "vm.clone", moment: "middle", action: "fail" });
  assert.equal(await errnos(peer, "vm.clone", id, "copy"), 14);
  const isOld = (OLD as readonly string[]).includes(simulator.version);
  const copy = [...simulator.store.vms.values()].find(({ config }) => config.name === "copy");
  assert.equal(copy?.config.description, isOld ? "marks" : undefined);
  assert.equal(simulator.store.snapshots.has("tank/vms/golden@copy"), isOld);
  await peer.result("vm.clone", id, "second");
  assert.equal(
    simulator.store.datasets.get("tank/vms/golden_second")?.origin,
    "tank/vms/golden@second",
  );
});

const ROLES = ["DATASET_WRITE", "SNAPSHOT_WRITE", "VM_WRITE"];
const limited = { accounts: [{ username: "limited", password: "pw", roles: ROLES }] };

onEach(ALL, "only the *_DELETE roles destroy datasets and snapshots", async ({ peer, namespace }) => {
  await peer.login("limited", "pw");
  assert.deepEqual(await errnos(peer, "pool.dataset.delete", "tank/vms/golden"), 13);
  assert.deepEqual(await errnos(peer, `${namespace}.delete`, "tank/vms/golden@ready"), 13);
  assert.ok(await peer.result(`${namespace}.query`, []));
}, limited);

onEach(
  NEW,
  "the log's path never reveals whether a VM ever ran",
  async ({ peer }) => {
    const { id } = await peer.result("vm.create", { name: "ran", memory: 256 }) as { id: number };
    await peer.result("vm.start", id);
    assert.equal(await peer.result("vm.log_file_path", id), null);
  },
);

onEach(NEW, "zfs.resource.snapshot names the same snapshots", async ({ peer }) => {
  const create = "zfs.resource.snapshot.create";
  await peer.result(create, { dataset: "tank/vms/golden", name: "two" });
  assert.deepEqual(await errnos(peer, create, { dataset: "tank/vms/golden", name: "two" }), [`${create} 17`]);
  const clone = { snapshot: "tank/vms/golden@two", dataset: "tank/vms/k" };
  await peer.result("zfs.resource.snapshot.clone", clone);
  const destroy = "zfs.resource.snapshot.destroy";
  assert.deepEqual(await errnos(peer, destroy, { path: "tank/vms/golden@two" }), [`${destroy} 16`]);
  assert.deepEqual(await peer.result("zfs.resource.snapshot.count", { paths: ["tank/vms/golden"] }), {
    "tank/vms/golden": 2,
  });
});
