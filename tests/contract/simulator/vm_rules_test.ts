/**
 * Protects the simulated NAS's rules of VMs where there are no recorded conversations: names, firmware, displays, disks,
 * orders, memory and deletion. Real sockets; two releases.
 */
import assert from "node:assert/strict";
import { device, newVm, onEach } from "../../support/peer.ts";

onEach(
  "names, totals and firmware are checked, and names before they are inserted",
  async ({ simulator, peer }) => {
    await peer.login();
    await newVm(peer, "a");
    simulator.setTimes({ callMs: 100 });
    const refusalOf = (fields: Readonly<Record<string, unknown>>) =>
      peer.refusal("vm.create", { name: "b", memory: 256, ...fields });
    assert.deepEqual(await refusalOf({ name: "a" }), ["vm_create.name: This name already exists."]);
    assert.deepEqual(await refusalOf({ name: "a-b" }), [
      "vm_create.name: Only alphanumeric characters are allowed.",
    ]);
    assert.match((await refusalOf({ min_memory: 512 }))[0] ?? "", /vm_create\.min_memory/);
    assert.match(
      (await refusalOf({ cpu_mode: "HOST-MODEL", cpu_model: "EPYC" }))[0] ?? "",
      /vm_create\.cpu_model/,
    );
    assert.match((await refusalOf({ pin_vcpus: true }))[0] ?? "", /vm_create\.cpuset/);
    assert.match((await refusalOf({ machine_type: "q35" }))[0] ?? "", /vm_create\.arch_type/);
    assert.deepEqual(await refusalOf({ bootloader_ovmf: "none.fd" }), [
      "vm_create.bootloader_ovmf: Invalid bootloader ovmf choice specified",
    ]);
    const secure = await peer.result("vm.create", {
      name: "s",
      memory: 256,
      enable_secure_boot: true,
    }) as Record<string, unknown>;
    assert.deepEqual([secure.bootloader_ovmf, secure.machine_type, secure.arch_type], [
      "OVMF_CODE_4M.secboot.fd",
      "pc-q35-6.2",
      "x86_64",
    ]);
    const racing = await Promise.all([newVm(peer, "race"), newVm(peer, "race")]);
    assert.equal(new Set(racing).size, 2, "two at once both pass, as on a real NAS");
  },
);

onEach("displays are checked", async ({ peer, version }) => {
  await peer.login();
  const [a, b] = [await newVm(peer, "a"), await newVm(peer, "b")];
  const display = (vm: number, fields: Readonly<Record<string, unknown>>) =>
    device(vm, { dtype: "DISPLAY", bind: "0.0.0.0", password: "pw", ...fields });
  await peer.result("vm.device.create", display(a, { port: 5910, web_port: 5911 }));
  const refused = (fields: Readonly<Record<string, unknown>>) =>
    peer.refusal("vm.device.create", display(b, fields));
  assert.deepEqual(await refused({ port: 5910 }), [
    "attributes.port: Specified display port(5910) is already in use by another Display device",
  ]);
  assert.deepEqual(await refused({ port: 5911 }), [
    "attributes.port: Specified display port(5911) is already in use by another Display device",
  ]);
  assert.deepEqual(await refused({ port: 6000 }), [
    "attributes.port: Specified display port(6000) is already in use by another Display device",
  ]);
  assert.deepEqual(await refused({ port: 5920, web_port: 80 }), [
    "attributes.web_port: Specified port must be between 5900 and 65535, inclusive",
  ]);
  assert.deepEqual(await refused({ port: 5920, password: " " }), [
    "attributes.password: Password is required for display devices",
  ]);
  assert.match(
    (await refused({ port: 5920, type: "VNC", web: true, password: "123456789" })).join(),
    /8 characters or less.*attributes\.web/,
  );
  const portless = await peer.call("vm.device.create", display(b, {}));
  if (version === "27.0") {
    assert.match(portless.error?.data?.reason ?? "", /Spice server port must not be same as web port/);
  } else assert.deepEqual((portless.result as { attributes: { port: number } }).attributes.port, 5900);
});

