/** How many columns text takes on a terminal, and text that takes no more than there are. Pure. */

/** Letters of two columns: those of East Asia, and emoji. */
const WIDE =
  /[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Hangul}\p{scx=Bopomofo}\p{Script=Yi}\p{Emoji_Presentation}\uFF01-\uFF60\uFFE0-\uFFE6]/u;

/** Marks on the letter before them, and what only controls how others look. */
const NARROW = /[\p{Mn}\p{Me}\p{Cf}]/u;

/** What makes a symbol an emoji, of two columns. */
const EMOJI_SELECTOR = "\uFE0F";

/** Letters that are written from the right. */
const RIGHT_TO_LEFT =
  /[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}\p{Script=Adlam}]/u;

/** What changes the direction of the text around it. */
const DIRECTIONS = /[\u061C\u200E\u200F\u202A-\u202E\u2066-\u2069]/gu;

/** The columns of a text. Where terminals differ it is the larger number. */
export function widthOf(text: string): number {
  let width = 0;
  for (const letter of text) width += widthOfLetter(letter);
  return width;
}

function widthOfLetter(letter: string): number {
  if (letter === EMOJI_SELECTOR) return 1;
  if (NARROW.test(letter)) return 0;
  return WIDE.test(letter) ? 2 : 1;
}

/** The text, cut with an ellipsis where it would take more columns. */
export function fitted(text: string, columns: number): string {
  if (widthOf(text) <= columns) return text;
  let [kept, width] = ["", 0];
  for (const letter of text) {
    width += widthOfLetter(letter);
    if (width > columns - 1) break;
    kept += letter;
  }
  return columns < 1 ? "" : `${kept}…`;
}

/** The text without what would turn the line around it, and isolated from the line if it is written from the right. */
export function isolated(text: string): string {
  const plain = text.replaceAll(DIRECTIONS, "");
  return RIGHT_TO_LEFT.test(plain) ? `\u2068${plain}\u2069` : plain;
}
