/** Public keys of accounts at GitHub, which publishes them. */
import { ConfigurationError, ImageError } from "../errors/errors.ts";
import type { FetchText } from "../images/source/fetch_text.ts";
import { GITHUB, MAX_KEYS_BYTES } from "./rendering/seed_texts.ts";
import { keyLines, publicKeyProblem } from "./rendering/ssh_keys.ts";

/** How keys are asked for. */
export interface GithubOptions {
  readonly fetchText: FetchText;
  /** Default: GitHub. */
  readonly origin?: string;
  /** Tells how old answers are, in milliseconds; default `performance.now()`. */
  readonly clock?: () => number;
}

const ORIGIN = "https://github.com";
const TIMEOUT_MS = 10_000;
/** A page plans again with each change of a form, and must not ask each time. */
const REMEMBERED_MS = 300_000;

const INSTEAD = "Try again, or put the keys into a file and name it in ssh_keys";

/** Asks for the keys of an account, one a line; answers are remembered for a few minutes. */
export function githubKeys(
  { fetchText, origin = ORIGIN, clock = () => performance.now() }: GithubOptions,
): (account: string) => Promise<string> {
  const known = new Map<string, { readonly at: number; readonly keys: Promise<string> }>();
  return (account) => {
    const found = known.get(account);
    if (found !== undefined && clock() - found.at < REMEMBERED_MS) return found.keys;
    const keys = fetchKeys(account, fetchText, origin);
    known.set(account, { at: clock(), keys });
    keys.catch(() => known.delete(account));
    return keys;
  };
}

async function fetchKeys(account: string, fetchText: FetchText, origin: string): Promise<string> {
  const fail = (message: string, cause?: unknown) =>
    new ConfigurationError(`${GITHUB}${account}`, [{ field: "", message }], { cause });
  const url = `${origin}/${encodeURIComponent(account)}.keys`;
  // Only tests have another origin, of this machine.
  const wanted = { url, allowPrivate: origin !== ORIGIN, maxBytes: MAX_KEYS_BYTES, timeoutMs: TIMEOUT_MS };
  const { status, text } = await fetchText(wanted).catch((error) => {
    if (!(error instanceof ImageError)) throw error;
    throw fail(`${error.message}. ${INSTEAD}`, error);
  });
  if (status === 404) throw fail("There is no account of this name at GitHub; check its spelling");
  if (status !== 200) throw fail(`GitHub answered with status ${status}. ${INSTEAD}`);
  if (keyLines(text).some((line) => publicKeyProblem(line) !== null)) {
    throw fail(`What GitHub answered is not a list of public keys. ${INSTEAD}`);
  }
  return text;
}
