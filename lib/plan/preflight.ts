/**
 * Checks a whole batch before the first write. Each rule predicts one of TrueNAS's refusals; if its reading is not
 * available, the rule becomes a warning. Pure.
 */
import { vmTypeOf } from "../configuration/configuration.ts";
import type { Dataset, Inventory, Reading, Vm } from "../inventory/inventory.ts";
import type { ZvolMark } from "../inventory/marks.ts";
import { isVmName } from "../inventory/names.ts";
import { hasRole } from "../truenas/roles.ts";
import { formatBytes, formatMib, MIB } from "../units.ts";
import type { CreationInput } from "./creation_input.ts";
import type { Finding, PlannedDevice, PlannedVm } from "./types.ts";
import { ZVOL_SHARE } from "./allocation.ts";

/** TrueNAS's limit on the product of sockets, cores and threads, for when it cannot be read. */
const MAXIMUM_VCPUS = 255;

type DeviceOf<D extends PlannedDevice["dtype"]> = Extract<PlannedDevice, { dtype: D }>;

/** All findings, in the order of the VMs. */
export function preflight(vms: readonly PlannedVm[], input: CreationInput): readonly Finding[] {
  const active = vms.filter(({ steps }) => steps.length > 0);
  const context: Context = { input, inventory: input.inventory, active };
  const found = active.length === 0 ? [] : RULES.flatMap((rule) => rule(context));
  const causes = mergeCauses([...found, ...checkAttached(vms, input.inventory)]);
  return causes.map((finding) => locate(finding, input));
}

interface Context {
  readonly input: CreationInput;
  readonly inventory: Inventory;
  readonly active: readonly PlannedVm[];
}

type Rule = (context: Context) => readonly Finding[];

const RULES: readonly Rule[] = [
  checkNames,
  checkNodeNames,
  checkVcpus,
  checkMemory,
  checkMemoryAfterReboot,
  checkParent,
  checkZvols,
  checkSpace,
  checkIso,
  checkSecureBoot,
  checkBootOrder,
  checkBridges,
  checkBinds,
  checkDisplays,
  checkPorts,
  checkMacs,
  checkNasId,
  checkWayBack,
  checkRoles,
];

/** The first VM of each type; a rule about a type is reported once. */
function firstOfEachType(active: readonly PlannedVm[]): readonly PlannedVm[] {
  return active.filter((vm, index) => active.findIndex(({ type }) => type === vm.type) === index);
}

function warning(field: string, message: string): Finding {
  return { severity: "warning", vms: [], field, message };
}

function error(vms: readonly string[], field: string, message: string): Finding {
  return { severity: "error", vms, field, message };
}

function notChecked(field: string, what: string, because: string): Finding {
  return warning(field, `${what}: not checked because ${because}`);
}

/** Merges findings with the same message and field into one about all their VMs. */
function mergeCauses(findings: readonly Finding[]): Finding[] {
  const causes = Map.groupBy(
    findings,
    ({ severity, field, message }) => JSON.stringify([severity, field, message]),
  );
  return [...causes.values()].flatMap((same) => {
    const [first] = same;
    return first === undefined ? [] : [{ ...first, vms: [...new Set(same.flatMap(({ vms }) => vms))] }];
  });
}

/** Adds the value's line in config.yaml. */
function locate(finding: Finding, { places }: CreationInput): Finding {
  const place = places?.get(finding.field);
  return place === undefined ? finding : { ...finding, line: place.line };
}

/** Derived MAC addresses are stable only while the id they are derived from is. */
function checkNasId({ active, input, inventory }: Context): Finding[] {
  const isDerived = active.some(({ type, devices }) =>
    devices.some((device) =>
      device.dtype === "NIC" && vmTypeOf(input.configuration, type).macs?.[device.name] === undefined
    )
  );
  if (inventory.nas.id !== null || !isDerived) return [];
  const message = "MAC addresses are derived from TRUENAS_HOST because this account cannot read the " +
    "NAS's id. If you change TRUENAS_HOST, new VMs get different addresses. Grant the role " +
    "READONLY_ADMIN, or set macs in the configuration";
  return [warning("", message)];
}

