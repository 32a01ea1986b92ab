/** vm.*: VMs and their lifecycle, with TrueNAS's own rules, texts and paths. */
import type { Call, JobMethod, Method, Nas } from "../nas.ts";
import { choicesOf, instance, noMatch, type Options, query, type Row } from "./query.ts";
import {
  devicesOf,
  freeMemoryBytes,
  memoryBytesOf,
  runningMemoryBytesOf,
  type StoredVm,
  usedMemoryBytes,
  zvolAt,
} from "../store.ts";
import { autoPorts } from "../rules/display_rules.ts";
import { randomMac } from "../rules/macs.ts";
import { cloneVm } from "./vm_clone.ts";
import { expectState, getVm, LIFECYCLE_METHODS, switchOff } from "./vm_lifecycle.ts";
import { deviceRow, emitCrud, emitLifecycle, emitRemoved, statusOf, vmRow } from "../vm_rows.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError } from "../wire/wire_errors.ts";
import { destroyRecursively } from "../zfs/zfs_destroy.ts";
import { CPU_MODELS, MACHINES, MAXIMUM_VCPUS, OVMF_FILES, validate } from "../rules/vm_rules.ts";

type Data = Record<string, unknown>;

const RESOLUTIONS =
  "1920x1200 1920x1080 1600x1200 1600x900 1400x1050 1280x1024 1280x720 1024x768 800x600 640x480".split(" ");

function rows(nas: Nas, call: Call): Row[] {
  return [...nas.store.vms.values()].map((vm) => vmRow(nas, vm, call));
}

function withFirmware(config: Data): Data {
  if (config.enable_secure_boot !== true) {
    return { ...config, bootloader_ovmf: config.bootloader_ovmf ?? "OVMF_CODE_4M.fd" };
  }
  const machine = config.machine_type === null ? { machine_type: "pc-q35-6.2", arch_type: "x86_64" } : {};
  return { ...config, ...machine, bootloader_ovmf: config.bootloader_ovmf ?? "OVMF_CODE_4M.secboot.fd" };
}

const create: Method = async (nas, [given], call) => {
  const config = given as Data;
  validate(nas, config, "vm_create", null);
  // TrueNAS checks names without a lock, so two parallel calls can both pass.
  await nas.sleep(nas.times.callMs, call.signal);
  await call.pass("middle");
  const id = ++nas.store.lastVmId;
  const uuid = config.uuid ?? crypto.randomUUID();
  const completed = { ...withFirmware(config), uuid } as unknown as StoredVm["config"];
  const vm: StoredVm = { id, config: completed, state: "STOPPED", everStarted: false };
  nas.store.vms.set(id, vm);
  emitCrud(nas, "added", vm);
  emitLifecycle(nas, vm, "defined");
  return vmRow(nas, vm, call);
};

const update: Method = async (nas, [id, change], call) => {
  const vm = getVm(nas, id);
  const config = { ...vm.config, ...(change as Data) };
  validate(nas, config, "vm_update", vm);
  await nas.sleep(nas.times.callMs, call.signal);
  const before = vm.config.name;
  const isRenamed = config.name !== before;
  if (isRenamed && vm.state !== "STOPPED") {
    throw callError(ERRNO.EFAULT, "VM name can only be changed when VM is inactive");
  }
  await call.pass("middle");
  if (vm.state !== "STOPPED") vm.runsWithMib ??= vm.config.memory;
  vm.config = config;
  // Up to 25.10 the domain is renamed, which libvirt reports like a new one.
  if (isRenamed) emitLifecycle(nas, vm, "defined");
  if (isRenamed && nas.profile.renamesNvram && vm.config.bootloader === "UEFI" && !vm.everStarted) {
    const text = `VM name has been updated but nvram file for ${before} does not exist which can result in ` +
      `${config.name} VM not booting properly.`;
    throw callError(ERRNO.EFAULT, text);
  }
  emitCrud(nas, "changed", vm);
  return vmRow(nas, vm, call);
};

