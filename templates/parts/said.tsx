/** Sentences of the program with text from elsewhere in them: names, descriptions, what was typed, errors of the NAS. */

/** Letters written from right to left, and characters that turn the direction. */
const TURNS = "[\u0590-\u08ff\u200e\u200f\u202a-\u202e\u2066-\u2069\ufb1d-\ufdff\ufe70-\ufefc]";
/** From the first of them to the last one before other letters. */
const TURNED = new RegExp(`(${TURNS}(?:[^A-Za-z]*?${TURNS})*)`, "u");
/** Longer words may break anywhere, or they would widen the page. */
const LONG_WORD = /\S{24}/;

/** A figure, and its unit behind it. */
const FIGURE = /(\d) (?=(?:[KMGTP]iB|B|ms|s|min|h|vCPUs?|%)(?![A-Za-z]))/g;

/** The text with its figures on one line with their units. */
export function unbroken(text: string): string {
  return text.replaceAll(FIGURE, "$1\u00a0");
}

/** The sentence: what is written from right to left does not turn the words around it, and the longest word breaks. */
export function Said({ text }: { text: string }) {
  const parts = unbroken(text).split(TURNED);
  const said = parts.length === 1 ? parts : parts.map((part, n) => n % 2 === 0 ? part : <bdi>{part}</bdi>);
  return LONG_WORD.test(text) ? <span class="said">{said}</span> : <>{said}</>;
}