/** Removing a zvol that got no device requires a role of its own. */
function checkWayBack({ active, inventory: { nas: { roles } } }: Context): Finding[] {
  const makesZvols = active.some(({ devices }) => devices.some((it) => it.dtype === "DISK" && !it.adopt));
  const canLeaveOne = hasRole(roles, "DATASET_WRITE") === true && hasRole(roles, "DATASET_DELETE") === false;
  if (!makesZvols || !canLeaveOne) return [];
  const message =
    "If creating a VM fails, its zvols can remain on the NAS because the account does not have the role " +
    "DATASET_DELETE (DATASET_WRITE does not include it). Grant the role so that they can be removed";
  return [warning("", message)];
}

/** Warns before TrueNAS refuses the first call for each VM. */
function checkRoles({ active, inventory: { nas: { roles } } }: Context): Finding[] {
  const missing = ["VM_WRITE", "VM_DEVICE_WRITE"].filter((role) => hasRole(roles, role) === false);
  if (active.length === 0 || missing.length === 0) return [];
  const message = "TrueNAS will refuse to create VMs because the account does not have " +
    `${missing.length === 1 ? "the role" : "the roles"} ${missing.join(" and ")}. ` +
    "Grant them in TrueNAS under Credentials, Groups, Privileges";
  return [warning("", message)];
}

function checkNames({ active }: Context): Finding[] {
  const refused = Map.groupBy(active.filter(({ name }) => !isVmName(name)), ({ type }) => type);
  return [...refused].map(([type, vms]) =>
    error(
      namesOf(vms),
      type,
      `TrueNAS does not accept the name ${
        JSON.stringify(vms[0]?.name)
      }; use letters, digits and underscores, at most 150`,
    )
  );
}

/** Kubernetes node names follow RFC 1123: lower-case letters, digits and hyphens, up to 63 characters. */
function checkNodeNames({ active }: Context): Finding[] {
  const odd = firstOfEachType(active).filter(({ name }) => !/^[a-z0-9]{1,63}$/.test(name));
  return odd.filter(({ name }) => isVmName(name)).map(({ name, type }) =>
    warning(
      type,
      `A Kubernetes node cannot be named ${name}; use at most 63 lower-case letters and digits`,
    )
  );
}

function checkVcpus({ active, inventory }: Context): Finding[] {
  const most = inventory.maximumVcpus.known ? inventory.maximumVcpus.value : MAXIMUM_VCPUS;
  return active.filter(({ vcpus }) => vcpus > most).map(({ name, type, vcpus }) =>
    error([name], `${type}.cpu`, `${vcpus} vCPUs exceed TrueNAS's limit of ${most} per VM; lower cpu`)
  );
}

/** Goes through the VMs in start order and reports those that no longer fit; smaller ones after them may still fit. */
function checkMemory({ active, inventory }: Context): readonly Finding[] {
  const { availableMemoryBytes: available } = inventory;
  if (!available.known) return [notChecked("memory", "Free memory", available.because)];
  let left = available.value;
  const starting = active.filter(({ start, overcommit }) => start && !overcommit);
  return [...Map.groupBy(starting, ({ type }) => type)].flatMap(([type, vms]) => {
    const free = left;
    const tooMany = vms.filter(({ memoryMib }) => {
      if (memoryMib * MIB > left) return true;
      left -= memoryMib * MIB;
      return false;
    });
    if (tooMany.length === 0) return [];
    const each = formatMib(tooMany[0]?.memoryMib ?? 0);
    const message =
      `${needs(vms.length, type, each)} of memory${vms.length === 1 ? "" : " each"}, and ${
        formatBytes(free)
      } are free on the NAS: ${roomFor(vms.length - tooMany.length)}. ` +
      "Lower the count or the memory, or start them even if memory is short (overcommit)";
    return [error(namesOf(tooMany), `${type}.memory`, message)];
  });
}

function needs(count: number, type: string, what: string): string {
  return count === 1 ? `The ${type} VM needs ${what}` : `${count} ${type} VMs need ${what}`;
}

function roomFor(count: number): string {
  return count === 0 ? "none fits" : count === 1 ? "1 fits" : `${count} fit`;
}

function namesOf(vms: readonly PlannedVm[]): string[] {
  return vms.map(({ name }) => name);
}

