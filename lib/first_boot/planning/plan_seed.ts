/** Adds the first configuration (seed) to the VMs of a plan that get one. Pure. */
import { type Configuration, vmTypeOf } from "../../configuration/configuration.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import type { Vm } from "../../inventory/inventory.ts";
import { isMarked } from "../../inventory/marks.ts";
import type { PlannedVm } from "../../plan/types.ts";
import { seedHostname } from "../rendering/render_seed.ts";
import { keyFilesOf, seedDigest, seedFilesOf } from "../rendering/seed_texts.ts";
import type { PlannedSeed, SeedSection } from "../types.ts";
import { hostNameFacts } from "./seed_facts.ts";
import type { SeedsRead } from "./seeds_read.ts";
import { seedWay } from "./seed_way.ts";

/** What planning a seed needs. */
export interface SeedInput {
  readonly configuration: Configuration;
  /** Absent where nothing is going to be created. */
  readonly seeds?: SeedsRead;
}

/**
 * The step that gives a VM its seed comes last before its start, so that the guest finds it at its first boot. `isAwaited`: it is in
 * its first boot.
 */
export function withSeed(
  input: SeedInput,
  vm: PlannedVm,
  existing: Vm | undefined,
  isAwaited = false,
): PlannedVm {
  const { seeds } = input;
  const section = vmTypeOf(input.configuration, vm.type);
  if (section.seed === undefined || seeds === undefined) return vm;
  if (!isAwaited && !getsSeed(vm, existing)) return vm;
  const seeded = { ...vm, seed: plannedSeed(vm, section.seed, section.count, seeds) };
  if (vm.action === "replace" || isAwaited) return seeded;
  const at = vm.steps.findIndex((step) => step === "start" || step === "ready");
  const before = at < 0 ? vm.steps.length : at;
  const steps = [...vm.steps.slice(0, before), "seed", ...vm.steps.slice(before)];
  if (vm.action !== "keep") return { ...seeded, steps };
  return {
    ...seeded,
    action: "complete",
    reasons: [...vm.reasons, "it has no first configuration (seed) yet"],
    steps,
  };
}

/** A guest that has booted once keeps what it has; only one that was never started can still be given a seed. */
function getsSeed({ action, steps }: PlannedVm, existing: Vm | undefined): boolean {
  if (action === "create" || action === "replace") return true;
  if (existing?.state !== "STOPPED" || existing.everStarted !== false || !isMarked(existing.description)) {
    return false;
  }
  if (action === "keep") return existing.seeded !== true;
  return (action === "complete" || action === "change") &&
    (steps.includes("start") || (steps.length > 0 && existing.seeded !== true));
}

function plannedSeed(vm: PlannedVm, section: SeedSection, count: number, seeds: SeedsRead): PlannedSeed {
  const read = seeds.types.get(vm.type);
  const texts = read?.known === true ? read.texts : null;
  return {
    kind: section.kind,
    hostname: hostnameOf(vm, section, count),
    ...seedWay(section, seeds, vm.devices),
    files: [...new Set([...seedFilesOf(section), ...keyFilesOf(section)])],
    keys: texts?.keys ?? [],
    digest: texts === null ? "" : seedDigest(section, texts),
  };
}

/** A host name that is wrong is reported by the rules, which read this plan. */
function hostnameOf(vm: PlannedVm, section: SeedSection, count: number): string {
  try {
    return seedHostname(section, hostNameFacts(vm, count));
  } catch (error) {
    if (error instanceof ConfigurationError) return vm.name;
    throw error;
  }
}