const remove: Method = (nas, [id, options], call) =>
  nas.deleting(async () => {
    const vm = getVm(nas, id);
    const { zvols, force } = options as { zvols: boolean; force: boolean };
    await nas.sleep(nas.times.callMs, call.signal);
    if (vm.state !== "STOPPED") {
      if (!force && nas.profile.deleteRunning === "refuses") {
        const text = `'${vm.config.name}' is running; stop the VM first or pass force to delete it.`;
        throw callError(ERRNO.EBUSY, text);
      }
      switchOff(nas, vm, "poweredOff");
      await nas.sleep(nas.times.deleteRunningMs, call.signal);
    }
    const devices = devicesOf(nas.store, vm.id);
    for (const { attributes } of zvols ? devices : []) {
      const zvol = attributes.dtype === "DISK" ? zvolAt(attributes.path) : null;
      if (zvol !== null) await destroyDisk(nas, zvol, { call, force });
    }
    await call.pass("middle");
    for (const device of devices) nas.store.devices.delete(device.id);
    nas.store.vms.delete(vm.id);
    emitRemoved(nas, vm.id);
    return nas.profile.deleteAnswers;
  });

/** Destroys a deleted VM's disk recursively: clones prevent that up to 25.10, and are destroyed with it from 26 on. */
async function destroyDisk(
  nas: Nas,
  zvol: string,
  { call, force }: { readonly call: Call; readonly force: boolean },
): Promise<void> {
  await nas.sleep(nas.times.zvolMs, call.signal);
  try {
    if (!nas.store.datasets.has(zvol)) {
      throw callError(ERRNO.ENOENT, `Failed to delete dataset: ${zvol} does not exist`);
    }
    destroyRecursively(nas, zvol);
  } catch (error) {
    if (!force && nas.profile.zfs === "classic") throw error;
  }
}

function displayDevices(nas: Nas, id: unknown, call: Call): Row[] {
  const displays = devicesOf(nas.store, getVm(nas, id).id).filter(({ attributes }) =>
    attributes.dtype === "DISPLAY"
  );
  return displays.map((device) => {
    const row = deviceRow(device, call);
    const attributes = row.attributes as Data;
    const password = nas.profile.masksDisplayPasswords ? "********" : attributes.password;
    return {
      ...row,
      attributes: { ...attributes, password, password_configured: Boolean(device.attributes.password) },
    };
  });
}

const displayWebUri: Method = (nas, [id, host, options], call) => {
  const [display] = displayDevices(nas, id, call);
  if (display === undefined) return { error: "Display device is not configured", uri: null };
  const scheme = (options as { protocol?: string }).protocol === "HTTPS" ? "https" : "http";
  const path = encodeURIComponent(`vm/display/${String(display.id)}/`);
  const page = `vm/display/${String(display.id)}/spice_auto.html?path=${path}&autoconnect=1`;
  return { error: null, uri: `${scheme}://${String(host) || "127.0.0.1"}/${page}` };
};

