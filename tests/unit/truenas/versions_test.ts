/**
 * Protects the table of differences between releases: each release finds its entry, and the entries match TrueNAS's
 * JSON Schemas.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import fc from "../../support/packages/fast_check.ts";
import { type DeviceType, rulesFor, VERSION_RULES } from "../../../lib/truenas/versions.ts";

Deno.test("rulesFor() finds the most specific entry for a release", () => {
  const RELEASES = [
    ["24.04.2.5", "24.04"],
    ["24.10.1", "24.10"],
    ["25.04.2.6", "25.04"],
    ["25.10.0", "25.10.0"],
    ["25.10.0.1", "25.10.0"],
    ["25.10.1", "25.10"],
    ["25.10.7", "25.10"],
    ["25.10", "25.10"],
    ["25.10-RC.1", "25.10"],
    ["v25.10.5", "25.10"],
    ["26.0.0-BETA.1", "26.0"],
    ["27.0.0", "27.0"],
  ] as const;
  for (const [release, id] of RELEASES) assert.equal(rulesFor(release).id, id, release);
});

Deno.test("rulesFor() uses the newest entry for an unknown release, and marks it as untested", () => {
  const newest = VERSION_RULES.at(-1);
  assert.ok(newest?.tested, "the premise");
  for (const release of ["28.0.1", "", "nightly", "27.10", "25.1", "125.10.1", "25.100"]) {
    assert.deepEqual(rulesFor(release), { ...newest, tested: false }, release);
  }
  fc.assert(
    fc.property(
      fc.string(),
      (release) => assert.ok(VERSION_RULES.some(({ id }) => id === rulesFor(release).id)),
    ),
  );
});

Deno.test("the table lists each release once, oldest first, and never removes a key", () => {
  const ids = VERSION_RULES.map(({ id }) => id);
  assert.deepEqual(ids, [...new Set(ids)]);
  const ages = ids.map((id) => Number(id.split(".").slice(0, 2).join(".")));
  assert.deepEqual(ages, ages.toSorted((a, b) => a - b));
  for (const [index, { vmCreateKeys, deviceKeys }] of VERSION_RULES.entries()) {
    const next = VERSION_RULES[index + 1];
    assert.ok(vmCreateKeys.every((key) => next?.vmCreateKeys.includes(key) ?? true));
    for (const dtype of ["DISPLAY", "CDROM", "NIC", "DISK"] as const) {
      assert.ok(deviceKeys[dtype].every((key) => next?.deviceKeys[dtype].includes(key) ?? true));
    }
  }
});

interface ObjectSchema {
  readonly properties: Readonly<Record<string, { readonly const?: unknown }>>;
}

/** The objects that a method takes, by the name that TrueNAS gives them. */
function objectsOf(version: string, method: string): ObjectSchema[] {
  const file = new URL(`../../data/schemas/${version}.json`, import.meta.url);
  const schemas = JSON.parse(readFileSync(file, "utf8"));
  const objects = Object.values<ObjectSchema>(schemas[method].accepts.$defs);
  return objects.filter(({ properties }) => properties !== undefined);
}

const SCHEMAS = [["25.10.7", "v25_10_5"], ["27.0.0", "v27_0_0"]] as const;

Deno.test("the keys of vm.create match TrueNAS's schema", () => {
  for (const [release, version] of SCHEMAS) {
    const [args] = objectsOf(version, "vm.create").filter(({ properties }) => "cpu_mode" in properties);
    assert.ok(args, "the premise");
    assert.deepEqual(rulesFor(release).vmCreateKeys.toSorted(), Object.keys(args.properties).toSorted());
  }
});

Deno.test("the keys of each device are in TrueNAS's schema", () => {
  for (const [release, version] of SCHEMAS) {
    const { deviceKeys } = rulesFor(release);
    for (const dtype of Object.keys(deviceKeys) as DeviceType[]) {
      const [attributes] = objectsOf(version, "vm.device.create").filter(({ properties }) =>
        properties.dtype?.const === dtype
      );
      assert.ok(attributes, `the premise: ${version} has ${dtype}`);
      const known = Object.keys(attributes.properties).filter((key) => key !== "dtype");
      assert.deepEqual(deviceKeys[dtype].filter((key) => !known.includes(key)), [], `${version} ${dtype}`);
    }
  }
});
