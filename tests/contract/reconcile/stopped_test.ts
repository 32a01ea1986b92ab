/**
 * Protects changes of stopped VMs: each field that a configuration or template states is changed on the NAS, with its old
 * value in the journal, and nothing else is; a change that cannot be made leaves everything as it was.
 */
import assert from "node:assert/strict";
import type { VmTypeSection } from "../../../lib/configuration/sections.ts";
import type { Simulator } from "../../../lib/simulator/simulator.ts";
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { GIB } from "../../../lib/units.ts";
import { applyAll, devicesOf, makeWorkers, planned, worker } from "../../support/vms/changing.ts";
import { outcomes, withLab, workers } from "../../support/lab.ts";

const VERSIONS: readonly SimulatedVersion[] = ["24.04", "24.10", "25.04.2", "25.10", "26.0", "27.0"];

interface Case {
  readonly from?: Partial<VmTypeSection>;
  readonly to: Partial<VmTypeSection>;
  /** The value on the NAS. */
  readonly read: (simulator: Simulator) => unknown;
  readonly old: unknown;
  readonly now: unknown;
  readonly steps: readonly string[];
}

const MACS = { lan: ["02:00:00:00:00:01"], storage: ["02:00:00:00:00:02"] };

const nic = (key: string) => (simulator: Simulator) =>
  devicesOf(simulator, "NIC").map(({ attributes }) => attributes[key]);
const size = (simulator: Simulator) => {
  const zvol = simulator.store.datasets.get("tank/vms/worker01-disk1");
  return [(zvol?.volsizeBytes ?? 0) / GIB, zvol?.sparse];
};

const CASES: Readonly<Record<string, Case>> = {
  "vCPUs": {
    to: { cpu: 4, threads: 2 },
    read: (nas) => {
      const { vcpus, cores, threads } = worker(nas).config;
      return [vcpus, cores, threads];
    },
    old: [1, 2, 1],
    now: [1, 2, 2],
    steps: ["change"],
  },
  "memory": {
    to: { memory: 4096 },
    read: (nas) => worker(nas).config.memory,
    old: 2048,
    now: 4096,
    steps: ["change"],
  },
  "autostart, description and CPU mode, in one call": {
    to: { autostart: false, description: "lab 8", template: { vm: { cpu_mode: "HOST-MODEL" } } },
    read: (nas) => {
      const { autostart, description, cpu_mode } = worker(nas).config;
      return [autostart, description, cpu_mode];
    },
    old: [true, "[truenas-vm-manager]", "HOST-PASSTHROUGH"],
    now: [false, "lab 8 [truenas-vm-manager]", "HOST-MODEL"],
    steps: ["change"],
  },
  "a NIC's bridge and model": {
    to: { network: { lan: "br1", storage: "br1" }, template: { nic: { type: "E1000" } } },
    read: (nas) => [nic("nic_attach")(nas), nic("type")(nas)],
    old: [["br0", "br1"], ["VIRTIO", "VIRTIO"]],
    now: [["br1", "br1"], ["E1000", "E1000"]],
    steps: ["change-nic0", "change-nic1"],
  },
  "MAC addresses that two NICs exchange": {
    from: { macs: MACS },
    to: { macs: { lan: MACS.storage, storage: MACS.lan } },
    read: nic("mac"),
    old: ["02:00:00:00:00:01", "02:00:00:00:00:02"],
    now: ["02:00:00:00:00:02", "02:00:00:00:00:01"],
    steps: ["change-nic0-aside", "change-nic1", "change-nic0"],
  },
  "the display's address": {
    to: { template: { display: { bind: "127.0.0.1" } } },
    read: (nas) =>
      devicesOf(nas, "DISPLAY").map((
        { attributes: { bind, port, password, web } },
      ) => [bind, port, password, web]),
    old: [["0.0.0.0", 5920, "pw", true]],
    now: [["127.0.0.1", 5920, "pw", true]],
    steps: ["change-display"],
  },
  "a disk's bus": {
    to: { template: { disk: { type: "AHCI" } } },
    read: (nas) => devicesOf(nas, "DISK").map(({ attributes: { type, path } }) => [type, path]),
    old: [["VIRTIO", "/dev/zvol/tank/vms/worker01-disk0"], ["VIRTIO", "/dev/zvol/tank/vms/worker01-disk1"]],
    now: [["AHCI", "/dev/zvol/tank/vms/worker01-disk0"], ["AHCI", "/dev/zvol/tank/vms/worker01-disk1"]],
    steps: ["change-disk0-settings", "change-disk1-settings"],
  },
  "a larger disk": {
    to: { disk: { root: 20, data: 60 } },
    read: size,
    old: [50, false],
    now: [60, false],
    steps: ["change-disk1"],
  },
  "a disk that no longer reserves its space": {
    to: { sparse: true },
    read: size,
    old: [50, false],
    now: [50, true],
    steps: ["change-disk0-space", "change-disk1-space"],
  },
  "a sparse disk that becomes larger and reserves its space": {
    from: { sparse: true },
    to: { sparse: false, disk: { root: 20, data: 60 } },
    read: size,
    old: [50, true],
    now: [60, false],
    steps: ["change-disk0-space", "change-disk1", "change-disk1-space"],
  },
  "further settings that templates can state": {
    to: {
      template: {
        vm: { time: "UTC", shutdown_timeout: 120, bootloader: "UEFI_CSM" },
        display: { resolution: "1280x720" },
        disk: { iotype: "NATIVE" },
      },
    },
    read: (nas) => {
      const { time, shutdown_timeout, bootloader } = worker(nas).config;
      const [display] = devicesOf(nas, "DISPLAY");
      const [disk] = devicesOf(nas, "DISK");
      return [time, shutdown_timeout, bootloader, display?.attributes.resolution, disk?.attributes.iotype];
    },
    old: ["LOCAL", 90, "UEFI", "1024x768", "THREADS"],
    now: ["UTC", 120, "UEFI_CSM", "1280x720", "NATIVE"],
    steps: ["change", "change-display", "change-disk0-settings", "change-disk1-settings"],
  },
  "the boot order": {
    to: { template: { cdrom: { order: 900 } } },
    read: (nas) =>
      [...devicesOf(nas, "DISK"), ...devicesOf(nas, "CDROM")].toSorted((a, b) => a.order - b.order)
        .map(({ attributes }) => attributes.dtype),
    old: ["DISK", "DISK", "CDROM"],
    now: ["CDROM", "DISK", "DISK"],
    steps: ["change-order"],
  },
  "a further disk and NIC": {
    to: { disk: { root: 20, data: 50, logs: 5 }, network: { lan: "br0", storage: "br1", backup: "br0" } },
    read: (nas) => [devicesOf(nas, "DISK").length, nic("nic_attach")(nas)],
    old: [2, ["br0", "br1"]],
    now: [3, ["br0", "br1", "br0"]],
    steps: ["nic2", "disk2"],
  },
};

