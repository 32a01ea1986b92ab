/**
 * Protects the tests that guard security and data: each error of `errors.ts` is planted in a copy of the program, and
 * its tests must then fail. A test that passes despite a planted error protects nothing.
 */
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PLANTED_ERRORS, type PlantedError } from "./errors.ts";

const ROOT = new URL("../../", import.meta.url).pathname;
const COPIED = [
  "deno.json",
  "deno.lock",
  "main.ts",
  "config.yaml",
  ".env.example",
  "README.md",
  "SECURITY.md",
  "lib",
  "routes",
  "templates",
  "static",
  "docs",
  "tests",
];

/** Runs the tests that should notice. Type errors must not count as noticed, so types are not checked. */
async function run(folder: string, { tests, filter }: PlantedError["caughtBy"]): Promise<Ended> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--lock=tests/deno.lock",
      "--frozen",
      "--no-check",
      "--no-prompt",
      "--allow-all",
      `--filter=${filter}`,
      ...tests,
    ],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  const counted = /\| (\d+) passed.*\| (\d+) failed/.exec(output);
  return { success, passed: Number(counted?.[1] ?? 0), failed: Number(counted?.[2] ?? 0), output };
}

interface Ended {
  readonly success: boolean;
  readonly passed: number;
  readonly failed: number;
  readonly output: string;
}

/** The file with the error in it. */
function plant({ find, replace, file }: PlantedError, text: string): string {
  const parts = text.split(find);
  assert.equal(
    parts.length,
    2,
    `${file} has to contain this exactly once, so that the error can be planted: ${find}`,
  );
  return parts.join(replace);
}

Deno.test("each deliberate error is caught by a test (fault 19)", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "planted-"));
  try {
    for (const name of COPIED) cpSync(join(ROOT, name), join(folder, name), { recursive: true });
    for (const error of PLANTED_ERRORS) {
      await t.step(error.name, async () => {
        const path = join(folder, error.file);
        const text = readFileSync(path, "utf8");
        writeFileSync(path, plant(error, text));
        try {
          const ended = await run(folder, error.caughtBy);
          assert.ok(ended.failed > 0, `no test failed although the error was planted:\n${ended.output}`);
        } finally {
          writeFileSync(path, text);
        }
        const intact = await run(folder, error.caughtBy);
        assert.ok(
          intact.success && intact.passed > 0,
          `the tests fail without the error too:\n${intact.output}`,
        );
      });
    }
  } finally {
    rmSync(folder, { recursive: true });
  }
});
