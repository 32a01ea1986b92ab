/** Protects the keys of images in config.yaml: what is accepted, and each mistake with its place. */
import assert from "node:assert/strict";
import { checkConfiguration } from "../../../lib/configuration/configuration.ts";
import { fromFlat, toFlat } from "../../../lib/configuration/flat_configuration.ts";
import { checkFlatConfiguration } from "../../../lib/configuration/load_configuration.ts";
import { cdromOf } from "../../../lib/configuration/sections.ts";

const IMAGES = { debian: { path: "/mnt/tank/images/debian.qcow2" } };
const TYPE = { count: 1, memory: 256, cpu: 1, image: "debian", disk: { root: 20 } };
const STORAGE = { pool_path: "tank/vms" };

function problems(value: unknown): string[] {
  const checked = checkConfiguration(value);
  return checked.ok ? [] : checked.problems.map(({ field, message }) => `${field}: ${message}`);
}

Deno.test("a configuration whose types all have an image needs no install image", () => {
  assert.deepEqual(problems({ storage: STORAGE, images: IMAGES, web: TYPE }), []);
  const both = { storage: STORAGE, images: IMAGES, web: TYPE, db: { count: 1, memory: 256, cpu: 1 } };
  assert.deepEqual(problems(both), ["storage.cdrom_path: The install image is missing; enter it"]);
  const none = { ...both, db: { ...both.db, cdrom: "none" } };
  assert.deepEqual(problems(none), []);
});

Deno.test("the library still reports a missing install image for the types it requires", () => {
  const types = { controlplane: TYPE, worker: TYPE };
  const checked = checkFlatConfiguration({ storage: STORAGE, images: IMAGES, ...types });
  assert.deepEqual(checked.ok ? [] : checked.problems, [
    { field: "storage.cdrom_path", message: "The install image is missing; enter it" },
  ]);
});

Deno.test("a type's CD-ROM is its own, or the usual one where it has no image", () => {
  const storage = { pool_path: "tank/vms", cdrom_path: "/mnt/tank/iso/debian.iso" };
  assert.equal(cdromOf({}, storage), storage.cdrom_path);
  assert.equal(cdromOf({ image: "debian" }, storage), null);
  assert.equal(
    cdromOf({ image: "debian", cdrom: "/mnt/tank/iso/seed.iso" }, storage),
    "/mnt/tank/iso/seed.iso",
  );
  assert.equal(cdromOf({ cdrom: "none" }, storage), null);
});

const WRONG: readonly (readonly [string, unknown, Record<string, unknown>, RegExp])[] = [
  [
    "a name that is not there",
    IMAGES,
    { image: "talos" },
    /^web\.image: There is no image "talos"; there are debian$/,
  ],
  ["no images at all", undefined, {}, /^web\.image: There is no image "debian"; add it under images$/],
  ["a type without a disk", IMAGES, { disk: {} }, /^web\.image: A type with an image needs a disk/],
  [
    "a URL without a digest",
    { debian: { url: "https://example.org/debian.qcow2" } },
    {},
    /^images\.debian\.sha256: An image with a url needs its sha256, which its publisher lists/,
  ],
  [
    "a URL and a path",
    { debian: { ...IMAGES.debian, url: "https://example.org/debian.qcow2", sha256: "0".repeat(64) } },
    {},
    /^images\.debian: An image has a path or a url; remove one of them/,
  ],
  [
    "a URL with a password, which would be stored",
    { debian: { url: "https://me:secret@example.org/debian.qcow2", sha256: "0".repeat(64) } },
    {},
    /^images\.debian\.url: The address contains a name or a password, which would be stored; use one without$/,
  ],
  [
    "a URL that is none",
    { debian: { url: "debian.qcow2" } },
    {},
    /^images\.debian\.url: "debian\.qcow2" is not the address of a file/,
  ],
  [
    "a digest that is none",
    { debian: { ...IMAGES.debian, sha256: "12" } },
    {},
    /^images\.debian\.sha256: The SHA-256 must be 64 hexadecimal digits$/,
  ],
  [
    "another kind of digest",
    { debian: { ...IMAGES.debian, sha256: "ab".repeat(64) } },
    {},
    /^images\.debian\.sha256: .*this is a SHA-512; check the file with it, and enter what sha256sum prints$/,
  ],
  [
    "a path outside the pools",
    { debian: { path: "/etc/shadow" } },
    {},
    /^images\.debian\.path: "\/etc\/shadow" must be a full path under \/mnt\//,
  ],
  ["a folder", { debian: { path: "/mnt/tank/" } }, {}, /^images\.debian\.path: .* is a folder/],
  ["no path", { debian: {} }, {}, /^images\.debian\.path: The path of the image is missing; enter it/],
  ["a text", { debian: "/mnt/tank/debian.qcow2" }, {}, /^images\.debian: debian must have the path/],
  [
    "an unknown key",
    { debian: { ...IMAGES.debian, size: 1 } },
    {},
    /^images\.debian\.size: Unknown key "size"/,
  ],
  [
    "a name with a slash",
    { "a/b": IMAGES.debian },
    { image: "a/b" },
    /^images\.a\/b: The name "a\/b" must start with a letter/,
  ],
  ["clone as a text", IMAGES, { clone: "no" }, /^web\.clone: clone must be true or false/],
];

for (const [what, images, change, wanted] of WRONG) {
  Deno.test(`an image with ${what} is refused at its place`, () => {
    const [first = ""] = problems({ storage: STORAGE, images, web: { ...TYPE, ...change } });
    assert.match(first, wanted);
  });
}

Deno.test("a type called images, as earlier versions allowed, is refused with the remedy", () => {
  const old = {
    storage: { ...STORAGE, cdrom_path: "/mnt/tank/iso/a.iso" },
    images: { count: 1, memory: 256, cpu: 1 },
  };
  assert.ok(
    problems({ ...old, web: { count: 1, memory: 256, cpu: 1 } }).includes(
      "images: images is reserved and cannot be a VM type; rename the type, or prefix a section of your own with x-",
    ),
  );
});

Deno.test("images survive the flat form, in which the journal keeps them", () => {
  const checked = checkConfiguration({ storage: STORAGE, images: IMAGES, web: TYPE });
  assert.ok(checked.ok);
  assert.deepEqual(
    fromFlat(JSON.parse(JSON.stringify(toFlat(checked.configuration)))),
    checked.configuration,
  );
});
