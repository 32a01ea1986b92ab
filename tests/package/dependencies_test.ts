/** Protects those who ask what the project consists of: `deno task outdated` lists every package with its licence. */
import assert from "node:assert/strict";
import { readDependencies } from "../../packaging/outdated.ts";

/** Licences under which this project may use packages. */
const ALLOWED = ["MIT", "ISC", "BSD-3-Clause", "BSD-0-Clause", "Apache-2.0", "MPL-2.0", "LGPL-3.0-or-later"];

Deno.test("every package that is used has a licence that allows it, and what is behind is known", async () => {
  const dependencies = await readDependencies();
  const licences = new Map(dependencies.map(({ name, licence }) => [name, licence]));
  for (const [name, licence] of licences) assert.ok(ALLOWED.includes(licence), `${name}: ${licence}`);
  for (const name of ["hono", "zod", "fast-check", "deno"]) assert.ok(licences.has(name), name);
  const novnc = dependencies.find(({ name }) => name === "@novnc/novnc");
  assert.match(novnc?.latest ?? "", /^1\.\d/, "it stays behind, for its modules");
});
