/**
 * Protects the layers: imports between folders point one way, and only edge modules touch the outside world. Read from
 * the program's own module graph.
 */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import project from "../../deno.json" with { type: "json" };

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly {
    readonly code?: { readonly specifier: string };
    readonly type?: { readonly specifier: string };
  }[];
}

const ROOT = new URL("../../", import.meta.url).href;

async function modulesBelow(root: string): Promise<Module[]> {
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["info", "--json", new URL(root, ROOT).href],
  })
    .output();
  const { modules } = JSON.parse(new TextDecoder().decode(stdout)) as { modules: Module[] };
  return modules;
}

async function graph(): Promise<Map<string, string[]>> {
  const modules = (await Promise.all(
    ["main.ts", ...Object.values(project.exports), ...project.compile.include].map(modulesBelow),
  )).flat();
  const local = (url: string) => url.slice(ROOT.length);
  const own = modules.filter(({ specifier }) => specifier.startsWith(ROOT));
  return new Map(own.map(({ specifier, dependencies = [] }) => {
    const targets = dependencies.flatMap(({ code, type }) => [code?.specifier, type?.specifier]);
    return [local(specifier), targets.flatMap((target) => target?.startsWith(ROOT) ? [local(target)] : [])];
  }));
}

/** From which folder no arrow may lead to which. The command line's words name the releases that can be simulated. */
const FORBIDDEN: readonly (readonly [from: RegExp, to: RegExp, why: string])[] = [
  [/^lib\//, /^(routes|templates\/(?!.*\.json$)|main\.ts)/, "the library knows no HTTP and no HTML"],
  [/^templates\//, /^(routes\/|main\.ts)/, "views know no routes"],
  [/^templates\//, /^lib\/(truenas|simulator)\//, "views know no NAS"],
  [
    /^routes\/(?!server\/(simulate|demo_nas)\.ts)/,
    /^lib\/(truenas|simulator)\//,
    "routes never speak to the NAS; only the demo and simulate start one",
  ],
  [/^lib\/plan\//, /^lib\/(operations|simulator)\//, "plans are pure"],
  [
    /^lib\/truenas\//,
    /^lib\/(operations|plan|simulator)\/|^lib\/vm_manager/,
    "the NAS's client knows no work",
  ],
  [
    /^lib\/(?!simulator\/|command_line\/(arguments|commands)\.ts)/,
    /^lib\/simulator\//,
    "the product does not know that its NAS is simulated",
  ],
];

Deno.test("imports between layers point one way", async () => {
  const modules = await graph();
  assert.ok(modules.size > 40, "the graph is there");
  const wrong = [...modules].flatMap(([from, targets]) =>
    targets.flatMap((to) =>
      FORBIDDEN.filter(([a, b]) => a.test(from) && b.test(to)).map(([, , why]) => `${from} → ${to}: ${why}`)
    )
  );
  assert.deepEqual(wrong, []);
});

/** What handles foreign input: routes, views, and the libraries that parse it. */
const FOREIGN_INPUT = /^file:.*\/(routes|templates)\/|^npm:\/?(hono|yaml|zod)@/;

Deno.test("what starts the worker, with every permission, loads nothing that handles foreign input", async () => {
  const modules = await modulesBelow("main.ts");
  const loads = new Map(modules.map(({ specifier, dependencies = [] }) => [
    specifier,
    dependencies.flatMap(({ code }) => code?.specifier ?? []),
  ]));
  const loaded = new Set([`${ROOT}main.ts`]);
  for (const module of loaded) for (const target of loads.get(module) ?? []) loaded.add(target);
  assert.ok(loaded.size > 20, "the graph is there");
  assert.deepEqual([...loaded].filter((module) => FOREIGN_INPUT.test(module)), []);
});

Deno.test("no import cycle exists, directly, indirectly or for types", async () => {
  const modules = await graph();
  assert.ok(modules.size > 40, "the graph is there");
  assert.deepEqual(cyclesIn(new Map([["a", ["b"]], ["b", ["c"]], ["c", ["b"]]])), ["b → c → b"]);
  assert.deepEqual(cyclesIn(modules), []);
});

/** The paths that lead back to where they came by; each module is gone through once. */
function cyclesIn(modules: ReadonlyMap<string, readonly string[]>): string[] {
  const seen = new Set<string>();
  const walk = (module: string, path: readonly string[]): string[] => {
    const start = path.indexOf(module);
    if (start >= 0) return [[...path.slice(start), module].join(" → ")];
    if (seen.has(module)) return [];
    seen.add(module);
    return (modules.get(module) ?? []).flatMap((target) => walk(target, [...path, module]));
  };
  return [...modules.keys()].flatMap((module) => walk(module, []));
}

const EDGES: readonly (readonly [what: RegExp, allowed: RegExp])[] = [
  [
    /\bDeno\./,
    /^(main|routes\/server\/http\/guarded_listener|lib\/runtime\/deno)\.ts$/,
  ],
  [/\bnew WebSocket\(/, /^lib\/runtime\/deno\.ts$/],
  [
    /\bnode:(tls|net|os)\b/,
    /^lib\/(truenas\/connection\/certificate|consoles\/display_socket|first_boot\/readiness\/probe_port|agents\/dashboard_socket|simulator\/(screens\/screens|guests\/open_port))\.ts$/,
  ],
  [/\bconsole\.(log|error|warn|info|debug)\b/, /^lib\/(mod|vm_manager|errors\/errors)\.ts$/],
  [
    /\bnode:(process|fs)\b/,
    /^lib\/(truenas\/connection\/certificate|images\/(offering\/spooled_file|acquiring\/local_disk)|configuration\/(environment\/environment|files|editing\/overwrite)|command_line\/process|agents\/stdio|simulator\/guests\/fetch)\.ts$/,
  ],
  [/\bnode:(https?|dns)\b/, /^lib\/(images\/source\/request|secret_paths\/(path_server|listen))\.ts$/],
  [
    /\bDate\.now\b/,
    /^(routes\/server\/(setup_)?server\.ts|lib\/inventory\/(host_load|live_inventory)\.ts|lib\/observability\/logging\.ts|lib\/operations\/record\/store\.ts|lib\/simulator\/.*)$/,
  ],
  [/\braw\(/, /^$/],
];

Deno.test("only edge modules use the file system, network, environment and clock", async () => {
  const sources = [...(await graph()).keys()].filter((path) => /\.tsx?$/.test(path));
  const wrong = sources.flatMap((path) => {
    // Examples in documentation are not code.
    const text = readFileSync(new URL(path, ROOT), "utf8").replaceAll(/^ \* .*$/gm, "");
    return EDGES.filter(([what, allowed]) => what.test(text) && !allowed.test(path)).map(([what]) =>
      `${path} has ${what}`
    );
  });
  assert.deepEqual(wrong, []);
});

/** Leaving this runtime means to rewrite these. */
const MAX_BOUND_TO_DENO = 6;

Deno.test("at most six files are bound to this runtime", async () => {
  const sources = [...(await graph()).keys()].filter((path) => /\.tsx?$/.test(path));
  const bound = sources.filter((path) => {
    // Examples and explanations are not code.
    const text = readFileSync(new URL(path, ROOT), "utf8").replaceAll(/^ *(\/\/|\/?\*).*$/gm, "");
    return /\bDeno\.|\bglobalThis\b.*\bDeno\b/.test(text);
  });
  assert.ok(bound.length > 0 && bound.length <= MAX_BOUND_TO_DENO, bound.join(", "));
});

Deno.test("views are synchronous and use no context", async () => {
  const views = [...(await graph()).keys()].filter((path) => /^templates\/.*\.tsx?$/.test(path));
  assert.ok(views.length > 20, "the views are there");
  const wrong = views.filter((path) =>
    /\b(async|await|createContext|useContext|Suspense)\b/.test(readFileSync(new URL(path, ROOT), "utf8"))
  );
  assert.deepEqual(wrong, []);
});

interface Lock {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<Record<string, unknown>>;
}

/** A plain `deno test` or `deno check` adds the tests' packages to the file, which nobody should commit. */
const WHAT_TO_DO = "Without a change of dependencies: git checkout main -- deno.lock, and commit. " +
  "With one: deno task lock, and commit";

/** A file as it is committed, or as it is where there is no repository. */
async function committed(path: string): Promise<string> {
  const command = new Deno.Command("git", {
    args: ["show", `HEAD:${path}`],
    cwd: new URL(ROOT),
    stderr: "null",
  });
  const { success, stdout } = await command.output().catch(() => ({
    success: false,
    stdout: new Uint8Array(),
  }));
  return success ? new TextDecoder().decode(stdout) : readFileSync(new URL(path, ROOT), "utf8");
}

Deno.test("deno.lock names what the program imports and nothing else; tests/deno.lock has the same and the tests' packages", async () => {
  const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
  const lockOf = async (path: string): Promise<Lock> => JSON.parse(await committed(path));
  const [own, all] = [await lockOf("deno.lock"), await lockOf("tests/deno.lock")];
  const sources = ["lib", "routes", "templates"].flatMap((folder) =>
    readdirSync(new URL(folder, ROOT), { encoding: "utf8", recursive: true })
      .filter((path) => /\.tsx?$/.test(path)).map((path) => read(`${folder}/${path}`))
  );
  const text = [read("deno.json"), ...sources].join("\n");
  const imported = new Set([...text.matchAll(/(?<=")npm:(@[\w.-]+\/)?[\w.-]+@[\w.-]+/g)].map(([it]) => it));
  assert.deepEqual(Object.keys(own.specifiers).sort(), [...imported].sort(), WHAT_TO_DO);
  for (const [name, entry] of Object.entries(own.npm)) assert.deepEqual(all.npm[name], entry, WHAT_TO_DO);
  const packages = readdirSync(new URL("tests/support/packages", ROOT))
    .map((path) => read(`tests/support/packages/${path}`)).join("\n");
  for (const [, name = ""] of packages.matchAll(/"(npm:(?:@[\w.-]+\/)?[\w.-]+@[\w.-]+)/g)) {
    assert.ok(name in all.specifiers, `${name}: ${WHAT_TO_DO}`);
  }
});
