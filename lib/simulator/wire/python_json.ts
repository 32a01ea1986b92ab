/** Python's message for text that is not JSON, for likely mistakes. */
export function pythonJsonError(text: string, error: unknown): string {
  const at = Number(/position (\d+)/.exec(String(error))?.[1] ?? 0);
  const place = `line 1 column ${at + 1} (char ${at})`;
  if (text[at - 1] === "{" || text.slice(0, at).trimEnd().endsWith("{")) {
    return `Expecting property name enclosed in double quotes: ${place}`;
  }
  return `Expecting value: ${place}`;
}
