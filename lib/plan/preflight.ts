/**
 * The rules that a whole batch is held against before the first write. Each says what TrueNAS would say, before it
 * has to; a reading that could not be made turns its rule into a warning. Pure.
 */
import type { Dataset, Inventory, Reading } from "../inventory.ts";
import { isVmName } from "../names.ts";
import { formatBytes, formatMib, MIB } from "../units.ts";
import type { CreationInput } from "./creation.ts";
import type { Finding, PlannedDevice, PlannedVm } from "./types.ts";

/** TrueNAS's own limit on the product of sockets, cores and threads, where it cannot be asked. */
const MAXIMUM_VCPUS = 255;
/** TrueNAS makes a zvol of at most this part of what its parent has left. */
const ZVOL_SHARE = 0.8;

type DeviceOf<D extends PlannedDevice["dtype"]> = Extract<PlannedDevice, { dtype: D }>;

/** Every finding about the batch, in the order of the VMs. */
export function preflight(vms: readonly PlannedVm[], input: CreationInput): readonly Finding[] {
  const active = vms.filter(({ steps }) => steps.length > 0);
  const context: Context = { input, inventory: input.inventory, active };
  const found = active.length === 0 ? [] : RULES.flatMap((rule) => rule(context));
  return found.map((finding) => locate(finding, input));
}

interface Context {
  readonly input: CreationInput;
  readonly inventory: Inventory;
  readonly active: readonly PlannedVm[];
}

type Rule = (context: Context) => readonly Finding[];

const RULES: readonly Rule[] = [
  checkNames,
  checkVcpus,
  checkMemory,
  checkParent,
  checkZvols,
  checkSpace,
  checkIso,
  checkBridges,
  checkBinds,
  checkPorts,
  checkMacs,
];

function error(vm: string | null, field: string, message: string): Finding {
  return { severity: "error", vm, field, message };
}

function notChecked(field: string, what: string, because: string): Finding {
  return { severity: "warning", vm: null, field, message: `${what}: not checked, because ${because}` };
}

/** Adds the line of config.yaml where the value stands there. */
function locate(finding: Finding, { places }: CreationInput): Finding {
  const place = places?.get(finding.field);
  return place === undefined ? finding : { ...finding, line: place.line };
}

function checkNames({ active }: Context): Finding[] {
  return active.filter(({ name }) => !isVmName(name)).map(({ name, type }) =>
    error(
      name,
      type,
      `TrueNAS refuses the name ${JSON.stringify(name)}; use letters, digits and underscores, at most 150`,
    )
  );
}

function checkVcpus({ active, inventory }: Context): Finding[] {
  const most = inventory.maximumVcpus.known ? inventory.maximumVcpus.value : MAXIMUM_VCPUS;
  return active.filter(({ vcpus }) => vcpus > most).map(({ name, type, vcpus }) =>
    error(name, `${type}.cpu`, `${vcpus} vCPUs are more than the ${most} that TrueNAS gives one VM`)
  );
}

/** In the order of starting: a VM that no longer fits is named, the ones before it may go on. */
function checkMemory({ active, inventory }: Context): readonly Finding[] {
  const { availableMemoryBytes: available } = inventory;
  if (!available.known) return [notChecked("memory", "Free memory", available.because)];
  let left = available.value;
  const starting = active.filter(({ start, overcommit }) => start && !overcommit);
  return starting.flatMap(({ name, type, memoryMib }) => {
    if (memoryMib * MIB <= left) {
      left -= memoryMib * MIB;
      return [];
    }
    const fits = `${formatBytes(left)} of the NAS's ${
      formatBytes(available.value)
    } of free memory are left for it`;
    return [error(name, `${type}.memory`, `${formatMib(memoryMib)} of memory do not fit: ${fits}`)];
  });
}

function withZvols(active: readonly PlannedVm[]): { vm: PlannedVm; disk: DeviceOf<"DISK"> }[] {
  return active.flatMap((vm) => planned(vm, "DISK").map((disk) => ({ vm, disk })));
}

/** The devices of one kind that applying the plan would make. */
function planned<D extends PlannedDevice["dtype"]>(vm: PlannedVm, dtype: D): DeviceOf<D>[] {
  return vm.devices.filter((device): device is DeviceOf<D> =>
    device.dtype === dtype && vm.steps.includes(device.step)
  );
}

function checkParent({ active, inventory, input }: Context): Finding[] {
  const { datasets } = inventory;
  const parent = input.configuration.storage.pool_path;
  if (withZvols(active).length === 0) return [];
  if (!datasets.known) {
    return [notChecked("storage.pool_path", "The dataset for the zvols", datasets.because)];
  }
  const dataset = datasets.value.find(({ name }) => name === parent);
  const refuse = (why: string) => active.map(({ name }) => error(name, "storage.pool_path", why));
  if (dataset === undefined) {
    return refuse(`There is no dataset ${parent} on the NAS; create it there, or name one that exists`);
  }
  if (dataset.type !== "FILESYSTEM") return refuse(`${parent} is a zvol; name a dataset`);
  if (dataset.locked) return refuse(`The dataset ${parent} is locked; unlock it on the NAS`);
  return [];
}

