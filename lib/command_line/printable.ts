/** Texts of others on a terminal. */

/** A text for a terminal: names and descriptions come from the NAS, and may not steer it. Lines stay lines. */
export function printable(text: string): string {
  return text.split("\n").map(escapeControls).join("\n");
}

/** Escapes what could start a line of its own or steer a terminal. */
export function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\p{Zl}\p{Zp}]/gu,
    (it) => `\\u${it.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
