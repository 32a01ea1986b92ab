/** The simulated NAS on its own thread, so that it does not share time with the code being measured. */
import { startSimulator } from "../../lib/simulator/simulator.ts";
import type { SimulatorOptions } from "../../lib/simulator/types.ts";

/** A NAS on another thread. */
export interface DistantNas extends Disposable {
  readonly url: string;
}

/** Starts one, reached over the network or as on the NAS itself. */
export async function startDistantNas(
  options: SimulatorOptions,
  way: "unix socket" | "network" = "network",
): Promise<DistantNas> {
  const folder = await Deno.makeTempDir();
  const unixPath = `${folder}/middlewared.sock`;
  const worker = new Worker(import.meta.url, { type: "module", name: "nas" });
  const ready = Promise.withResolvers<string>();
  worker.onmessage = ({ data }) => ready.resolve(data);
  worker.postMessage(way === "network" ? options : { ...options, unixPath });
  const url = await ready.promise;
  return {
    url: way === "network" ? url : `unix:${unixPath}`,
    [Symbol.dispose]: () => {
      worker.terminate();
      Deno.removeSync(folder, { recursive: true });
    },
  };
}

const scope = globalThis as unknown as {
  name?: string;
  onmessage: (message: { data: SimulatorOptions }) => void;
  postMessage: (url: string) => void;
};
if (scope.name === "nas") {
  scope.onmessage = async ({ data }) => scope.postMessage((await startSimulator(data)).url);
}
