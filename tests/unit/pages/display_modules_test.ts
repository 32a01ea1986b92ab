/**
 * Protects the console page's modules: everything that they import is served beside them, and texts are typed by the
 * keys of a US keyboard.
 */
import assert from "node:assert/strict";
import { DISPLAY_FILES } from "../../../routes/server/assets/display/files.ts";
// @ts-types="./spice.d.ts"
import { wholeTicket } from "../../../static/display/spice.js";
// @ts-types="./us_keyboard.d.ts"
import { keysFor } from "../../../static/display/us_keyboard.js";

/** What a module imports by a relative path, at once or later. */
function importsOf(text: string): string[] {
  const all = /(?:\bfrom|\bimport|\bimport\(|\bat\(|\bmoduleAt\()\s*["']([^"']+\.js)["']/g;
  return [...text.matchAll(all)].map(([, path = ""]) => path);
}

Deno.test("every module that the console page imports is served", () => {
  assert.ok(Object.keys(DISPLAY_FILES).length > 70, "the premise: both clients are there");
  let count = 0;
  for (const [name, text] of Object.entries(DISPLAY_FILES)) {
    for (const path of importsOf(text)) {
      // vnc.js names what it needs of noVNC by the path below its core.
      const base = name === "vnc.js" ? "https://x.test/novnc/core/" : `https://x.test/${name}`;
      const wanted = new URL(path, base).pathname.slice(1);
      assert.ok(Object.hasOwn(DISPLAY_FILES, wanted), `${name} imports ${path}`);
      count++;
    }
  }
  assert.ok(count > 100, `${count} imports were seen`);
});

Deno.test("wholeTicket() gives a SPICE ticket the leading zeros that the server wants", () => {
  const full = Array.from({ length: 128 }, (_, index) => index + 1);
  assert.deepEqual(wholeTicket(full), full);
  assert.deepEqual(wholeTicket(full.slice(2)), [0, 0, ...full.slice(2)]);
  assert.equal(wholeTicket([]).length, 128);
});

Deno.test("keysFor() types a text as on a US keyboard, and names what it cannot type", () => {
  const { keys, unknown } = keysFor("aZ 1!\r\n~");
  assert.deepEqual(unknown, []);
  assert.deepEqual(keys.map(({ code, shift }) => `${shift ? "Shift+" : ""}${code}`), [
    "KeyA",
    "Shift+KeyZ",
    "Space",
    "Digit1",
    "Shift+Digit1",
    "Enter",
    "Shift+Backquote",
  ]);
  assert.deepEqual(keys.map(({ keysym }) => keysym), [0x61, 0x5a, 0x20, 0x31, 0x21, 0xff0d, 0x7e]);
  const ascii = Array.from({ length: 95 }, (_, index) => String.fromCharCode(32 + index)).join("");
  assert.deepEqual(keysFor(ascii).unknown, []);
  assert.equal(keysFor(ascii).keys.length, 95);
  assert.deepEqual(keysFor("üü€a🧊").unknown, ["ü", "€", "🧊"]);
});
