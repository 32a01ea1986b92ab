/** Whether a VM still is as its type says, from its name, the journal and the configuration of now. */
import type { VmTypeSection } from "../../lib/configuration/sections.ts";
import { ConfigurationError } from "../../lib/errors/errors.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { isMarked } from "../../lib/inventory/marks.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import type { TypeMatch } from "../../templates/parts/vm/type_match.tsx";
import type { Dashboard } from "../server/dashboard.ts";

/** How a VM compares with its type; null for one that was made otherwise, and while that is not known. */
export function typeMatchOf(dashboard: Dashboard, vm: Vm): TypeMatch | null {
  const { manager, configuration } = dashboard;
  const type = typeOf(vm.name);
  if (type === null || !isMarked(vm.description)) return null;
  if (manager.operations.store.busy(vm.name) !== null) return null;
  const made = creationOf(dashboard, vm.name);
  const wanted = made?.types.find((it) => vm.name.startsWith(it.name ?? it.type));
  // The form for one VM has a type of its own, which is nowhere else.
  if (wanted?.name !== undefined) return null;
  try {
    const now = configuration().configuration;
    if (!Object.hasOwn(now.types, type)) return made === null ? null : { kind: "gone", type };
    const compared = manager.operations.compareWithType(now, type, vm);
    if (compared === null) return null;
    const number = Number(vm.name.slice(type.length));
    const count = now.types[type]?.count ?? 0;
    return {
      kind: "compared",
      type,
      differences: compared.differences,
      missing: compared.reasons.filter((reason) => reason.startsWith("missing: ")),
      surplus: number > count ? count : null,
      isChanged: made !== null &&
        shapeOf(dashboard, made.configuration.types[type]) !== shapeOf(dashboard, now.types[type]),
    };
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return { kind: "unreadable", type };
  }
}

/** What a section says of each VM, comparable whether a form wrote every value out or the file only some. */
function shapeOf({ manager }: Dashboard, section: VmTypeSection | undefined): string {
  if (section === undefined) return "";
  const { memory, cpu, disk, network, macs, description, template } = section;
  const { threads = 1, autostart = manager.templates.defaults.autostart, sparse = false } = section;
  return JSON.stringify({
    memory,
    cpu,
    threads,
    disk,
    network,
    macs,
    description,
    autostart,
    sparse,
    template,
  });
}

/** The latest creation that made a VM of this name; null when the journal does not have it. */
function creationOf({ manager }: Dashboard, name: string) {
  for (const { request, vms } of manager.operations.store.list()) {
    const made = vms.some((vm) => vm.name === name && vm.outcome === "created");
    if (made && request?.kind === "create") return request;
  }
  return null;
}
