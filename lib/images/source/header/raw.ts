/**
 * Raw images and ISOs have no header of their own. qemu-img takes whatever it does not know for one, a web page as well, so
 * something that a machine can start from has to be there.
 */
import { accepted, type HeaderFacts, latin1, refused } from "./header_facts.ts";

const ISO_AT = 0x8001;
const BOOT_SIGNATURE_AT = 510;
/** A GUID partition table begins with the second sector, of 512 or 4096 bytes. */
const GPT_AT = [512, 4096];

/** Reads the beginning of a file that no other format claims. */
export function rawFacts(bytes: Uint8Array): HeaderFacts {
  if (latin1(bytes, ISO_AT, 5) === "CD001") return accepted("iso", null);
  const hasBootSignature = bytes[BOOT_SIGNATURE_AT] === 0x55 && bytes[BOOT_SIGNATURE_AT + 1] === 0xaa;
  if (hasBootSignature || GPT_AT.some((at) => latin1(bytes, at, 8) === "EFI PART")) {
    return accepted("raw", null);
  }
  return refused(otherThing(bytes) ?? "it is not a disk image: it has no boot sector and no partition table");
}

/** What people download instead of an image. */
function otherThing(bytes: Uint8Array): string | null {
  const start = latin1(bytes, 0, 512).replace(/^\xef\xbb\xbf/, "").trimStart().toLowerCase();
  if (/^(<!doctype html|<html|<head|<!--)/.test(start)) return "it is a web page";
  if (start.startsWith("<?xml")) return "it is an XML text";
  if (start.startsWith("-----begin")) return "it is a signature or a certificate";
  return bytes.length === 0 ? "it is empty" : null;
}