for (const version of VERSIONS) {
  for (const [name, { from = {}, to, read, old, now, steps }] of Object.entries(CASES)) {
    Deno.test(`${name}: changed in a stopped VM, and planned as kept afterwards, on ${version}`, () =>
      withLab({ simulator: { version } }, async (lab) => {
        const { simulator, manager } = lab;
        const first = workers({ count: 1, ...from });
        const second = workers({ count: 1, ...from, ...to });
        await makeWorkers(lab, first);
        assert.deepEqual(read(simulator), old, "the premise");
        const result = await applyAll(manager, second);
        assert.deepEqual(
          outcomes(result),
          [`worker01 ${steps[0] === "nic2" ? "created" : "changed"}`],
          result.vms[0]?.message ?? "",
        );
        assert.equal(result.status, "done");
        assert.deepEqual(read(simulator), now);
        const [view] = result.operation.vms;
        assert.deepEqual(
          view?.steps.map(({ step, status }) => [step, status]),
          steps.map((step) => [step, "done"]),
        );
        const [again] = await planned(manager, second);
        assert.deepEqual([again?.action, again?.differences], ["keep", []]);
        assert.equal(worker(simulator).state, "STOPPED", "it was stopped and stays so");
      }));
  }
}

for (const [version, action] of [["25.04.2", "change"], ["25.10", "replace"], ["27.0", "replace"]] as const) {
  Deno.test(`secure boot takes a ${action} on ${version}`, () =>
    withLab({ simulator: { version } }, async (lab) => {
      await makeWorkers(lab, workers({ count: 1 }));
      const secure = workers({ count: 1, template: { vm: { enable_secure_boot: true } } });
      const [vm] = await planned(lab.manager, secure);
      assert.equal(vm?.action, action);
      assert.deepEqual(vm?.differences.map(({ field, found, wanted }) => [field, found, wanted]), [
        ["enable_secure_boot", "no", "yes"],
      ]);
      const result = await applyAll(
        lab.manager,
        secure,
        action === "replace" ? { replace: ["worker01"] } : {},
      );
      assert.deepEqual(outcomes(result), [`worker01 ${action}d`]);
      assert.equal((await planned(lab.manager, secure))[0]?.action, "keep");
    }));
}
