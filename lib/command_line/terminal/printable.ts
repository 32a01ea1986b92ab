/** Makes text from elsewhere safe for a terminal. */

/** Escapes control characters, because names and descriptions from the NAS must not control the terminal. Line breaks stay. */
export function printable(text: string): string {
  return text.split("\n").map(escapeControls).join("\n");
}

/** Escapes line breaks and every character that can control a terminal. */
export function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
