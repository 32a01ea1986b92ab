/**
 * Protects the single binary: it contains every source, asset and template byte for byte, has only the permissions it
 * needs, names nothing from the machine that built it, and is reproducible. If the runtime for compiled programs is
 * available, the binary itself runs; otherwise its contents do, from an empty cache.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import process from "node:process";
import { fileURLToPath } from "node:url";
import project from "../../../deno.json" with { type: "json" };
import { compile } from "../../support/tasks/compile.ts";
import { type Payload, payloadOf } from "../../support/tasks/payload.ts";
import { withFolder } from "../../support/program/program.ts";
import { TEST_CONFIG } from "../../support/pages/dashboard.ts";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
/** Packages stand below the name of the registry that they came from. */
const PACKAGES = /^\.deno_compile_node_modules\/[^/]+\//;

/** The runtime for compiled programs of this machine, by the places in which Deno itself looks. */
async function runtimeIsThere(): Promise<boolean> {
  if (Deno.env.get("DENORT_BIN") !== undefined) return true;
  const { denoDir } = JSON.parse(await output(["info", "--json"]));
  const zip = `${denoDir}/dl/release/v${Deno.version.deno}/denort-${Deno.build.target}.zip`;
  return await Deno.stat(zip).then(() => true, () => false);
}

async function output(args: string[], env: Record<string, string> = {}): Promise<string> {
  const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), { args, cwd: ROOT, env })
    .output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

interface Module {
  readonly specifier: string;
  readonly dependencies?: readonly { readonly code?: { readonly specifier: string } }[];
}

/** Every local file that the program reaches as code; what is only a type is not needed to run. */
async function reached(): Promise<string[]> {
  const seen = new Set<string>();
  for (const part of ["main.ts", ...project.compile.include]) {
    const { modules, roots } = JSON.parse(await output(["info", "--json", part])) as {
      modules: readonly Module[];
      roots: readonly string[];
    };
    const byName = new Map(modules.map((module) => [module.specifier, module]));
    const visit = (specifier: string) => {
      if (seen.has(specifier)) return;
      seen.add(specifier);
      for (const { code } of byName.get(specifier)?.dependencies ?? []) {
        if (code !== undefined) visit(code.specifier);
      }
    };
    for (const root of roots) visit(root);
  }
  const root = new URL("../../../", import.meta.url).href;
  return [...seen].filter((it) => it.startsWith(root)).map((it) => it.slice(root.length));
}

/** Writes the tree as a project: its packages where Deno looks for them without a cache. */
async function unpack({ files }: Payload, folder: string): Promise<void> {
  for (const [path, bytes] of files) {
    // `hono/4.13.19/…` is `node_modules/hono/…`.
    const place = PACKAGES.test(path)
      ? path.replace(PACKAGES, "").replace(/^((?:@[^/]+\/)?[^/]+)\/[^/]+\//, "node_modules/$1/")
      : path;
    const file = `${folder}/${place}`;
    await Deno.mkdir(file.slice(0, file.lastIndexOf("/")), { recursive: true });
    await Deno.writeFile(file, bytes);
  }
}

/** Starts the demo, and returns what its pages are. */
async function pagesOf(
  command: string,
  args: string[],
  cwd: string,
  env: Record<string, string>,
): Promise<string[]> {
  const child = new Deno.Command(command, {
    args,
    cwd,
    env: { ...env, PORT: "0" },
    clearEnv: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const errors = new Response(child.stderr).text();
  let said = "";
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let url: string | undefined;
  while (url === undefined) {
    const { value, done } = await reader.read();
    if (done) assert.fail(`it did not start: ${said}${await errors}`);
    said += value;
    url = /ready at (\S+)\/ /.exec(said)?.[1];
  }
  for (let ready = false; !ready;) {
    const answer = await fetch(`${url}/readyz`);
    await answer.body?.cancel();
    ready = answer.ok;
  }
  const home = await (await fetch(url)).text();
  const asset = /src="(\/static\/htmx[^"]+)"/.exec(home)?.[1] ?? "";
  const consolePage = await (await fetch(`${url}/vms/1/console`)).text();
  const display = /src="(\/static\/display\/[^"]+)display\.js"/.exec(consolePage)?.[1] ??
    assert.fail(consolePage);
  const paths = [asset, "/create", `${display}novnc/core/rfb.js`, `${display}spice/src/main.js`];
  const pages = [
    home,
    ...await Promise.all(paths.map(async (path) => await (await fetch(url + path)).text())),
  ];
  child.kill("SIGTERM");
  assert.equal((await child.status).code, 0, await errors);
  await reader.cancel();
  await errors;
  return pages;
}

