/** Protects the demo's screens: they show what is typed on a US keyboard. */
import assert from "node:assert/strict";
import { CELL, runsOf } from "../../lib/simulator/screens/font.ts";
import { SIZE, Terminal } from "../../lib/simulator/screens/terminal.ts";

/** Scan codes of H, I, 1, Shift, Enter and Backspace. */
const [H, I, ONE, SHIFT, ENTER, BACKSPACE] = [0x23, 0x17, 0x02, 0x2a, 0x1c, 0x0e] as const;

function typed(...codes: readonly number[]): Terminal {
  const terminal = new Terminal("worker01");
  for (const code of codes) {
    terminal.key(code, true);
    if (code !== SHIFT) terminal.key(code, false);
  }
  return terminal;
}

Deno.test("Terminal shows what is typed, with Shift, Enter and Backspace", () => {
  assert.equal(typed(H, I, ONE).lines.at(-1), "worker01 login: hi1_");
  assert.equal(typed(SHIFT, H, I, ONE).lines.at(-1), "worker01 login: HI!_");
  assert.equal(typed(H, I, BACKSPACE).lines.at(-1), "worker01 login: h_");
  assert.deepEqual(typed(H, ENTER, I).lines.slice(-2), ["worker01 login: h", "worker01 login: i_"]);
});

Deno.test("Terminal never shows more than fits on the screen", () => {
  const { lines } = typed(...new Array<number>(100).fill(ENTER), ...new Array<number>(200).fill(H));
  assert.equal(lines.length, SIZE.rows);
  assert.ok(lines.every(({ length }) => length <= SIZE.columns));
});

Deno.test("runsOf() has points for every printable character, within its cell", () => {
  for (let code = 0x21; code < 0x7f; code++) {
    const runs = runsOf(String.fromCharCode(code));
    assert.ok(runs.length > 0, String.fromCharCode(code));
    assert.ok(runs.every(({ x, y, width }) => x + width <= CELL.width && y < CELL.height));
  }
  assert.deepEqual(runsOf(" "), []);
  assert.deepEqual(runsOf("\u00fc"), []);
});
