/** Finds the VMs of a type beyond its count. Pure. */
import { vmTypeOf } from "../../configuration/configuration.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { compareNames, typeOf } from "../../inventory/names.ts";
import type { CreationInput } from "../creation_input.ts";
import { foreignReason, NO_EVIDENCE } from "../destruction.ts";
import type { SurplusVm } from "../types.ts";
import { wantedNames } from "../wanted.ts";

type SurplusInput = Pick<CreationInput, "configuration" | "types" | "evidence" | "single"> & {
  readonly inventory: Pick<CreationInput["inventory"], "vms">;
};

/** VMs that are named like the planned types' VMs, were created here as such, and are not among those configured. */
export function findSurplus(input: SurplusInput): readonly SurplusVm[] {
  const { configuration, types, inventory: { vms }, evidence = NO_EVIDENCE, single } = input;
  // A VM that is planned by its own name belongs to no count.
  const counted = types.filter(({ name }) => name === undefined);
  return counted.flatMap((wanted) => {
    const section = vmTypeOf(configuration, wanted.type);
    const names = new Set(wantedNames(wanted, section));
    const isSurplus = (vm: Vm) =>
      typeOf(vm.name) === wanted.type && !names.has(vm.name) && single?.has(vm.name) !== true &&
      foreignReason(vm, evidence) === null;
    return vms.filter(isSurplus).toSorted((a, b) => compareNames(a.name, b.name))
      .map((vm) => toSurplus(vm, wanted.type, section.count));
  });
}

function toSurplus(vm: Vm, type: string, count: number): SurplusVm {
  const { id: vmId, uuid: vmUuid, name, state, vcpus, memoryMib } = vm;
  return { name, type, count, vmId, vmUuid, state, vcpus, memoryMib };
}
