/**
 * The program as packages contain it: bundled with the npm packages that it uses, into few files of JavaScript. A
 * machine then needs no cache and no network, nothing of the tests is included, and it starts in half the time.
 */
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import process from "node:process";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import project from "../deno.json" with { type: "json" };
import { run } from "./command.ts";
import { type InstalledPackage, moduleGraph } from "./module_graph.ts";

const ROOT = new URL("../", import.meta.url);

/** What runs in a process or worker of its own. */
const ENTRY_POINTS = ["main.ts", ...project.compile.include];

/** An npm package that the program uses. */
export interface NpmPackage {
  readonly name: string;
  readonly version: string;
  /** The folder with its files. */
  readonly folder: string;
}

/** What the program consists of. */
export interface Sources {
  /** Paths from the project's folder, sorted. */
  readonly files: readonly string[];
  /** Sorted by name. */
  readonly packages: readonly NpmPackage[];
}

/**
 * What packages load of others. The agents' SDK names a web server and more as its dependencies, which the program does not
 * load. Bundling fails where one is missing here, and a test where one is not in the bundle.
 */
const LOADED_BY_PACKAGES = [
  "ajv",
  "ajv-formats",
  "fast-deep-equal",
  "fast-uri",
  "json-schema-traverse",
  "zod-to-json-schema",
];

/** Finds the program's own files and npm packages through its imports. Deno checks packages against deno.lock. */
export async function readSources(): Promise<Sources> {
  await run(process.execPath, ["install", "--frozen", "--entrypoint", ...ENTRY_POINTS]);
  const files = new Set<string>();
  const packages = new Map<string, NpmPackage>();
  for (const entryPoint of ENTRY_POINTS) {
    const graph = await moduleGraph(entryPoint);
    const installed = Object.values(graph.npmPackages);
    const add = ({ name, version, localPath, dependencies }: InstalledPackage) => {
      if (packages.has(name)) return;
      packages.set(name, { name, version, folder: localPath });
      for (const loaded of dependencies.flatMap((key) => graph.npmPackages[key] ?? [])) {
        if (LOADED_BY_PACKAGES.includes(loaded.name)) add(loaded);
      }
    };
    for (const { specifier } of graph.modules) {
      if (specifier.startsWith(ROOT.href)) files.add(decodeURI(specifier.slice(ROOT.href.length)));
      const [, spec] = /^npm:\/?((?:@[^/]+\/)?[^/]+@[^/]+)/.exec(specifier) ?? [];
      const found = installed.find(({ name, version }) => `${name}@${version}` === spec);
      if (found !== undefined) add(found);
      else if (spec !== undefined) {
        throw new Error(`The npm package ${spec} is not installed`);
      }
    }
  }
  const byName = [...packages.values()].sort((a, b) => a.name < b.name ? -1 : 1);
  return { files: [...files].sort(), packages: byName };
}

/** Bundles the program into a folder. */
export async function bundleProgram({ files, packages }: Sources, folder: string): Promise<void> {
  const stage = await mkdtemp(`${tmpdir()}/truenas-vm-manager-bundle-`);
  try {
    for (const file of files) {
      await mkdir(dirname(`${stage}/${file}`), { recursive: true });
      await copyFile(fileURLToPath(new URL(file, ROOT)), `${stage}/${file}`);
    }
    // From a folder of their own, packages have the same paths on every machine; a bundle names them in comments.
    for (const { name, folder } of packages) {
      await mkdir(dirname(`${stage}/node_modules/${name}`), { recursive: true });
      await run("cp", ["-R", folder, `${stage}/node_modules/${name}`]);
    }
    const names = packages.map(({ name }) => name);
    const imports = Object.entries(project.imports).filter(([, to]) =>
      names.some((name) => to.startsWith(`npm:${name}@`))
    );
    const { compilerOptions, unstable } = project;
    const settings = {
      imports: Object.fromEntries(imports),
      compilerOptions,
      unstable,
      nodeModulesDir: "manual",
      lock: false,
    };
    await writeFile(`${stage}/bundle.json`, JSON.stringify(settings));
    const options = ["--quiet", "--config=bundle.json", "--code-splitting", `--outdir=${folder}`];
    await run(process.execPath, ["bundle", ...options, ...ENTRY_POINTS], { cwd: stage });
    await nameWorkers(`${folder}/main.js`);
  } finally {
    await rm(stage, { recursive: true });
  }
}

/** Workers are started by the names of their files, which are JavaScript now. */
async function nameWorkers(main: string): Promise<void> {
  let text = await readFile(main, "utf8");
  for (const path of project.compile.include) {
    const [before, after, ...more] = text.split(`"./${path}"`);
    if (before === undefined || after === undefined || more.length > 0) {
      throw new Error(`The bundled program should start ${path} in one place`);
    }
    text = `${before}"./${path.replace(/\.ts$/, ".js")}"${after}`;
  }
  await writeFile(main, text);
}
