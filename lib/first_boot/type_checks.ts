/** What the sections of first boot must have in common with the rest of their VM type. Pure. */
import { show } from "../inputs.ts";
import { tagProblems } from "./rendering/template.ts";
import { variableNames } from "./rendering/variables.ts";
import type { ReadySection, SeedSection } from "./types.ts";

/** The parts of a VM type that matter here. */
export interface FirstBootSections {
  readonly count: number;
  readonly network: Readonly<Record<string, string>>;
  readonly seed?: SeedSection | undefined;
  readonly ready?: ReadySection | undefined;
}

/** A problem, by its path within the type. */
export interface FirstBootProblem {
  readonly path: readonly (string | number)[];
  readonly message: string;
}

/** Everything that does not fit together. */
export function firstBootProblems(type: FirstBootSections): FirstBootProblem[] {
  return [...seedProblems(type), ...readyProblems(type)];
}

function seedProblems({ count, network, seed }: FirstBootSections): FirstBootProblem[] {
  if (seed === undefined) return [];
  const networks = Object.keys(network);
  const { hostname, run = [] } = seed;
  const problems: FirstBootProblem[] = run.flatMap((command, index) =>
    tagProblems(command, variableNames(networks, { hostname: true }))
      .map((message) => ({ path: ["seed", "run", index], message }))
  );
  if (hostname === undefined) return problems;
  const wrong = tagProblems(hostname, variableNames(networks, { hostname: false }));
  const path = ["seed", "hostname"];
  if (wrong.length === 0 && count > 1 && !/\{\{\s*vm\./.test(hostname)) {
    const message = `All ${count} VMs would have the host name ${show(hostname)}; add {{ vm.index }} to it`;
    return [...problems, { path, message }];
  }
  return [...problems, ...wrong.map((message) => ({ path, message }))];
}

function readyProblems({ seed, ready }: FirstBootSections): FirstBootProblem[] {
  if (ready?.when !== "phone-home" || seed?.kind === "cloud-init") return [];
  const message =
    "Only a guest with a seed of kind cloud-init phones home; add one, or wait for a port: tcp:22";
  return [{ path: ["ready"], message }];
}