/** vm.* */
export const VM_METHODS: Readonly<Record<string, Method | JobMethod>> = {
  "vm.query": (nas, [filters, options], call) =>
    query(rows(nas, call), filters as unknown[], options as Options),
  "vm.get_instance": (nas, [id], call) => instance(rows(nas, call), id, "VM"),
  "vm.create": create,
  "vm.update": update,
  "vm.delete": remove,
  "vm.clone": cloneVm,
  ...LIFECYCLE_METHODS,
  "vm.status": (nas, [id]) => {
    // Up to 25.10 it queries the row itself, and that query fails.
    if (nas.profile.zfs === "classic" && !nas.store.vms.has(Number(id))) throw noMatch();
    return statusOf(nas, getVm(nas, id));
  },
  "vm.get_available_memory": (nas) => freeMemoryBytes(nas.store),
  "vm.get_memory_usage": (nas, [id]) => {
    const vm = getVm(nas, id);
    if (vm.state === "STOPPED" && nas.profile.stoppedUsesNothing) return 0;
    expectState(nas, vm, ["RUNNING", "SUSPENDED"]);
    return runningMemoryBytesOf(vm);
  },
  "vm.get_vmemory_in_use": ({ store }) => ({
    RNP: usedMemoryBytes(store, ["RUNNING"]),
    PRD: usedMemoryBytes(store, ["STOPPED"]),
    RPRD: 0,
  }),
  "vm.get_vm_memory_info": (nas, [id]) => {
    const vm = getVm(nas, id);
    if (vm.state === "RUNNING") throw callError(ERRNO.EFAULT, `VM ${vm.config.name} is already running`);
    const total = memoryBytesOf(vm);
    const fits = total <= freeMemoryBytes(nas.store);
    return {
      minimum_memory_requested: vm.config.min_memory ?? null,
      total_memory_requested: total,
      overcommit_required: !fits,
      memory_req_fulfilled_after_overcommit: true,
      arc_to_shrink: 0,
      current_arc_max: 8 * 1024 ** 3,
      arc_min: 1024 ** 3,
      arc_max_after_shrink: 8 * 1024 ** 3,
      actual_vm_requested_memory: total,
    };
  },
  "vm.get_console": (nas, [id]) => `/dev/pts/${getVm(nas, id).id}`,
  "vm.get_guest_network_interfaces": (nas, [id]) => {
    const vm = nas.store.vms.get(Number(id));
    if (vm === undefined) throw noMatch();
    const failed = (why: string) =>
      callError(ERRNO.EFAULT, `VM ${vm.id}: Guest agent command failed: ${why}`);
    if (vm.state !== "RUNNING") throw failed("domain is not running");
    if (!vm.agent) throw failed("Guest agent is not responding: QEMU guest agent is not connected");
    const nics = devicesOf(nas.store, vm.id).filter(({ attributes }) => attributes.dtype === "NIC");
    return nics.map(({ attributes }, n) => ({
      name: `eth${n}`,
      hardware_address: attributes.mac,
      ip_addresses: [
        {
          ip_address: (n === 0 ? vm.address : undefined) ?? `192.168.${n + 1}.${10 + vm.id % 240}`,
          prefix: 24,
          ip_address_type: "IPV4",
        },
        { ip_address: "fe80::1", prefix: 64, ip_address_type: "IPV6" },
      ],
    }));
  },
  "vm.log_file_path": (nas, [id]) => {
    const vm = getVm(nas, id);
    return nas.profile.findsVmLog && vm.everStarted
      ? `/var/log/libvirt/qemu/${vm.id}_${vm.config.name}.log`
      : null;
  },
  "vm.flags": () => ({ intel_vmx: true, unrestricted_guest: true, amd_rvi: false, amd_asids: false }),
  "vm.virtualization_details": () => ({ supported: true, error: null }),
  "vm.supports_virtualization": () => true,
  "vm.maximum_supported_vcpus": () => MAXIMUM_VCPUS,
  "vm.port_wizard": (nas) => {
    const { port, web_port } = autoPorts(nas);
    return { port, web: web_port };
  },
  "vm.resolution_choices": () => choicesOf(RESOLUTIONS),
  "vm.bootloader_options": () => ({ UEFI: "UEFI", UEFI_CSM: "Legacy BIOS" }),
  "vm.bootloader_ovmf_choices": () => choicesOf(OVMF_FILES),
  "vm.bootloader_aavmf_choices": () => choicesOf(["AAVMF_CODE.fd", "AAVMF_CODE.ms.fd"]),
  "vm.cpu_model_choices": () => choicesOf(CPU_MODELS),
  "vm.guest_architecture_and_machine_choices": () => MACHINES,
  "vm.random_mac": () => randomMac(),
  "vm.get_display_devices": (nas, [id], call) => displayDevices(nas, id, call),
  "vm.get_display_web_uri": displayWebUri,
};
