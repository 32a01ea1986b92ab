/**
 * Reads the beginning of an image: the format by the content, never by the name. Every format that qemu-img would recognise
 * is recognised here, because it would read the other files that some of them name. Pure.
 */
import { type HeaderFacts, latin1, refused } from "./header_facts.ts";
import { qcow2Facts } from "./qcow2.ts";
import { rawFacts } from "./raw.ts";
import { isVdi, vdiFacts } from "./vdi.ts";
import { vhdxFacts } from "./vhdx.ts";
import { vmdkDescriptorRefusal, vmdkFacts } from "./vmdk.ts";

export type { HeaderFacts } from "./header_facts.ts";

/** How much of a file has to be read, or all of a shorter one: VHDX has its metadata behind a log of some mebibytes. */
export const HEADER_BYTES = 4 * 1024 * 1024;

const CONVERT = "convert it with “qemu-img convert -O qcow2” first";

/** What else qemu-img would recognise, and what images come packed in, by the first bytes. */
const UNSUPPORTED: readonly (readonly [start: string, what: string])[] = [
  ["QED\0", `it is a QED image; ${CONVERT}`],
  ["COWD", "it is only one part of a VMDK in several files"],
  ["conectix", `it is a VHD, the format before VHDX; ${CONVERT}`],
  ["WithoutFreeSpace", `it is a Parallels image; ${CONVERT}`],
  ["WithouFreSpacExt", `it is a Parallels image; ${CONVERT}`],
  ["Bochs Virtual HD Image", `it is a Bochs image; ${CONVERT}`],
  ["#!/bin/sh\n#V2.0 Format", "it is a cloop image"],
  ["LUKS\xba\xbe", "it is encrypted (LUKS)"],
  ["BZh", "it is packed with bzip2; unpack it, or use a file that ends in .xz, .gz or .zst"],
  ["PK\x03\x04", "it is a ZIP archive; unpack it, and use the disk image in it"],
  ["7z\xbc\xaf\x27\x1c", "it is a 7-Zip archive; unpack it, and use the disk image in it"],
];

/** Where a tar archive, such as an OVA, says that it is one. */
const TAR_AT = 257;

/** Inspects the first {@link HEADER_BYTES} of a file, or all of a shorter one. */
export function inspectHeader(bytes: Uint8Array): HeaderFacts {
  const start = latin1(bytes, 0, 64);
  if (start.startsWith("QFI\xfb")) return qcow2Facts(bytes);
  if (start.startsWith("KDMV")) return vmdkFacts(bytes);
  if (start.startsWith("vhdxfile")) return vhdxFacts(bytes);
  if (isVdi(bytes)) return vdiFacts(bytes);
  const unsupported = UNSUPPORTED.find(([it]) => start.startsWith(it))?.[1] ?? vmdkDescriptorRefusal(bytes);
  if (unsupported !== null) return refused(unsupported);
  if (latin1(bytes, TAR_AT, 5) === "ustar") {
    return refused("it is an archive (tar or OVA); unpack it, and use the disk image in it");
  }
  return rawFacts(bytes);
}
