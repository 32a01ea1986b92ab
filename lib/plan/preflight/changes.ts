/** Rules about what would be changed in VMs that exist. */
import { formatBytes } from "../../units.ts";
import type { PlannedChange } from "../changes.ts";
import { findDataset } from "../creation_input.ts";
import type { Finding, PlannedVm } from "../types.ts";
import { type Context, error } from "./rule.ts";

/** All findings about the changes of these VMs. */
export function checkChanges(
  vms: readonly PlannedVm[],
  context: Omit<Context, "active">,
): readonly Finding[] {
  const changing = vms.filter(({ action }) => action === "change");
  return [
    ...checkVcpus(changing, context),
    ...checkAttributes(changing, context),
    ...checkGrowth(changing, context),
  ];
}

function changesOf<K extends PlannedChange["kind"]>({ differences }: PlannedVm, kind: K) {
  return differences.flatMap(({ change }) =>
    change?.kind === kind ? [change as Extract<PlannedChange, { kind: K }>] : []
  );
}

/** TrueNAS's limit on the product of sockets, cores and threads, for when it cannot be read. */
const MAXIMUM_VCPUS = 255;

function checkVcpus(changing: readonly PlannedVm[], { inventory }: Omit<Context, "active">): Finding[] {
  const most = inventory.maximumVcpus.known ? inventory.maximumVcpus.value : MAXIMUM_VCPUS;
  return changing.filter((vm) => vm.vcpus > most && changesOf(vm, "settings").length > 0).map((vm) =>
    error([vm], `${vm.type}.cpu`, `${vm.vcpus} vCPUs exceed TrueNAS's limit of ${most} per VM; lower cpu`)
  );
}

function checkAttributes(
  changing: readonly PlannedVm[],
  { inventory: { nicChoices, bindChoices, files, vms } }: Omit<Context, "active">,
): Finding[] {
  return changing.flatMap((vm) =>
    changesOf(vm, "device").flatMap(({ device, set }): Finding[] => {
      const planned = vm.devices.find(({ step }) => step === device);
      const name = planned?.dtype === "NIC" ? planned.name : device;
      const { nic_attach: attach, bind, path, mac } = set;
      const found: Finding[] = [];
      if (typeof attach === "string" && nicChoices.known && !nicChoices.value.includes(attach)) {
        const message = `The NAS has no bridge or interface ${attach}; choose from ${
          nicChoices.value.join(", ")
        }`;
        found.push(error([vm], `${vm.type}.network.${name}`, message));
      }
      const owner = vms.find((it) => it.id !== vm.vmId && it.nics.some((nic) => nic.mac === mac));
      if (typeof mac === "string" && owner !== undefined && !isGivenUp(changing, owner.id, mac)) {
        const message = `The MAC address ${mac} already belongs to ${owner.name}; choose another one`;
        found.push(error([vm], `${vm.type}.network.${name}`, message));
      }
      if (typeof bind === "string" && bindChoices.known && !bindChoices.value.includes(bind)) {
        const message = `${bind} is not an address of the NAS; choose from ${bindChoices.value.join(", ")}`;
        found.push(error([vm], "display", message));
      }
      if (typeof path === "string" && files.known && files.value.get(path) === false) {
        found.push(error([vm], "storage.cdrom_path", `The image ${path} does not exist on the NAS`));
      }
      return found;
    })
  );
}

/** Whether the plan gives the VM that has the MAC address another one. */
function isGivenUp(changing: readonly PlannedVm[], vmId: number, mac: string): boolean {
  const owner = changing.find((vm) => vm.vmId === vmId);
  return owner !== undefined && changesOf(owner, "device").some(({ was }) => was.mac === mac);
}

/** TrueNAS limits a zvol to 80 % of what is free and what the zvol has already. */
const ZVOL_SHARE = 0.8;

/** Each larger disk is checked against what those before it leave. */
function checkGrowth(changing: readonly PlannedVm[], { input }: Omit<Context, "active">): Finding[] {
  const parent = findDataset(input, input.configuration.storage.pool_path);
  if (parent === undefined || parent.availableBytes === null) return [];
  let freeBytes = parent.availableBytes;
  return changing.flatMap((vm) =>
    changesOf(vm, "grow").flatMap(({ device, zvol, sizeBytes, wasBytes, force }): Finding[] => {
      const disk = vm.devices.find(({ step }) => step === device);
      const field = `${vm.type}.disk.${disk?.dtype === "DISK" ? disk.name : device}`;
      const more = sizeBytes - wasBytes;
      const left = `${parent.name} has ${formatBytes(freeBytes)} left`;
      const remedy = "Lower the size, free space, or make the zvols sparse";
      const isSparse = disk?.dtype === "DISK" && disk.sparse === true;
      if (!force && sizeBytes > (freeBytes + (isSparse ? 0 : wasBytes)) * ZVOL_SHARE) {
        const limit = "TrueNAS limits a zvol to 80 % of that and what it has";
        return [
          error(
            [vm],
            field,
            `${zvol} cannot grow to ${formatBytes(sizeBytes)}: ${left}, and ${limit}. ${remedy}`,
          ),
        ];
      }
      if (!isSparse && more > freeBytes) {
        return [error([vm], field, `${zvol} cannot grow by ${formatBytes(more)}: ${left}. ${remedy}`)];
      }
      if (!isSparse) freeBytes -= more;
      return [];
    })
  );
}