/** VMs that start with the NAS must fit beside those that already do, or some stay off after a reboot. */
function checkMemoryAfterReboot(context: Context): readonly Finding[] {
  const { active, inventory, input } = context;
  const { availableMemoryBytes: available, vms } = inventory;
  // A lack of memory now has already been reported.
  if (!available.known || checkMemory(context).length > 0) return [];
  const running = vms.filter(({ state }) => state !== "STOPPED");
  const room = available.value + running.reduce((sum, { memoryMib }) => sum + memoryMib * MIB, 0);
  const starting = active.filter(({ autostart, type }) => autostart ?? input.templates(type).autostart);
  const already = vms.filter((vm) => vm.autostart && !starting.some(({ name }) => name === vm.name));
  const wanted = [...starting, ...already].reduce((sum, { memoryMib }) => sum + memoryMib * MIB, 0);
  if (starting.length === 0 || wanted <= room) return [];
  const message = `After a reboot of the NAS, VMs with ${
    formatBytes(wanted)
  } of memory would start but only ${
    formatBytes(room)
  } would be free; some VMs would stay off. Turn autostart off for some`;
  return [warning("memory", message)];
}

function withZvols(active: readonly PlannedVm[]): { vm: PlannedVm; disk: DeviceOf<"DISK"> }[] {
  return active.flatMap((vm) => planned(vm, "DISK").map((disk) => ({ vm, disk })));
}

/** The devices of one type that the plan would create. */
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
  const using = active.filter((vm) => planned(vm, "DISK").length > 0);
  const refuse = (why: string) => [error(namesOf(using), "storage.pool_path", why)];
  if (dataset === undefined) {
    return refuse(`The dataset ${parent} does not exist; create it on the NAS, or enter an existing one`);
  }
  if (dataset.type !== "FILESYSTEM") return refuse(`${parent} is a zvol; enter a dataset`);
  if (dataset.locked) return refuse(`The dataset ${parent} is locked; unlock it on the NAS`);
  return [];
}

function checkZvols({ active, inventory }: Context): Finding[] {
  const { datasets } = inventory;
  if (!datasets.known) return [];
  const names = new Set(datasets.value.map(({ name }) => name));
  const found = withZvols(active).filter(({ disk }) => names.has(disk.zvol) && !disk.adopt).map(
    ({ vm, disk }) => {
      const mark = findDataset(datasets, disk.zvol)?.mark ?? null;
      const user = inventory.vms.find(({ disks }) => disks.some(({ zvol }) => zvol === disk.zvol));
      const remedy = user !== undefined
        ? describeUser(user, mark)
        : mark !== null
        ? "an interrupted operation of this program left it there; see Orphans"
        : "it may contain data; rename or delete it on the NAS";
      return { vm, disk, remedy, field: `${vm.type}.disk.${disk.name}` };
    },
  );
  const causes = Map.groupBy(found, ({ field, remedy }) => JSON.stringify([field, remedy]));
  return [...causes.values()].flatMap((same) => {
    const [first] = same;
    if (first === undefined) return [];
    const zvols = same.map(({ disk }) => disk.zvol);
    const what = zvols.length === 1
      ? `The zvol ${zvols[0]} already exists`
      : `The zvols ${zvols.join(", ")} already exist`;
    return [error(namesOf(same.map(({ vm }) => vm)), first.field, `${what}: ${first.remedy}`)];
  });
}

/** A renamed VM keeps its zvols, so their names do not tell whose they are. */
function describeUser({ name, uuid }: Vm, mark: ZvolMark | null): string {
  const renamed = mark !== null && mark.vm === uuid
    ? `, which was renamed; rename ${name} back on the NAS, or`
    : ";";
  return `it is a disk of the VM ${name}${renamed} choose another VM type or another dataset`;
}

/** Thick zvols reserve their space at once, so each VM is checked against what the previous ones leave. */
function checkSpace({ active, inventory, input }: Context): Finding[] {
  const parent = findDataset(inventory.datasets, input.configuration.storage.pool_path);
  if (parent?.availableBytes === undefined || parent.availableBytes === null) return [];
  const all = withZvols(active).filter(({ disk }) => !disk.adopt);
  return [
    ...checkThickSpace(active, parent.name, parent.availableBytes),
    ...checkSparseSpace(all.map(({ disk }) => disk), parent.name, parent.availableBytes),
  ];
}

