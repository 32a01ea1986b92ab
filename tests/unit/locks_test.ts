/** Protects those who start the program: what it downloads is locked, and nothing of the tests is among it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";

const ROOT = new URL("../../", import.meta.url);

interface Lock {
  readonly specifiers: Readonly<Record<string, string>>;
  readonly npm: Readonly<Record<string, unknown>>;
}

const WHAT_TO_DO = "Run `git checkout main -- deno.lock`, or `deno task lock` after a change of dependencies";

Deno.test("deno.lock names what the program imports and nothing else; tests/deno.lock has the same and the tests' packages", () => {
  const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
  const lockOf = (path: string): Lock => JSON.parse(read(path));
  const [own, all] = [lockOf("deno.lock"), lockOf("tests/deno.lock")];
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
