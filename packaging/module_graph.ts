/** What a module is made of: the modules and npm packages that it imports, directly or not. */
import process from "node:process";
import { run } from "./command.ts";

/** As `deno info --json` prints it. */
export interface ModuleGraph {
  readonly modules: readonly { readonly specifier: string }[];
  readonly npmPackages: Readonly<Record<string, InstalledPackage>>;
}

/** An npm package, where it is installed. */
export interface InstalledPackage {
  readonly name: string;
  readonly version: string;
  /** The folder with its files. */
  readonly localPath: string;
  /** Keys of {@link ModuleGraph.npmPackages}. */
  readonly dependencies: readonly string[];
}

/** Follows the imports of a module. */
export async function moduleGraph(module: string, options: readonly string[] = []): Promise<ModuleGraph> {
  return JSON.parse(await run(process.execPath, ["info", "--json", ...options, module]));
}
