/**
 * `deno task pack` builds the library as an npm package, in dist: JavaScript and types, for Node and for Deno. The same
 * sources give the same bytes on every machine.
 */
import { createHash } from "node:crypto";
import {
  copyFile,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import project from "../../deno.json" with { type: "json" };
import { compress, makeTar } from "../archive.ts";
import { run } from "../command.ts";
import { moduleGraph } from "../module_graph.ts";
import { COMMAND } from "../tree.ts";
import { TSC } from "./typescript.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What can be imported, and its modules. */
const EXPORTS = Object.entries(project.exports).map(([name, module]) => ({
  name,
  module: module.replace(/^\.\//, ""),
}));
const MODULES = EXPORTS.map(({ module }) => module);

/** Which runtime is used; the package has both, of which the one that imports it takes its own. */
const CHOICE = "lib/runtime/runtime.ts";
const DENO = "lib/runtime/deno.ts";
const NODE = "lib/runtime/node.ts";
const NODE_SOURCE = "packaging/npm/node.ts";
/** The compiler, and the types that it needs. */
const COMPILER = "packaging/npm/typescript.ts";

/** Node has what the library uses from here on. */
const OLDEST_NODE = "22.15.0";

/** What the package is made of. */
interface Contents {
  /** Paths from the project's folder. */
  readonly files: readonly string[];
  /** Versions by name. */
  readonly dependencies: ReadonlyMap<string, string>;
  /** Folders by name: of the dependencies, and of the packages that they and their types need. */
  readonly installed: ReadonlyMap<string, string>;
}

/** Builds the package and returns the path of its file. */
export async function pack(output: string): Promise<string> {
  const folder = await mkdtemp(`${tmpdir()}/${COMMAND}-npm-`);
  const [stage, tree] = [`${folder}/stage`, `${folder}/package`];
  try {
    const contents = await readContents();
    await writeStage(stage, contents);
    await compile(stage, tree);
    await writeFile(`${tree}/package.json`, `${JSON.stringify(manifestOf(contents), null, 2)}\n`);
    await copyFile(`${ROOT}packaging/npm/README.md`, `${tree}/README.md`);
    await copyFile(`${ROOT}LICENSE`, `${tree}/LICENSE`);
    await makeTar(tree, `${folder}/package.tar`, { prefix: "package" });
    await mkdir(output, { recursive: true });
    const file = `${output}/${COMMAND}-${project.version}.tgz`;
    await copyFile(await compress(`${folder}/package.tar`), `${file}.new`);
    await rename(`${file}.new`, file);
    return file;
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** The compiler is nothing that the program needs, so its packages are in the other lock. */
const LOCKED = ["--lock=tests/deno.lock", "--frozen"];

async function readContents(): Promise<Contents> {
  const entries = [...MODULES, NODE_SOURCE];
  await run(process.execPath, ["install", ...LOCKED, "--entrypoint", ...entries, COMPILER]);
  const graphs = await Promise.all([...entries, COMPILER].map((entry) => moduleGraph(entry, LOCKED)));
  const root = new URL("../../", import.meta.url).href;
  const specifiers = graphs.slice(0, entries.length).flatMap(({ modules }) =>
    modules.map(({ specifier }) => specifier)
  );
  const files = new Set(
    specifiers.flatMap((it) => it.startsWith(root) ? [decodeURI(it.slice(root.length))] : []),
  );
  const used = [...new Set(specifiers.flatMap((it) => packageIn(it) ?? []))].sort();
  const isOfTypes = (name: string) => name.startsWith("@types/");
  const known = new Map(graphs.flatMap(({ npmPackages }) => Object.entries(npmPackages)));
  const installed = new Map<string, string>();
  const install = (id: string) => {
    const found = known.get(id);
    if (found === undefined) throw new Error(`The npm package ${id} is not installed`);
    if (installed.has(found.name)) return;
    installed.set(found.name, found.localPath);
    found.dependencies.forEach(install);
  };
  used.forEach(install);
  return {
    files: [...files].filter((file) => file !== NODE_SOURCE).sort(),
    dependencies: new Map(used.map(splitId).filter(([name]) => !isOfTypes(name))),
    installed,
  };
}

/** `zod@4.6.7` of a specifier; null of a module that is in no npm package. */
function packageIn(specifier: string): string | null {
  return /^npm:\/?((?:@[^/]+\/)?[^/@]+@[^/]+)/.exec(specifier)?.[1] ?? null;
}

function splitId(id: string): [name: string, version: string] {
  const at = id.lastIndexOf("@");
  return [id.slice(0, at), id.slice(at + 1)];
}

/** The sources as other compilers than Deno's take them. */
async function writeStage(stage: string, { files, installed }: Contents): Promise<void> {
  for (const file of files) {
    const text = await readFile(`${ROOT}${file}`, "utf8");
    if (file === "deno.json") await put(`${stage}/${file}`, JSON.stringify({ version: project.version }));
    else if (file.endsWith(".json")) await put(`${stage}/${file}`, text);
    else if (file.endsWith(".ts")) await put(`${stage}/${file}`, adapted(text));
    else await put(`${stage}/${file}.ts`, `export default ${JSON.stringify(text)} as string;\n`);
  }
  await put(
    `${stage}/${CHOICE}`,
    `import { runtime as own } from "#runtime";\nimport type { Runtime } from "./types.ts";\n\n` +
      `/** The runtime that runs this. */\nexport const runtime: Runtime = own;\n`,
  );
  const node = adapted(await readFile(`${ROOT}${NODE_SOURCE}`, "utf8"));
  await put(`${stage}/${NODE}`, node.replaceAll('"../../lib/runtime/', '"./'));
  await put(`${stage}/package.json`, JSON.stringify({ type: "module" }));
  for (const [name, path] of installed) {
    await mkdir(dirname(`${stage}/node_modules/${name}`), { recursive: true });
    await symlink(path, `${stage}/node_modules/${name}`);
  }
}

/** Names npm packages as their users do, and texts as modules. */
function adapted(source: string): string {
  return source
    .replaceAll(/^\/\/ @ts-types=.*\n/gm, "")
    .replaceAll(/"npm:((?:@[^/"]+\/)?[^/@"]+)@[^/"]+/g, '"$1')
    .replaceAll(/^(import \w+ from "[^"]+)" with \{ type: "text" \};$/gm, '$1.ts";');
}

async function put(path: string, text: string): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, text);
}

