/** Renders the seeds of one operation, from what its plan has shown. */
import { type Configuration, vmTypeOf } from "../../configuration/configuration.ts";
import { ConfigurationError, TrueNASError } from "../../errors/errors.ts";
import { type SeededVm, seedFacts } from "../planning/seed_facts.ts";
import { renderSeed } from "../rendering/render_seed.ts";
import { readSeedTexts, seedDigest } from "../rendering/seed_texts.ts";
import type { RenderedSeed, SeedFiles, SeedTexts } from "../rendering/seed.ts";
import type { PlannedSeed } from "../types.ts";

/** Makes a seed; `phoneHomeUrl` is null when nobody listens. */
export type RenderSeed = (phoneHomeUrl: string | null) => RenderedSeed;

/** The seeds of an operation. */
export interface SeedSource {
  /**
   * Reads what the seed of a VM is made from, and renders it once. `planned` is what was shown; null when nothing was.
   *
   * @throws {TrueNASError} when it cannot be read or rendered, or is no longer what was shown.
   */
  prepare(vm: SeededVm, uuid: string, planned: PlannedSeed | null): Promise<RenderSeed>;
}

/** The seeds that a configuration describes; texts are read once, and kept in memory only. */
export function seedSource(configuration: Configuration, files: SeedFiles): SeedSource {
  const read = new Map<string, Promise<SeedTexts>>();
  return {
    async prepare(vm, uuid, planned) {
      const { seed: section, count } = vmTypeOf(configuration, vm.type);
      if (section === undefined) throw new TrueNASError(`${vm.type} has no first configuration (seed)`);
      const keys = planned === null ? {} : { keys: planned.keys };
      const texts = await explained(vm, () => {
        const found = read.get(vm.type) ?? readSeedTexts(section, files, keys);
        read.set(vm.type, found);
        return found;
      });
      if (planned !== null && planned.digest !== seedDigest(section, texts)) {
        throw new TrueNASError(
          `What the first configuration (seed) of ${vm.name} is made from has changed since the plan was shown; plan again`,
        );
      }
      const render: RenderSeed = (phoneHomeUrl) =>
        renderSeed(section, seedFacts(vm, { section, count }, { instanceId: uuid, phoneHomeUrl }), texts);
      await explained(vm, () => Promise.resolve(render(null)));
      return render;
    },
  };
}

async function explained<T>({ name }: SeededVm, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (!(cause instanceof ConfigurationError)) throw cause;
    throw new TrueNASError(`The first configuration (seed) of ${name} cannot be made: ${cause.message}`, {
      cause,
    });
  }
}
