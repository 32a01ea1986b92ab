/**
 * Protects the NAS from images that would make it read other files: whatever a real qemu-img makes, the header is read as
 * qemu-img reads it, and an image that needs another file is refused.
 */
import assert from "node:assert/strict";
import { HEADER_BYTES, inspectHeader } from "../../lib/images/source/header/inspect_header.ts";
import { consume, expectAccepted } from "../support/consumers.ts";
import { withFolder } from "../support/folder.ts";

/** Each kind of image, with the arguments that make it. */
const KINDS: readonly (readonly [name: string, isWhole: boolean, ...args: readonly string[]])[] = [
  ["a.qcow2", true, "-f", "qcow2", "-o", "compat=0.10"],
  ["b.qcow2", true, "-f", "qcow2", "-o", "cluster_size=2M,extended_l2=on,compression_type=zstd"],
  ["c.qcow2", false, "-f", "qcow2", "-b", "a.qcow2", "-F", "qcow2"],
  ["d.qcow2", false, "-f", "qcow2", "-o", "data_file=d.raw"],
  ["a.vmdk", true, "-f", "vmdk"],
  ["b.vmdk", true, "-f", "vmdk", "-o", "subformat=streamOptimized"],
  ["c.vmdk", false, "-f", "vmdk", "-o", "subformat=monolithicFlat"],
  ["d.vmdk", false, "-f", "vmdk", "-o", "subformat=twoGbMaxExtentSparse"],
  ["e.vmdk", false, "-f", "vmdk", "-o", "subformat=twoGbMaxExtentFlat"],
  ["f.vmdk", false, "-f", "vmdk", "-b", "a.vmdk", "-F", "vmdk"],
  ["a.vdi", true, "-f", "vdi"],
  ["b.vdi", true, "-f", "vdi", "-o", "static=on"],
  ["a.vhdx", true, "-f", "vhdx"],
  ["b.vhdx", true, "-f", "vhdx", "-o", "subformat=fixed,block_size=32M"],
];
const SIZE = "20M";

async function headOf(path: string): Promise<Uint8Array> {
  using file = await Deno.open(path);
  const head = new Uint8Array(HEADER_BYTES);
  let length = 0;
  for (let count = await file.read(head); count !== null; count = await file.read(head.subarray(length))) {
    length += count;
    if (length === head.length) break;
  }
  return head.subarray(0, length);
}

Deno.test("the header of each kind of image that qemu-img makes is read as qemu-img reads it", async () => {
  await withFolder(async (folder) => {
    for (const [name, isWhole, ...args] of KINDS) {
      const options = args.map((arg) => arg.replace("data_file=", `data_file=${folder}/`));
      const at = options.map((arg) => /^[a-f]\.(qcow2|vmdk)$/.test(arg) ? `${folder}/${arg}` : arg);
      await expectAccepted("qemu-img", ["create", "-q", ...at, `${folder}/${name}`, SIZE], name);
      const { stdout } = await consume("qemu-img", ["info", "--output", "json", `${folder}/${name}`]);
      const info = JSON.parse(stdout);
      const facts = inspectHeader(await headOf(`${folder}/${name}`));
      assert.equal(facts.refusal === null, isWhole, `${name}: ${facts.refusal}`);
      if (!isWhole) continue;
      assert.deepEqual([facts.format, facts.virtualBytes], [info.format, info["virtual-size"]], name);
    }
  });
});
