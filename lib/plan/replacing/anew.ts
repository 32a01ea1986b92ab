/** Replaces a VM on request, although it does not differ from its type. Pure. */
import type { Difference, PlannedVm } from "../types.ts";

/** The disk that has the system. */
const FIRST_DISK = "disk0";

/** A VM whose first disk is made again, as that of a new VM; one that is blocked stays so. */
export function madeAnew(vm: PlannedVm, { image }: { readonly image?: string | undefined }): PlannedVm {
  if (vm.action === "blocked") return vm;
  const hasDisk = vm.devices.some(({ step }) => step === FIRST_DISK) && !vm.missing.includes(FIRST_DISK);
  const isThere = vm.differences.some(({ field, replaces }) => replaces && field === FIRST_DISK);
  const disk: Difference = {
    field: FIRST_DISK,
    wanted: image === undefined ? "a new disk" : `a new disk from ${image}`,
    found: "the present one",
    needsStop: true,
    never: null,
    change: null,
    replaces: true,
    kind: "hardware",
  };
  return {
    ...vm,
    action: "replace",
    reasons: ["it is to be replaced"],
    differences: hasDisk && !isThere ? [...vm.differences, disk] : vm.differences,
    steps: [],
  };
}