onEach("disks and zvols are checked", async ({ simulator, peer }) => {
  await peer.login();
  const id = await newVm(peer, "a");
  const GIB = 1024 ** 3;
  const zvol = (name: string, size: number) =>
    device(id, { dtype: "DISK", create_zvol: true, zvol_name: name, zvol_volsize: size });
  assert.match(
    (await peer.refusal("vm.device.create", zvol("tank/vms/big", 4096 * GIB)))[0] ?? "",
    /^pool_dataset_create\.volsize: It is not recommended/,
  );
  assert.match(
    (await peer.refusal("vm.device.create", zvol("tank/vms/odd", 1000)))[0] ?? "",
    /multiple of volume block size/,
  );
  assert.match(
    (await peer.refusal("vm.device.create", device(id, { dtype: "DISK", path: "/mnt/x" })))[0] ?? "",
    /Disk path must start with/,
  );
  assert.match(
    (await peer.refusal("vm.device.create", device(id, { dtype: "DISK", path: "/dev/zvol/tank/none" })))[0] ??
      "",
    /does not exist/,
  );
  assert.deepEqual([...simulator.store.datasets.values()].filter(({ type }) => type === "VOLUME"), []);
  await peer.result("vm.device.create", zvol("tank/vms/with space", GIB));
  const [row] = await peer.result("vm.device.query") as { attributes: { path: string } }[];
  assert.equal(row?.attributes.path, "/dev/zvol/tank/vms/with+space");
  const thinSpec = { name: "tank/vms/thin", type: "VOLUME", volsize: 5000 * GIB, sparse: true };
  assert.match((await peer.refusal("pool.dataset.create", thinSpec))[0] ?? "", /more than 80%/);
  await peer.result("pool.dataset.create", {
    ...thinSpec,
    force_size: true,
    user_properties: [{ key: "a:b", value: "c" }],
  });
  const [thin] = await peer.result("pool.dataset.query", [["id", "=", "tank/vms/thin"]]) as {
    user_properties: Record<string, { value: string }>;
  }[];
  assert.equal(thin?.user_properties["a:b"]?.value, "c");
});

onEach("a used order is given to the new device, and the others move up", async ({ peer }) => {
  await peer.login();
  const id = await newVm(peer, "a");
  for (const bridge of ["br0", "br1", "eno1"]) {
    await peer.result("vm.device.create", device(id, { dtype: "NIC", nic_attach: bridge }, 1000));
  }
  const rows = await peer.result("vm.device.query", [], { order_by: ["order"] }) as {
    order: number;
    attributes: { nic_attach: string };
  }[];
  assert.deepEqual(rows.map(({ order, attributes }) => [order, attributes.nic_attach]), [[1000, "eno1"], [
    1001,
    "br1",
  ], [1002, "br0"]]);
});

onEach("memory is reserved at start, unless overcommitted", async ({ peer }) => {
  await peer.login();
  const id = await newVm(peer, "big", { memory: 4096 });
  assert.deepEqual(await peer.refusal("vm.start", id), [
    "-32001 [ENOMEM] Cannot guarantee memory for guest big",
  ]);
  await peer.result("vm.start", id, { overcommit: true });
  assert.match((await peer.refusal("vm.start", id))[0] ?? "", /already running/);
}, { freeMemoryBytes: 2 * 1024 ** 3 });

onEach("deleting a running VM and a removed VM fails as on TrueNAS", async ({ simulator, peer, version }) => {
  await peer.login();
  const id = await newVm(peer, "a");
  await peer.result("vm.start", id);
  const answer = await peer.call("vm.delete", id);
  if (version === "25.10") assert.equal(answer.result, true);
  else {
    assert.match(answer.error?.data?.reason ?? "", /\[EBUSY\] 'a' is running; stop the VM first/);
    assert.equal(await peer.result("vm.delete", id, { force: true }), null);
  }
  assert.equal(simulator.store.vms.size, 0);
  assert.deepEqual(await peer.refusal("vm.delete", id), [`null: VM ${id} does not exist`]);
});

onEach(
  "a running VM's memory is promised at its largest: what it was started with, or what it gets at the next start",
  async ({ peer }) => {
    await peer.login();
    const id = await newVm(peer, "a");
    const free = () => peer.result("vm.get_available_memory") as Promise<number>;
    const before = await free();
    const taken = async () => (before - await free()) / 1024 ** 2;
    const resize = (memory: number) => peer.result("vm.update", id, { memory });
    await resize(1024);
    assert.equal(await taken(), 0, "a stopped VM takes none");
    await peer.result("vm.start", id);
    assert.equal(await taken(), 1024);
    await resize(2048);
    assert.equal(await taken(), 2048, "TrueNAS already counts what the VM will get");
    await resize(512);
    assert.equal(await taken(), 1024, "the VM still has what it was started with");
    assert.equal(await peer.result("vm.get_memory_usage", id), 1024 * 1024 ** 2);
    await peer.result("vm.poweroff", id);
    assert.equal(await taken(), 0);
    await peer.result("vm.start", id);
    assert.equal(await taken(), 512);
  },
);
