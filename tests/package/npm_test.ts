/** Protects the npm package's bytes, by which people compare what they got with what was published. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { pack } from "../../packaging/npm/pack.ts";

Deno.test("the npm package has the same bytes each time it is built", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const digests: string[] = [];
    for (const name of ["a", "b"]) {
      const file = await Deno.readFile(await pack(`${folder}/${name}`));
      digests.push(createHash("sha256").update(file).digest("hex"));
    }
    assert.equal(digests[0], digests[1]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
