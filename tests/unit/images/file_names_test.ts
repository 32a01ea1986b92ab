/** Protects the NAS's conversion, which goes by the ending of a file's name, and paths, which take no braces. */
import assert from "node:assert/strict";
import { fileNameFor, nameInUrl } from "../../../lib/images/source/file_names.ts";
import type { ImageFormat } from "../../../lib/images/source/image_stream.ts";

const NAMES: readonly (readonly [name: string, format: ImageFormat, fileName: string])[] = [
  ["debian-12-genericcloud-amd64.qcow2", "qcow2", "debian-12-genericcloud-amd64.qcow2"],
  ["noble-server-cloudimg-amd64.img", "qcow2", "noble-server-cloudimg-amd64.qcow2"],
  ["nocloud-amd64.raw.xz", "raw", "nocloud-amd64.raw"],
  ["fedora.QCOW2.ZST", "qcow2", "fedora.qcow2"],
  ["disk.raw", "qcow2", "disk.qcow2"],
  ["debian+12 (new) {x}.img", "raw", "debian-12-new-x.raw"],
  ["Ünïcode-Größe", "iso", "U-ni-code-Gro-e.iso"],
  ["../../etc/passwd", "raw", "etc-passwd.raw"],
  [".qcow2", "qcow2", "image.qcow2"],
  ["", "vhdx", "image.vhdx"],
  ["n".repeat(10_000), "vmdk", `${"n".repeat(100)}.vmdk`],
];

Deno.test.each(NAMES)("fileNameFor() a file that is called %j", (name, format, fileName) => {
  assert.equal(fileNameFor(name, format), fileName);
});

Deno.test("nameInUrl() gives the last part of the path", () => {
  const nameOf = (url: string) => nameInUrl(new URL(url));
  assert.equal(nameOf("https://a.example/b/debian%2B12.img?token=x#y"), "debian+12.img");
  assert.equal(nameOf("https://a.example/b/"), "b");
  assert.equal(nameOf("https://a.example/"), "");
  assert.equal(nameOf("https://a.example/%ff"), "%ff");
});
