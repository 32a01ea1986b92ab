/**
 * Checks a whole batch before the first write. Each rule predicts one of TrueNAS's refusals; if its reading is not
 * available, the rule becomes a warning. Pure.
 */
import type { CreationInput } from "../creation_input.ts";
import type { Finding, PlannedVm } from "../types.ts";
import { checkAddresses } from "./addresses.ts";
import { checkChanges } from "./changes.ts";
import { DISPLAY_RULES } from "./displays.ts";
import { checkAttachedImages, IMAGE_RULES } from "./images.ts";
import { MEMORY_RULES } from "./memory.ts";
import { NAME_RULES } from "./names.ts";
import { NETWORK_RULES } from "./network.ts";
import { READY_RULES } from "./ready.ts";
import { RIGHTS_RULES } from "./rights.ts";
import type { Rule } from "./rule.ts";
import { SEED_RULES } from "./seeds.ts";
import { SPACE_RULES } from "./space.ts";
import { DISK_IMAGE_RULES } from "./disk_images.ts";
import { DISK_SOURCE_RULES } from "./disk_sources.ts";
import { ZVOL_RULES } from "./zvols.ts";

const RULES: readonly Rule[] = [
  ...NAME_RULES,
  ...MEMORY_RULES,
  ...ZVOL_RULES,
  ...DISK_IMAGE_RULES,
  ...DISK_SOURCE_RULES,
  ...SPACE_RULES,
  ...IMAGE_RULES,
  ...DISPLAY_RULES,
  ...NETWORK_RULES,
  ...RIGHTS_RULES,
  ...READY_RULES,
  ...SEED_RULES,
];

/** All findings; one with the same message and field is reported once, for all its VMs. */
export function preflight(vms: readonly PlannedVm[], input: CreationInput): readonly Finding[] {
  const all = vms.map(withMissing);
  const active = all.filter(({ steps }) => steps.length > 0);
  const context = { input, inventory: input.inventory, active };
  const found = active.length === 0 ? [] : RULES.flatMap((rule) => rule(context));
  const causes = Map.groupBy(
    [
      ...found,
      ...checkAddresses(all, input),
      ...checkChanges(vms, { input, inventory: input.inventory }),
      ...checkAttachedImages(vms, input.inventory),
    ],
    ({ severity, field, message }) => JSON.stringify([severity, field, message]),
  );
  return [...causes.values()].flatMap((same) =>
    same.slice(0, 1).map((finding) => {
      const line = input.places?.get(finding.field)?.line;
      const names = [...new Set(same.flatMap(({ vms }) => vms))];
      return { ...finding, vms: names, ...(line === undefined ? {} : { line }) };
    })
  );
}

/** What a VM lacks is checked also where it is added only if the VM is selected. */
function withMissing(vm: PlannedVm): PlannedVm {
  return vm.action === "change" && vm.steps.length === 0 ? { ...vm, steps: vm.missing } : vm;
}
