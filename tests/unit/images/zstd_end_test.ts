/** Protects images from ending early unnoticed: the runtime's decoder for .zst does not mind. */
import assert from "node:assert/strict";
import { constants, zstdCompressSync } from "node:zlib";
import { ZstdEnd } from "../../../lib/images/source/unpacking/zstd_end.ts";

function isWhole(bytes: Uint8Array, pieceBytes = bytes.length): boolean {
  const end = new ZstdEnd();
  for (let at = 0; at < bytes.length; at += pieceBytes) end.push(bytes.subarray(at, at + pieceBytes));
  return end.isWhole;
}

/** Blocks of each kind: noise, repetition, and one byte many times. */
function content(length: number): Uint8Array {
  const bytes = crypto.getRandomValues(new Uint8Array(length));
  bytes.fill(7, length / 4, length / 2);
  bytes.set(bytes.subarray(0, length / 4), length / 2);
  return bytes;
}

const FRAMES = [0, 1].flatMap((checksum) =>
  [4, 1000, 60_000].map((length) =>
    zstdCompressSync(content(length), { params: { [constants.ZSTD_c_checksumFlag]: checksum } })
  )
);
/** A frame that decoders pass over. */
const SKIPPABLE = Uint8Array.of(0x5a, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 1, 2, 3);

Deno.test("ZstdEnd knows a whole file, in whatever pieces it comes", () => {
  for (const frame of FRAMES) {
    const several = Uint8Array.from([...SKIPPABLE, ...frame, ...SKIPPABLE, ...frame]);
    for (const file of [frame, several]) {
      for (const pieceBytes of [1, 3, 1000, file.length]) assert.ok(isWhole(file, pieceBytes));
    }
  }
});

Deno.test("ZstdEnd notices wherever a file ends early", () => {
  for (const frame of FRAMES) {
    for (let length = 1; length < frame.length; length += Math.max(1, Math.floor(frame.length / 200))) {
      assert.equal(isWhole(frame.subarray(0, length)), false, `${length} of ${frame.length}`);
    }
    assert.equal(isWhole(frame.subarray(0, frame.length - 1)), false);
  }
  assert.equal(isWhole(SKIPPABLE.subarray(0, 9)), false);
});
