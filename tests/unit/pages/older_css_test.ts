/** Protects that browsers without light-dark() get the light theme's own values. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

function valuesOf(file: string): Map<string, string> {
  const text = readFileSync(new URL(`../../../static/css/${file}`, import.meta.url), "utf8");
  const found = text.matchAll(/^\s+(--[\w-]+): ([^;]+);/gm);
  return new Map([...found].map(([, name = "", value = ""]) => [name, value]));
}

Deno.test("each colour with a light and a dark value has its light one for browsers that know no pairs", () => {
  const pairs = [...valuesOf("tokens.css")].filter(([, value]) => value.includes("light-dark("));
  assert.ok(pairs.length > 30, "the premise");
  const light = pairs.map(([name, value]) => [
    name,
    value.replaceAll(/light-dark\((oklch\([^)]*\)), oklch\([^)]*\)\)/g, "$1"),
  ]);
  assert.deepEqual([...valuesOf("older.css")], light);
});
