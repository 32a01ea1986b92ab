/**
 * Protects guests that find their seed on a CD: the image is given to the programs that read such CDs. Each must find the label,
 * the names as the guest looks for them, and exactly the bytes.
 */
import assert from "node:assert/strict";
import fc from "../support/packages/fast_check.ts";
import { isoImage } from "../../lib/first_boot/iso/iso_image.ts";
import { seedIso } from "../../lib/first_boot/iso/seed_iso.ts";
import { expectAccepted } from "../support/consumers.ts";
import { withFolder } from "../support/folder.ts";

const LONG = `#cloud-config\n# ${"x".repeat(5_000)}\nruncmd: [ "echo äöü 日本" ]\n`;
const FILES: ReadonlyMap<string, string> = new Map([
  ["user-data", LONG],
  ["meta-data", "instance-id: 1\nlocal-hostname: worker01\n"],
  ["vendor-data", ""],
  ["network-config", "version: 2\n"],
]);

Deno.test("a seed's CD has its label, names and bytes for blkid, isoinfo, xorriso and bsdtar", async () => {
  await withFolder(async (folder) => {
    const file = `${folder}/seed.iso`;
    await Deno.writeFile(file, seedIso(FILES));
    const { stdout: found } = await expectAccepted("blkid", ["-p", "-o", "export", file]);
    assert.match(found, /^LABEL=cidata$/m);
    assert.match(found, /^TYPE=iso9660$/m);
    for (const names of ["-R", "-J"]) {
      const { stdout: list } = await expectAccepted("isoinfo", [names, "-f", "-i", file]);
      assert.deepEqual(
        list.trim().split("\n").toSorted(),
        [...FILES.keys()].map((name) => `/${name}`).toSorted(),
      );
      for (const [name, text] of FILES) {
        const { stdout } = await expectAccepted("isoinfo", [names, "-x", `/${name}`, "-i", file]);
        assert.equal(stdout, text, `${names} ${name}`);
      }
    }
    const { stdout: modes, stderr } = await expectAccepted("xorriso", ["-indev", file, "-lsl", "/"]);
    assert.match(modes, /^-r-------- .* 'user-data'$/m, "only the guest's administrator reads it");
    assert.doesNotMatch(stderr, /FAILURE|SORRY|damaged/);
    await Deno.mkdir(`${folder}/out`);
    await expectAccepted("bsdtar", ["-xf", file, "-C", `${folder}/out`]);
    for (const [name, text] of FILES) assert.equal(await Deno.readTextFile(`${folder}/out/${name}`), text);
  });
});

Deno.test("equal files make equal CDs, and any sizes are read back", async () => {
  assert.deepEqual(seedIso(FILES), seedIso(new Map([...FILES].toReversed())));
  const sizes = fc.array(fc.nat({ max: 6_000 }), { minLength: 1, maxLength: 6 });
  await withFolder(async (folder) => {
    await fc.assert(
      fc.asyncProperty(sizes, async (lengths) => {
        const files = lengths.map((length, n) =>
          [`file-${n}.x`, new Uint8Array(length).fill(n + 1)] as const
        );
        await Deno.writeFile(`${folder}/any.iso`, isoImage("cidata", new Map(files)));
        await Deno.remove(`${folder}/any`, { recursive: true }).catch(() => {});
        await Deno.mkdir(`${folder}/any`);
        await expectAccepted("bsdtar", ["-xf", `${folder}/any.iso`, "-C", `${folder}/any`]);
        for (const [name, bytes] of files) {
          assert.deepEqual(await Deno.readFile(`${folder}/any/${name}`), bytes);
        }
      }),
      { numRuns: 15 },
    );
  });
});

Deno.test("a CD takes no name that its readers would change", () => {
  for (const name of ["a/b", "User-Data", "x".repeat(40), "", "ä"]) {
    assert.throws(() => isoImage("cidata", new Map([[name, new Uint8Array()]])), RangeError);
  }
});
