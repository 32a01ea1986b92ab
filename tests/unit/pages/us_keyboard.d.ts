/** The keys for a text, and the characters that no key types. */
export function keysFor(text: string): {
  keys: { code: string; shift: boolean; keysym: number }[];
  unknown: string[];
};
