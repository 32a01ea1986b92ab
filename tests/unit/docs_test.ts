/**
 * Protects readers of the documents: each promise of SECURITY.md names an existing test, links lead to existing files,
 * and files to copy (a script, a unit, a compose file) are valid.
 */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { parse } from "../../lib/configuration/yaml.ts";
import { readArguments } from "../../lib/command_line/arguments.ts";
import { ENVIRONMENT_NAMES } from "../../lib/configuration/environment/environment.ts";
import project from "../../deno.json" with { type: "json" };

const ROOT = new URL("../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, ROOT), "utf8");
const DOCUMENTS = [
  "README.md",
  "SECURITY.md",
  "ARCHITECTURE.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  ...readdirSync(new URL("docs", ROOT), { encoding: "utf8", recursive: true })
    .filter((path) => path.endsWith(".md")).map((path) => `docs/${path}`),
];
/** A README is read in a few minutes or not at all. */
const MAX_README_WORDS = 900;

/** A name that is read from the environment, or a file of a secret. */
function isEnvironmentName(name: string): boolean {
  return Object.hasOwn(ENVIRONMENT_NAMES, name.replace(/(PASSWORD|KEY)_FILE$/, "$1")) ||
    Object.hasOwn(ENVIRONMENT_NAMES, name);
}

Deno.test("every promise of SECURITY.md names an existing test", () => {
  const tests = readdirSync(new URL("tests", ROOT), { encoding: "utf8", recursive: true })
    .filter((path) => /_test\.tsx?$/.test(path)).map((path) => read(`tests/${path}`)).join("\n")
    .replaceAll(/ \(fault [^)"]*\)"/g, '"');
  const promises = read("SECURITY.md").split("## What is promised")[1]?.split("Everything has a limit")[0] ??
    "";
  const named = [...promises.matchAll(/(?<=^|\s)_([^_]+)_(?=\s|$)/g)].map(([, name = ""]) =>
    name.replaceAll(/\s+/g, " ").replace(/ \(fault [^)]*\)$/, "")
  );
  assert.ok(named.length >= 25);
  for (const name of named) assert.ok(tests.includes(`"${name}"`), name);
  const items = promises.split(/^- /m).slice(1);
  for (const item of items) assert.match(item, /(?<=^|\s)_[^_]+_(?=\s|$)/, "each promise has its test");
});

Deno.test("links in the documents lead to existing files", () => {
  for (const document of DOCUMENTS) {
    for (const [, target = ""] of read(document).matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)) {
      if (/^https?:/.test(target)) continue;
      assert.ok(existsSync(new URL(target, new URL(document, ROOT))), `${target} in ${document}`);
    }
  }
});

Deno.test("every environment variable is documented, and passed on by each task that starts the program", () => {
  const connecting = read("docs/connecting.md");
  const tasks = [project.tasks.start.command, project.tasks.demo.command];
  for (const name of Object.keys(ENVIRONMENT_NAMES)) {
    assert.ok(connecting.includes(`\`${name}\``), `${name} in docs/connecting.md`);
    for (const task of tasks) assert.match(task, new RegExp(`[=,]${name}[, ]`), `${name} in a task`);
  }
});

Deno.test("the files to install are valid, and name existing commands and settings", async () => {
  const script = await new Deno.Command("sh", { args: ["-n", "docs/install/start.sh"], cwd: ROOT }).output();
  assert.ok(script.success, new TextDecoder().decode(script.stderr));
  const unit = read("docs/install/truenas-vm-manager.service");
  const command = /^ExecStart=\S+ (.*)$/m.exec(unit)?.[1]?.split(" ") ?? assert.fail("it starts something");
  assert.equal(readArguments(command).command, "serve");
  const sections = [...unit.matchAll(/^\[(\w+)\]$/gm)].map(([, name]) => name);
  assert.deepEqual(sections, ["Unit", "Service", "Install"]);
  const { services } = parse(read("docs/install/compose.yaml"));
  const { environment, command: words } = services["vm-manager"];
  assert.equal(readArguments(words.slice(1)).command, "serve");
  for (const name of Object.keys(environment)) assert.ok(isEnvironmentName(name), name);
  for (const [, name = ""] of read("docs/install.md").matchAll(/^\s*([A-Z][A-Z_]+)=/gm)) {
    assert.ok(isEnvironmentName(name), name);
  }
});

Deno.test("every fault in docs/field-faults.md has a test with its number", () => {
  const numbers = [...read("docs/field-faults.md").matchAll(/^(\d+)\. /gm)].map(([, number]) => number);
  assert.equal(numbers.length, 46);
  const tests = readdirSync(new URL("tests", ROOT), { encoding: "utf8", recursive: true })
    .filter((path) => /_test\.tsx?$/.test(path)).map((path) => read(`tests/${path}`)).join("\n");
  const missing = numbers.filter((number) =>
    !new RegExp(`\\([^)\\n]*\\bfault ${number}\\b[^)\\n]*\\)`).test(tests)
  );
  assert.deepEqual(missing, []);
});

Deno.test("the README stays short", () => {
  const words = read("README.md").split(/\s+/).filter((word) => word !== "");
  assert.ok(words.length <= MAX_README_WORDS, `${words.length} words`);
});
