/**
 * Whether VMs still are as their types say, from their names, the journal and the configuration of now. Nothing is asked
 * of the NAS, and a VM is compared again only when it, the configuration or a template has changed.
 */
import type { Configuration } from "../../lib/configuration/configuration.ts";
import type { VmTypeSection } from "../../lib/configuration/sections.ts";
import { ConfigurationError } from "../../lib/errors/errors.ts";
import type { Vm } from "../../lib/inventory/inventory.ts";
import { isMarked } from "../../lib/inventory/marks.ts";
import { typeOf } from "../../lib/inventory/names.ts";
import { type CreateRequest, creationsOf, isSingle } from "../../lib/operations/record/history.ts";
import type { Busy } from "../../lib/operations/record/store.ts";
import type { VMManager } from "../../lib/vm_manager.ts";
import type { TypeMatch } from "../../templates/parts/vm/type_match.tsx";
import type { Dashboard } from "../server/dashboard.ts";

/** How a VM compares with its type; null for one that was made otherwise, and while that is not known. */
export type TypeMatcher = (vm: Vm, busy: Busy | null) => TypeMatch | null;

/** Compares VMs with the configuration as it is now, which is read once. */
export function typeMatcher(dashboard: Dashboard): TypeMatcher {
  const { manager } = dashboard;
  const matches = matchesOf.get(manager) ?? new TypeMatches(manager);
  matchesOf.set(manager, matches);
  const configuration = configurationNow(dashboard);
  return (vm, busy) => matches.match(vm, busy, configuration);
}

/** The configuration, which stays the same object until its text changes; null while it cannot be read. */
export function configurationNow({ configuration }: Dashboard): Configuration | null {
  try {
    return configuration().configuration;
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    return null;
  }
}

const matchesOf = new WeakMap<VMManager, TypeMatches>();

/** What a VM was compared with. */
interface Against {
  readonly configuration: Configuration;
  readonly templates: number;
  /** The creation that made the VM. */
  readonly made: CreateRequest | null;
}

class TypeMatches {
  readonly #manager: VMManager;
  /** A VM that changes becomes a new object. */
  readonly #known = new WeakMap<Vm, { readonly against: Against; readonly match: TypeMatch | null }>();
  #creations: ReturnType<typeof creationsOf> | null = null;

  constructor(manager: VMManager) {
    this.#manager = manager;
    manager.operations.store.onEvent((_view, { type }) => {
      if (type === "vm") this.#creations = null;
    });
  }

  match(vm: Vm, busy: Busy | null, configuration: Configuration | null): TypeMatch | null {
    const type = typeOf(vm.name);
    if (type === null || !isMarked(vm.description)) return null;
    // What is made or destroyed step by step differs only until it is done.
    if (busy !== null && busy.steps > 1) return null;
    this.#creations ??= creationsOf(this.#manager.operations.store.list());
    const made = this.#creations.get(vm.name) ?? null;
    // The form for one VM has a type of its own, which is nowhere else.
    if (made !== null && isSingle(made, vm.name)) return null;
    if (configuration === null) return { kind: "unreadable", type };
    const against = { configuration, templates: this.#manager.templates.revision, made };
    const known = this.#known.get(vm);
    if (known !== undefined && isSame(known.against, against)) return known.match;
    const match = this.#compare(vm, type, against);
    // Without a connection nothing is compared.
    if (match !== null) this.#known.set(vm, { against, match });
    return match;
  }

  #compare(vm: Vm, type: string, { configuration, made }: Against): TypeMatch | null {
    const { types } = configuration;
    if (!Object.hasOwn(types, type)) return made === null ? null : { kind: "gone", type };
    try {
      const compared = this.#manager.operations.compareWithType(configuration, type, vm);
      if (compared === null) return null;
      const number = Number(vm.name.slice(type.length));
      const count = types[type]?.count ?? 0;
      return {
        kind: "compared",
        type,
        differences: compared.differences,
        missing: compared.reasons.filter((reason) => reason.startsWith("missing: ")),
        missingDevices: compared.missing.length,
        surplus: number > count ? count : null,
        isChanged: made !== null &&
          this.#shapeOf(made.configuration.types[type]) !== this.#shapeOf(types[type]),
      };
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return { kind: "unreadable", type };
    }
  }

  /** What a section says of each VM, comparable whether a form wrote every value out or the file only some. */
  #shapeOf(section: VmTypeSection | undefined): string {
    if (section === undefined) return "";
    const { memory, cpu, disk, network, macs, description, template } = section;
    const { threads = 1, autostart = this.#manager.templates.defaults.autostart, sparse = false } = section;
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
}

function isSame(a: Against, b: Against): boolean {
  return a.configuration === b.configuration && a.templates === b.templates && a.made === b.made;
}
