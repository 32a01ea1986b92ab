/** Rules about first configurations (seeds). */
import { vmTypeOf } from "../../configuration/configuration.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import { seedArgumentProblem } from "../../first_boot/command_line_args.ts";
import { seedFacts } from "../../first_boot/planning/seed_facts.ts";
import { seedUrlChars } from "../../first_boot/planning/seed_way.ts";
import { renderSeed } from "../../first_boot/rendering/render_seed.ts";
import type { Finding, PlannedVm } from "../types.ts";
import { type Context, error, firstOfEachType, type Rule } from "./rule.ts";

/** The rules about VMs that get a seed. */
export const SEED_RULES: readonly Rule[] = [checkContents, checkWay, checkArguments];

function seededOf({ active }: Context): readonly PlannedVm[] {
  return active.filter(({ seed, steps }) => seed !== undefined && steps.includes("seed"));
}

function fieldOf({ type }: PlannedVm): string {
  return `${type}.seed`;
}

/** Each seed is rendered as its guest would get it; what comes of it is kept nowhere. */
function checkContents(context: Context): Finding[] {
  const { configuration, seeds } = context.input;
  return seededOf(context).flatMap((vm) => {
    const { seed: section, count } = vmTypeOf(configuration, vm.type);
    const read = seeds?.types.get(vm.type);
    if (section === undefined || read === undefined) return [];
    if (!read.known) return [error([vm], fieldOf(vm), read.because)];
    try {
      const instance = { instanceId: PLANNED_INSTANCE, phoneHomeUrl: PLANNED_URL };
      renderSeed(section, seedFacts(vm, { section, count }, instance), read.texts);
      return [];
    } catch (problem) {
      if (!(problem instanceof ConfigurationError)) throw problem;
      return [error([vm], fieldOf(vm), problem.message)];
    }
  });
}

/** The uuid and the address are chosen when a VM is created. */
const PLANNED_INSTANCE = "00000000-0000-4000-8000-000000000000";
const PLANNED_URL = "http://192.0.2.1/phone-home";

function checkWay(context: Context): Finding[] {
  return firstOfEachType(seededOf(context)).flatMap((vm) => {
    if (vm.seed?.way !== "disk") return [];
    const same = seededOf(context).filter(({ type }) => type === vm.type);
    return [error(
      same,
      fieldOf(vm),
      `The first configuration (seed) of ${vm.type} would have to come by a disk, because ${vm.seed.reason}; ` +
        "this version gives guests their seeds by URL only. Set SEED_HOST to an address of this machine that guests reach",
    )];
  });
}

/** TrueNAS takes a limited number of characters, and a guest finds only one address. */
function checkArguments(context: Context): Finding[] {
  const { seeds, templates } = context.input;
  const host = seeds?.host ?? null;
  return firstOfEachType(seededOf(context)).flatMap((vm) => {
    if (vm.seed?.way !== "url" || host === null) return [];
    const args = templates(vm.type).stated.columns?.command_line_args;
    const why = seedArgumentProblem(typeof args === "string" ? args : "", seedUrlChars(host));
    if (why === null) return [];
    const same = seededOf(context).filter(({ type }) => type === vm.type);
    return [error(
      same,
      fieldOf(vm),
      `The guests of ${vm.type} cannot be told where their seed is by command_line_args of its template: ${why}`,
    )];
  });
}