function checkThickSpace(active: readonly PlannedVm[], parent: string, availableBytes: number): Finding[] {
  let left = availableBytes;
  /** Reserves space for a VM's disks, or returns the first disk that does not fit and reserves nothing. */
  const place = (vm: PlannedVm): DeviceOf<"DISK"> | null => {
    let rest = left;
    for (const disk of thickDisks(vm)) {
      if (disk.sizeBytes > rest * ZVOL_SHARE) return disk;
      rest -= disk.sizeBytes;
    }
    left = rest;
    return null;
  };
  const using = active.filter((vm) => thickDisks(vm).length > 0);
  return [...Map.groupBy(using, ({ type }) => type)].flatMap(([type, vms]) => {
    const free = left;
    const tooLarge = vms.flatMap((vm) => {
      const disk = place(vm);
      return disk === null ? [] : [{ vm, disk }];
    });
    const each = sum(thickDisks(tooLarge[0]?.vm));
    const message = `${needs(vms.length, type, `${formatBytes(each)} of space`)}${
      vms.length === 1 ? "" : " each"
    }, but ${parent} has ${formatBytes(free)} left and TrueNAS limits a zvol to 80 % of that: ${
      roomFor(vms.length - tooLarge.length)
    }. Lower the count or the size, or make the zvols sparse`;
    return [...Map.groupBy(tooLarge, ({ disk }) => disk.name)].map(([name, found]) => {
      return error(namesOf(found.map(({ vm }) => vm)), `${type}.disk.${name}`, message);
    });
  });
}

function thickDisks(vm: PlannedVm | undefined): DeviceOf<"DISK">[] {
  if (vm === undefined) return [];
  return planned(vm, "DISK").filter(({ adopt, sparse }) => !adopt && sparse !== true);
}

function sum(disks: readonly DeviceOf<"DISK">[]): number {
  return disks.reduce((total, { sizeBytes }) => total + sizeBytes, 0);
}

function checkSparseSpace(
  disks: readonly DeviceOf<"DISK">[],
  parent: string,
  availableBytes: number,
): Finding[] {
  const full = sum(disks);
  if (full <= availableBytes || !disks.some(({ sparse }) => sparse === true)) return [];
  const message = `The zvols total ${formatBytes(full)}, but ${parent} has ${
    formatBytes(availableBytes)
  } left; writes to sparse zvols fail when the pool is full`;
  return [warning("storage.pool_path", message)];
}

function findDataset(datasets: Reading<readonly Dataset[]>, name: string): Dataset | undefined {
  return datasets.known ? datasets.value.find((dataset) => dataset.name === name) : undefined;
}

function checkIso({ active, inventory, input }: Context): Finding[] {
  const path = input.configuration.storage.cdrom_path;
  const using = active.filter((vm) => planned(vm, "CDROM").length > 0);
  if (using.length === 0) return [];
  const refuse = (why: string) => [error(namesOf(using), "storage.cdrom_path", why)];
  if (input.rules.cdromRule === "not-pool-root" && /^\/mnt\/[^/]+\/[^/]+$/.test(path)) {
    return refuse(
      `${path} is in the pool's root, which this TrueNAS release does not allow; move it to a dataset such as iso`,
    );
  }
  const { files } = inventory;
  if (!files.known) return [notChecked("storage.cdrom_path", "The install image", files.because)];
  return files.value.get(path) === false
    ? refuse(`The file ${path} does not exist on the NAS; check the path, or upload the image`)
    : [];
}

/** Some images, such as Talos, exist with and without secure boot and say so in their name. */
function checkSecureBoot({ active, input }: Context): Finding[] {
  const path = input.configuration.storage.cdrom_path;
  const file = path.split("/").at(-1) ?? path;
  const signed = /secure-?boot/i.test(file);
  const using = firstOfEachType(active).filter((vm) => planned(vm, "CDROM").length > 0);
  return using.flatMap(({ type }) => {
    const { secureBoot } = input.templates(type);
    if (signed && !secureBoot) {
      const message = `${file} is built for secure boot, which ${type} does not use; set enable_secure_boot`;
      return [warning("storage.cdrom_path", message)];
    }
    if (secureBoot && !signed && /talos/i.test(file)) {
      const message =
        `${type} uses secure boot, but ${file} does not seem to support it; use the secureboot image`;
      return [warning("storage.cdrom_path", message)];
    }
    return [];
  });
}

/** TrueNAS does not start a VM with a missing image, so existing VMs are checked as well. */
function checkAttached(vms: readonly PlannedVm[], inventory: Inventory): Finding[] {
  const { files } = inventory;
  if (!files.known) return [];
  const having = vms.flatMap(({ name, vmId, steps }) => {
    const found = inventory.vms.find(({ id }) => id === vmId);
    const gone = (found?.cdroms ?? []).filter(({ path }) => files.value.get(path) === false);
    return gone.map(({ path }) => ({ name, path, starts: steps.includes("start") }));
  });
  const starting = having.filter(({ starts }) => starts);
  const others = Map.groupBy(having.filter(({ starts }) => !starts), ({ path }) => path);
  return [
    ...starting.map(({ name, path }) => error([name], "cdrom", describeGone(path, name))),
    ...[...others].map(([path, users]) =>
      warning("cdrom", describeGone(path, users.map(({ name }) => name).join(", ")))
    ),
  ];
}

