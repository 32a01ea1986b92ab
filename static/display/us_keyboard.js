/* The keys of a US keyboard that type a text, for "Paste as keys". */

/** What types one character: the key, with Shift or without; `keysym` is X11's number, which VNC wants as well. */
const KEYS = new Map();

const add = (character, code, shift, keysym = character.codePointAt(0)) =>
  KEYS.set(character, { code, shift, keysym });

for (const letter of "abcdefghijklmnopqrstuvwxyz") {
  add(letter, `Key${letter.toUpperCase()}`, false);
  add(letter.toUpperCase(), `Key${letter.toUpperCase()}`, true);
}
[...")!@#$%^&*("].forEach((shifted, digit) => {
  add(String(digit), `Digit${digit}`, false);
  add(shifted, `Digit${digit}`, true);
});
for (
  const [code, plain, shifted] of [
    ["Minus", "-", "_"],
    ["Equal", "=", "+"],
    ["BracketLeft", "[", "{"],
    ["BracketRight", "]", "}"],
    ["Backslash", "\\", "|"],
    ["Semicolon", ";", ":"],
    ["Quote", "'", '"'],
    ["Backquote", "`", "~"],
    ["Comma", ",", "<"],
    ["Period", ".", ">"],
    ["Slash", "/", "?"],
  ]
) {
  add(plain, code, false);
  add(shifted, code, true);
}
add(" ", "Space", false);
add("\n", "Enter", false, 0xff0d);
add("\t", "Tab", false, 0xff09);

/** The keys for a text, and the characters that no key of a US keyboard types, each once. */
export function keysFor(text) {
  const characters = [...text.replaceAll("\r\n", "\n").replaceAll("\r", "\n")];
  return {
    keys: characters.flatMap((it) => KEYS.get(it) ?? []),
    unknown: [...new Set(characters.filter((it) => !KEYS.has(it)))],
  };
}
