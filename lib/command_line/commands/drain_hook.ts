/** What `replace --drain` names: a command for the shell, or the URL of a hook. Pure. */

/** Runs a command. */
export const SHELL = "/bin/sh";

/** A hook that is called before and after each VM. */
export type DrainHook =
  | { readonly kind: "command"; readonly command: string }
  | { readonly kind: "url"; readonly url: string; readonly host: string };

/** A web address is called, and anything else is a command. */
export function drainHook(text: string): DrainHook {
  const url = /^https?:\/\//.test(text) ? URL.parse(text) : null;
  if (url === null) return { kind: "command", command: text };
  const port = url.port || (url.protocol === "https:" ? "443" : "80");
  return { kind: "url", url: url.href, host: `${url.hostname}:${port}` };
}
