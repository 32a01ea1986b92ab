/** What a simulated guest shows: a text terminal that echoes what is typed on a US keyboard. */

/** Characters of the screen. */
export const SIZE = { columns: 80, rows: 25 } as const;

/** PC scan codes of set 1: the keys of each row, without Shift and with it, by the code of the first. */
const ROWS: readonly (readonly [first: number, plain: string, shifted: string])[] = [
  [0x02, "1234567890-=", "!@#$%^&*()_+"],
  [0x10, "qwertyuiop[]", "QWERTYUIOP{}"],
  [0x1e, "asdfghjkl;'`", 'ASDFGHJKL:"~'],
  [0x2b, "\\zxcvbnm,./", "|ZXCVBNM<>?"],
  [0x39, " ", " "],
];

const KEYS = new Map(
  ROWS.flatMap(([first, plain, shifted]) =>
    [...plain].map((key, index) => [first + index, [key, shifted[index] ?? key]] as const)
  ),
);

const SHIFTS: readonly number[] = [0x2a, 0x36];
const ENTER = 0x1c;
const BACKSPACE = 0x0e;

/** A terminal with a login that never ends. */
export class Terminal {
  readonly #prompt: string;
  readonly #lines: string[];
  readonly #listeners = new Set<() => void>();
  #typed = "";
  #isShifted = false;

  /** A guest of this name, as it looks once it has started. */
  constructor(name: string) {
    this.#prompt = `${name} login: `;
    this.#lines = [
      "Simulated guest",
      "",
      "This screen belongs to the demo. No VM runs behind it; what you type is echoed.",
      "",
    ];
  }

  /** The lines that fit, from the top. */
  get lines(): readonly string[] {
    return [...this.#lines, `${this.#prompt}${this.#typed}_`].slice(-SIZE.rows);
  }

  /** Takes a key, pressed or released. */
  key(scancode: number, isDown: boolean): void {
    if (SHIFTS.includes(scancode)) this.#isShifted = isDown;
    else if (isDown) this.#press(scancode);
  }

  /** Calls back when the lines change, until the returned function is called. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #press(scancode: number): void {
    const character = KEYS.get(scancode)?.[this.#isShifted ? 1 : 0];
    const room = SIZE.columns - this.#prompt.length - 1;
    if (character !== undefined && this.#typed.length < room) this.#typed += character;
    if (scancode === BACKSPACE) this.#typed = this.#typed.slice(0, -1);
    if (scancode === ENTER) {
      this.#lines.push(`${this.#prompt}${this.#typed}`);
      if (this.#lines.length > SIZE.rows) this.#lines.shift();
      this.#typed = "";
    }
    for (const listener of this.#listeners) listener();
  }
}
