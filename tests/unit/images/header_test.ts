/**
 * Protects the NAS from images that would make it read other files, and people from files that are no images: the format is
 * known by the content. The images are beginnings of what qemu-img made.
 */
import assert from "node:assert/strict";
import { inspectHeader } from "../../../lib/images/source/header/inspect_header.ts";
import { GIB, MIB } from "../../../lib/units.ts";
import { isoImage, rawImage, recordedImage } from "../../support/images/disk_images.ts";

const ACCEPTED = [
  ["plain.qcow2", "qcow2", 3 * GIB],
  ["old.qcow2", "qcow2", 3 * GIB],
  ["monolithicSparse.vmdk", "vmdk", 3 * GIB],
  ["streamOptimized.vmdk", "vmdk", 3 * GIB],
  ["dynamic.vdi", "vdi", 3 * GIB],
  ["dynamic.vhdx", "vhdx", 3 * GIB],
  ["fixed.vhdx", "vhdx", 8 * MIB],
] as const;

Deno.test.each(ACCEPTED)("inspectHeader() reads format and size of %s", (name, format, virtualBytes) => {
  assert.deepEqual(inspectHeader(recordedImage(name)), { format, virtualBytes, refusal: null });
});

const REFUSED = [
  ["backing.qcow2", /difference to another image, its backing file/],
  ["external.qcow2", /data is in another file/],
  ["encrypted.qcow2", /encrypted/],
  ["old.qcow", /version 1 of the qcow format/],
  ["monolithicFlat.vmdk", /only the description of a VMDK/],
  ["twoGbMaxExtentSparse.vmdk", /only the description of a VMDK/],
  ["twoGbMaxExtentSparse-s001.vmdk", /one part of a VMDK in several files/],
  ["backing.vmdk", /difference to another image, its parent/],
  ["old.vhd", /VHD.*qemu-img convert/],
  ["old.qed", /QED.*qemu-img convert/],
  ["parallels.hds", /Parallels.*qemu-img convert/],
  ["encrypted.luks", /encrypted/],
] as const;

Deno.test.each(REFUSED)("inspectHeader() refuses %s", (name, why) => {
  assert.match(inspectHeader(recordedImage(name)).refusal ?? "", why);
});

Deno.test("inspectHeader() refuses a differencing VHDX, by its flag or its parent locator", () => {
  const image = recordedImage("dynamic.vhdx");
  const parameters = indexOf(image, "3767a1ca36fa434db3b633f0aa44e76b");
  const view = new DataView(image.buffer);
  const value = indexOf(image, "6d65746164617461") + view.getUint32(parameters + 16, true);
  assert.equal(inspectHeader(image).refusal, null, "the premise");
  const flagged = image.slice();
  flagged[value + 4] = 2;
  assert.match(inspectHeader(flagged).refusal ?? "", /difference to another image/);
  const located = image.slice();
  // In the place of an item that is not read.
  located.set(
    Uint8Array.fromHex("2d5fd3a80bb34d45abf7d3d84834ab0c"),
    indexOf(image, "ab12cabee6b2234593efc309e000c746"),
  );
  assert.match(inspectHeader(located).refusal ?? "", /difference to another image/);
});

function indexOf(bytes: Uint8Array, hex: string): number {
  const at = bytes.toHex().indexOf(hex);
  assert.ok(at > 0 && at % 2 === 0, `${hex} is there`);
  return at / 2;
}

Deno.test("inspectHeader() refuses a differencing VDI", () => {
  const image = recordedImage("dynamic.vdi");
  image[0x4c] = 4;
  assert.match(inspectHeader(image).refusal ?? "", /difference to another image/);
});

Deno.test("inspectHeader() refuses a VMDK that hides a description of other files", async (t) => {
  const sparse = recordedImage("monolithicSparse.vmdk");
  const changed = (at: number, bytes: readonly number[]) => {
    const image = sparse.slice();
    image.set(bytes, at);
    return inspectHeader(image).refusal ?? "";
  };
  await t.step("without a capacity, which makes qemu-img read the description", () => {
    assert.match(changed(12, Array(8).fill(0)), /data is in other files/);
  });
  await t.step("with a parent where qemu-img looks, and the description elsewhere", () => {
    const image = sparse.slice();
    const text = new TextEncoder().encode('# Disk DescriptorFile\ncreateType="monolithicSparse"\n');
    image.set(text, 128 * 512);
    new DataView(image.buffer).setBigUint64(28, 128n, true);
    image.set(new TextEncoder().encode('parentFileNameHint="/etc/shadow"'), 0x200);
    assert.match(inspectHeader(image).refusal ?? "", /difference to another image/);
  });
  await t.step("with a kind of several files", () => {
    const at = indexOf(sparse, new TextEncoder().encode("monolithicSparse").toHex());
    assert.match(changed(at, [...new TextEncoder().encode("twoGbMaxExtentSp")]), /kind “twoGbMaxExtentSp”/);
  });
});

Deno.test("inspectHeader() refuses a description of a VMDK that is dressed as a raw image", () => {
  const image = rawImage(4096);
  image.set(new TextEncoder().encode('\n  \n#\n# comment\n  \r\nversion=1\nRW 1 FLAT "/etc/shadow" 0\n'));
  assert.match(inspectHeader(image).refusal ?? "", /only the description of a VMDK/);
});

Deno.test("inspectHeader() takes a raw image or an ISO only for what it has", () => {
  assert.deepEqual(inspectHeader(rawImage(8192)), { format: "raw", virtualBytes: null, refusal: null });
  assert.equal(inspectHeader(isoImage()).format, "iso");
  const gpt = new Uint8Array(8192);
  gpt.set(new TextEncoder().encode("EFI PART"), 4096);
  assert.equal(inspectHeader(gpt).format, "raw");
});

const OTHER_THINGS = [
  ["<!DOCTYPE html>\n<title>Sign in</title>", /a web page/],
  ["\n  <html lang=en>", /a web page/],
  ["<?xml version='1.0'?><Error/>", /an XML text/],
  ["-----BEGIN PGP SIGNED MESSAGE-----", /a signature/],
  ["Not found", /no boot sector and no partition table/],
  ["", /it is empty/],
  ["PK\x03\x04", /ZIP archive/],
  ["BZh91AY", /bzip2/],
] as const;

Deno.test.each(OTHER_THINGS)("inspectHeader() refuses what begins with %j", (text, why) => {
  assert.match(inspectHeader(new TextEncoder().encode(text)).refusal ?? "", why);
});

Deno.test("inspectHeader() refuses an OVA, which is a tar archive", () => {
  const tar = new Uint8Array(1024);
  tar.set(new TextEncoder().encode("ustar"), 257);
  assert.match(inspectHeader(tar).refusal ?? "", /archive/);
});

Deno.test("inspectHeader() never throws, wherever an image is cut off", () => {
  const names = [...ACCEPTED.map(([name]) => name), ...REFUSED.map(([name]) => name)];
  for (const name of names) {
    const image = recordedImage(name);
    for (let length = 0; length <= Math.min(image.length, 2048); length++) {
      inspectHeader(image.subarray(0, length));
    }
    for (let length = 2048; length < image.length; length = Math.ceil(length * 1.05)) {
      inspectHeader(image.subarray(0, length));
    }
  }
});
