/** Protects those who try it on a new machine: starting the demo downloads what it needs, and nothing of the tests. */
import assert from "node:assert/strict";
import { readdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import lockText from "../../deno.lock" with { type: "text" };
import { withFolder } from "../support/folder.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** The packages in a cache, as `name@version`. */
async function packagesIn(cache: string): Promise<string[]> {
  const paths = await readdir(`${cache}/npm`, { recursive: true });
  return paths.flatMap((path) => {
    // registry/name/version/package.json, where a name can have a scope.
    const [, name, version] = /^[^/]+\/((?:@[^/]+\/)?[^/@]+)\/(\d[^/]*)\/package\.json$/.exec(path) ?? [];
    return name === undefined || version === undefined ? [] : [`${name}@${version}`];
  }).sort();
}

Deno.test("the first start of the demo downloads the packages of deno.lock and no other", () =>
  withFolder(async (folder) => {
    await using child = new Deno.Command(Deno.execPath(), {
      args: ["task", "demo"],
      cwd: ROOT,
      env: { DENO_DIR: folder, PORT: "0", NO_COLOR: "1" },
      stdin: "null",
      stdout: "piped",
      stderr: "null",
    }).spawn();
    let said = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      if (!said.includes("is ready at")) continue;
      child.kill("SIGINT");
      break;
    }
    await child.status;
    assert.match(said, /is ready at/);
    const locked = Object.keys(JSON.parse(lockText).npm)
      // A package with peer dependencies has them behind its version.
      .map((key) => /^(@?[^@]+@[^_]+)/.exec(key)?.[1] ?? key);
    const found = await packagesIn(folder);
    assert.deepEqual(found.filter((it) => !locked.includes(it)), []);
    assert.ok(found.some((it) => it.startsWith("hono@")));
    assert.deepEqual(
      found.filter((it) => /^(playwright|axe-core|fast-check|prettier|typescript)/.test(it)),
      [],
    );
  }));