Deno.test("the binary contains the whole program, and its contents run", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    const real = await runtimeIsThere();
    // The stand-in is never run: it behaves as the plain command line of Deno.
    const env: Record<string, string> = real ? {} : { DENORT_BIN: Deno.execPath() };
    const first = await compile(`${folder}/first`, { env });
    const payload = payloadOf(first);
    const own = [...payload.files].filter(([path]) => !PACKAGES.test(path));
    for (const [path, bytes] of own) {
      assert.deepEqual(
        Buffer.compare(bytes, await Deno.readFile(ROOT + path)),
        0,
        `${path} is as in the sources`,
      );
    }
    const held = own.map(([path]) => path);
    for (
      const path of [
        ...await reached(),
        "lib/configuration/example.yaml",
        "static/css/base.css",
        "templates/vms/vm.json",
      ]
    ) {
      assert.ok(held.includes(path), `${path} is in the binary`);
    }
    assert.deepEqual(held.filter((path) => /^(tests|docs|state|\.)|\.env|\.git/.test(path)), []);
    const packages = [...payload.files.keys()].filter((path) => PACKAGES.test(path));
    const names = new Set(
      packages.map((path) => path.replace(PACKAGES, "").split("/").slice(0, -1).join("/")),
    );
    assert.ok([...names].some((name) => name.startsWith("hono/")));
    assert.ok(
      ![...names].some((name) => /playwright|axe-core|fast-check|yaml-language-server/.test(name)),
      "no package of the tests",
    );

    const { metadata, header } = payload;
    assert.equal(metadata.entrypoint_key, "main.ts");
    const { permissions } = metadata;
    assert.equal(permissions.prompt, false);
    for (const none of ["allow_run", "allow_ffi"]) assert.equal(permissions[none], null, none);
    assert.deepEqual(permissions.allow_sys, ["statfs"]);
    assert.ok(Array.isArray(permissions.allow_env) && permissions.allow_env.includes("TRUENAS_HOST"));
    assert.deepEqual([permissions.allow_read, permissions.allow_write, permissions.allow_net], [[], [], []]);
    for (const word of [ROOT, folder, Deno.env.get("HOME") ?? "/root/"]) {
      assert.ok(!header.includes(word), `no ${word} in it`);
    }

    const again = await compile(`${folder}/again`, { env });
    assert.ok(Buffer.compare(first, again) === 0, "made twice, it is the same");

    if (real) {
      await Deno.chmod(`${folder}/first`, 0o755);
      const [home] = await pagesOf(`${folder}/first`, ["demo"], folder, {});
      assert.match(home ?? "", /<table/);
      process.stdout.write("compile: the binary itself ran\n");
      return;
    }
    await unpack(payload, `${folder}/tree`);
    const offline = ["--cached-only", "--no-lock", "--node-modules-dir=manual", "--no-prompt"];
    const args = [
      "run",
      ...offline,
      "--allow-net",
      "--allow-read",
      "--allow-write",
      "--allow-env",
      "main.ts",
      "demo",
    ];
    const nowhere = "http://127.0.0.1:1";
    const [home, script, create, novnc, spice] = await pagesOf(Deno.execPath(), args, `${folder}/tree`, {
      DENO_DIR: `${folder}/empty`,
      HTTP_PROXY: nowhere,
      HTTPS_PROXY: nowhere,
      NO_PROXY: "127.0.0.1",
      PATH: Deno.env.get("PATH") ?? "",
    });
    assert.match(home ?? "", /data-connection="simulated"/);
    assert.match(script ?? "", /htmx/);
    assert.match(create ?? "", /controlplane/);
    assert.match(novnc ?? "", /class RFB/);
    assert.match(spice ?? "", /SpiceMainConn/);
    process.stdout.write(
      "compile: the runtime for binaries is not here; the tree in the binary was compared and run instead\n",
    );
  }));

Deno.test("no binary is made with the runtime of another architecture", () =>
  withFolder(TEST_CONFIG, async (folder) => {
    // The runtime of this machine, as if somebody had named it for the other one.
    const target = Deno.build.arch === "x86_64" ? "aarch64-unknown-linux-gnu" : "x86_64-unknown-linux-gnu";
    const env = { DENORT_BIN: Deno.execPath() };
    await assert.rejects(
      compile(`${folder}/binary`, { target, env }),
      new RegExp(`The runtime for binaries is for ${Deno.build.arch}, not for ${target.split("-")[0]}`),
    );
    await assert.rejects(Deno.stat(`${folder}/binary`), Deno.errors.NotFound, "and none is left");
  }));
