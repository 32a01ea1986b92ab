/** Serves the simulated NAS alone. */
import type { Options } from "../../lib/command_line/arguments.ts";
import { EXIT, print, printError } from "../../lib/command_line/process.ts";
import { ConfigurationError } from "../../lib/errors/errors.ts";
import { describeSystemError, reasonOf } from "../../lib/errors/system_errors.ts";
import { portOpener } from "../../lib/simulator/guests/open_port.ts";
import { startSimulator } from "../../lib/simulator/simulator.ts";
import { aborted } from "./http/aborted.ts";

/** Prints the address and serves until the signal is aborted. */
export async function simulate(options: Options, signal: AbortSignal): Promise<number> {
  const openPort = portOpener(tellOnce());
  await using simulator = await startSimulator({ ...options.simulator, guests: {}, openPort }).catch(
    explainPort,
  );
  const { version, url } = simulator;
  print(
    options.json
      ? JSON.stringify({ version, url, username: "admin", password: "truenas" })
      : `Simulated TrueNAS ${version} at ${url} (account admin, password truenas)`,
  );
  await aborted(signal);
  return EXIT.done;
}

/** Says once for each port why guests cannot listen there: most ports below 1024 are for root only. */
function tellOnce(): (port: number, error: Error) => void {
  const told = new Set<number>();
  return (port, error) => {
    if (!told.has(port)) printError(`Simulated guests cannot open port ${port} here: ${reasonOf(error)}`);
    told.add(port);
  };
}

function explainPort(cause: unknown): never {
  const why = describeSystemError(cause);
  if (why === null) throw cause;
  const message = `The simulated NAS cannot listen on this port: ${why}. Choose another port, or omit --port`;
  throw new ConfigurationError("simulate", [{ field: "--port", message }], { cause });
}