function checkZvols({ active, inventory }: Context): Finding[] {
  const { datasets } = inventory;
  if (!datasets.known) return [];
  const names = new Set(datasets.value.map(({ name }) => name));
  return withZvols(active).filter(({ disk }) => names.has(disk.zvol)).map(({ vm, disk }) =>
    error(
      vm.name,
      `${vm.type}.disk.${disk.name}`,
      `The zvol ${disk.zvol} exists already, and may hold data; rename or delete it on the NAS`,
    )
  );
}

/** Thick zvols take their space at once, so each is held against what the ones before it leave. */
function checkSpace({ active, inventory, input }: Context): Finding[] {
  const parent = findDataset(inventory.datasets, input.configuration.storage.pool_path);
  if (parent?.availableBytes === undefined || parent.availableBytes === null) return [];
  let left = parent.availableBytes;
  return withZvols(active).flatMap(({ vm, disk }) => {
    if (disk.sizeBytes <= left * ZVOL_SHARE) {
      left -= disk.sizeBytes;
      return [];
    }
    const room = `${formatBytes(left)} are left for it, of which TrueNAS lets a zvol take 80 %`;
    return [
      error(
        vm.name,
        `${vm.type}.disk.${disk.name}`,
        `${formatBytes(disk.sizeBytes)} do not fit in ${parent.name}: ${room}`,
      ),
    ];
  });
}

function findDataset(datasets: Reading<readonly Dataset[]>, name: string): Dataset | undefined {
  return datasets.known ? datasets.value.find((dataset) => dataset.name === name) : undefined;
}

function checkIso({ active, inventory, input }: Context): Finding[] {
  const path = input.configuration.storage.cdrom_path;
  const using = active.filter((vm) => planned(vm, "CDROM").length > 0);
  if (using.length === 0) return [];
  const refuse = (why: string) => using.map(({ name }) => error(name, "storage.cdrom_path", why));
  if (input.rules.cdromRule === "not-pool-root" && /^\/mnt\/[^/]+\/[^/]+$/.test(path)) {
    return refuse(
      `${path} lies in the pool's root, where this TrueNAS refuses it; move it into a dataset such as iso`,
    );
  }
  const { files } = inventory;
  if (!files.known) return [notChecked("storage.cdrom_path", "The install image", files.because)];
  return files.value.get(path) === false
    ? refuse(`There is no file ${path} on the NAS; check the path, or upload the image`)
    : [];
}

function checkBridges({ active, inventory }: Context): Finding[] {
  const { nicChoices } = inventory;
  const wanted = active.flatMap((vm) => planned(vm, "NIC").map((nic) => ({ vm, nic })));
  if (wanted.length === 0) return [];
  if (!nicChoices.known) return [notChecked("network", "Bridges", nicChoices.because)];
  return wanted.filter(({ nic }) => !nicChoices.value.includes(nic.attach)).map(({ vm, nic }) =>
    error(
      vm.name,
      `${vm.type}.network.${nic.name}`,
      `There is no bridge or interface ${nic.attach} on the NAS; it has ${nicChoices.value.join(", ")}`,
    )
  );
}

function checkBinds({ active, inventory }: Context): Finding[] {
  const { bindChoices } = inventory;
  const wanted = active.flatMap((vm) => planned(vm, "DISPLAY").map((display) => ({ vm, display })));
  if (wanted.length === 0) return [];
  if (!bindChoices.known) return [notChecked("display", "The displays' bind address", bindChoices.because)];
  return wanted.filter(({ display }) => !bindChoices.value.includes(display.bind)).map(({ vm, display }) =>
    error(
      vm.name,
      "display",
      `The NAS has no address ${display.bind} for a display; it has ${bindChoices.value.join(", ")}`,
    )
  );
}

function checkPorts({ active }: Context): Finding[] {
  return active.flatMap((vm) =>
    planned(vm, "DISPLAY").filter(({ port }) => port === 0).map(() =>
      error(vm.name, "display", "No display port is free up to 65535; choose a lower start")
    )
  );
}

function checkMacs({ active, inventory }: Context): Finding[] {
  const owners = new Map(inventory.vms.flatMap((vm) => vm.nics.map(({ mac }) => [mac, vm.name] as const)));
  return active.flatMap((vm) =>
    planned(vm, "NIC").flatMap((nic) => {
      const owner = owners.get(nic.mac);
      if (owner === undefined || owner === vm.name) return [];
      return [error(vm.name, `${vm.type}.network.${nic.name}`, `The MAC ${nic.mac} is ${owner}'s already`)];
    })
  );
}