async function compile(stage: string, tree: string): Promise<void> {
  const { strict, noUncheckedIndexedAccess } = project.compilerOptions;
  const usual = {
    target: "es2022",
    module: "nodenext",
    lib: ["esnext", "dom", "dom.iterable", "dom.asynciterable"],
    types: ["node"],
    rootDir: ".",
    outDir: tree,
    rewriteRelativeImportExtensions: true,
    resolveJsonModule: true,
    skipLibCheck: true,
  };
  const checked = {
    ...usual,
    strict,
    noUncheckedIndexedAccess,
    declaration: true,
    noEmitOnError: true,
    paths: { "#runtime": [`./${NODE}`] },
  };
  await tsc(stage, { compilerOptions: checked, files: MODULES });
  // Deno's own check has seen this file, whose types no other compiler knows.
  await tsc(stage, { compilerOptions: { ...usual, noCheck: true }, files: [DENO] });
  for (const path of await readdir(tree, { recursive: true })) {
    if (!path.endsWith(".d.ts")) continue;
    const text = await readFile(`${tree}/${path}`, "utf8");
    await writeFile(`${tree}/${path}`, text.replaceAll(/((?:from|import\() ?"\.[^"]+)\.ts"/g, '$1.js"'));
  }
}

async function tsc(stage: string, settings: unknown): Promise<void> {
  await writeFile(`${stage}/tsconfig.json`, JSON.stringify(settings));
  await run(process.execPath, ["run", ...LOCKED, "--allow-all", TSC, "--project", stage]);
}

function manifestOf({ dependencies }: Contents): Record<string, unknown> {
  const built = (module: string) => `./${module.replace(/\.ts$/, "")}`;
  const exports = EXPORTS.map(({ name, module }) => [
    name,
    { types: `${built(module)}.d.ts`, default: `${built(module)}.js` },
  ]);
  return {
    name: COMMAND,
    version: project.version,
    description: "Plans, creates and destroys groups of VMs on TrueNAS",
    license: project.license,
    type: "module",
    exports: { ...Object.fromEntries(exports), "./package.json": "./package.json" },
    imports: { "#runtime": { deno: `${built(DENO)}.js`, default: `${built(NODE)}.js` } },
    engines: { node: `>=${OLDEST_NODE}` },
    dependencies: Object.fromEntries(dependencies),
  };
}

if (import.meta.main) {
  try {
    const { values } = parseArgs({ options: { output: { type: "string", default: "dist" } } });
    const file = await pack(values.output);
    const bytes = await readFile(file);
    const hash = createHash("sha256").update(bytes).digest("hex");
    process.stdout.write(`${hash}  ${file}  ${(bytes.length / 1e6).toFixed(1)} MB\n`);
  } catch (error) {
    process.stderr.write(
      `${error instanceof Error ? error.message : error}\ndeno task pack [--output DIR]\n`,
    );
    process.exit(1);
  }
}