function describeGone(path: string, users: string): string {
  return `The image ${path} of ${users} no longer exists on the NAS, and TrueNAS does not start a VM with a missing image; ` +
    "remove the install image on the VM's page, or restore the file";
}

/** An empty disk falls through to the CD-ROM; a CD-ROM that boots first restarts the installer at every boot. */
function checkBootOrder({ active }: Context): Finding[] {
  return firstOfEachType(active).flatMap((vm) => {
    const cdrom = planned(vm, "CDROM")[0];
    const disk = planned(vm, "DISK").toSorted((a, b) => a.order - b.order)[0];
    if (cdrom === undefined || disk === undefined || disk.order < cdrom.order) return [];
    const message =
      `The CD-ROM of ${vm.type} boots before its disk, so the installer starts at every boot until you remove the install image`;
    return [warning("storage.cdrom_path", message)];
  });
}

/** TrueNAS limits VNC passwords to 8 characters and offers no web client for VNC. */
const VNC_PASSWORD_CHARS = 8;

function checkDisplays({ active, input }: Context): Finding[] {
  const { rules, passwordChars } = input;
  const using = firstOfEachType(active).filter((vm) => planned(vm, "DISPLAY").length > 0);
  return using.flatMap(({ type }) => {
    const { displayType, web } = input.templates(type);
    const refuse = (
      message: string,
    ) => [error(namesOf(active.filter((vm) => vm.type === type)), "display", message)];
    if (!rules.displayTypes.includes(displayType)) {
      return refuse(
        `TrueNAS ${rules.id} does not support ${displayType} displays; choose ${
          rules.displayTypes.join(" or ")
        }`,
      );
    }
    if (passwordChars === 0) {
      return refuse("TrueNAS requires a display password; set VNC_PASSWORD");
    }
    if (displayType !== "VNC") return [];
    if (web) return refuse("TrueNAS has no web client for VNC; set web to false in the display's template");
    if (passwordChars === null || passwordChars <= VNC_PASSWORD_CHARS) return [];
    return refuse(
      `A VNC password can have at most ${VNC_PASSWORD_CHARS} characters and VNC_PASSWORD has ${passwordChars}; shorten it`,
    );
  });
}

function checkBridges({ active, inventory }: Context): Finding[] {
  const { nicChoices } = inventory;
  const wanted = active.flatMap((vm) => planned(vm, "NIC").map((nic) => ({ vm, nic })));
  if (wanted.length === 0) return [];
  if (!nicChoices.known) return [notChecked("network", "Bridges", nicChoices.because)];
  return wanted.filter(({ nic }) => !nicChoices.value.includes(nic.attach)).map(({ vm, nic }) =>
    error(
      [vm.name],
      `${vm.type}.network.${nic.name}`,
      `The NAS has no bridge or interface ${nic.attach}; choose from ${nicChoices.value.join(", ")}`,
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
      [vm.name],
      "display",
      `${display.bind} is not an address of the NAS; choose from ${bindChoices.value.join(", ")}`,
    )
  );
}

function checkPorts({ active }: Context): Finding[] {
  return active.flatMap((vm) =>
    planned(vm, "DISPLAY").filter(({ port }) => port === 0).map(() =>
      error([vm.name], "display", "No display port is free up to 65535; choose a lower first port")
    )
  );
}

function checkMacs({ active, inventory }: Context): Finding[] {
  const owners = new Map(inventory.vms.flatMap((vm) => vm.nics.map(({ mac }) => [mac, vm.name] as const)));
  return active.flatMap((vm) =>
    planned(vm, "NIC").flatMap((nic) => {
      const owner = owners.get(nic.mac);
      const twin = active.find((other) =>
        planned(other, "NIC").some((it) => it.mac === nic.mac && !(other === vm && it.step === nic.step))
      );
      const whose = owner !== undefined && owner !== vm.name ? owner : twin?.name;
      if (whose === undefined) return [];
      const message = `The MAC address ${nic.mac} already belongs to ${
        whose === vm.name ? "another NIC" : whose
      }; choose another one`;
      return [error([vm.name], `${vm.type}.network.${nic.name}`, message)];
    })
  );
}
