/**
 * One GET request whose every address is checked: names are resolved here, redirects are followed here, and the connection is
 * made to the very address that was checked, so that a name cannot get another one in between.
 */
import { lookup } from "node:dns/promises";
import http from "node:http";
import https from "node:https";
import { ImageError } from "../../errors/errors.ts";
import { reasonOf, systemErrorCode } from "../../errors/system_errors.ts";
import { addressError, serverError } from "./image_errors.ts";
import { type AllowedAddresses, allowedAddresses, isAddress, type Place } from "./network_places.ts";

/** What is asked for. */
export interface ImageRequest {
  readonly url: string;
  /** Whether the address itself may be one of a private network or of this machine. */
  readonly allowPrivate: boolean;
  /** A digest says what has to arrive, so it does not matter which server and which connection it comes from. */
  readonly hasDigest: boolean;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
  readonly idleMs: number;
  /** Addresses of a name. */
  readonly resolve?: (host: string) => Promise<readonly string[]>;
}

/** An answer of a server. */
export interface Answer {
  /** Where it came from, after redirects. */
  readonly url: URL;
  readonly status: number;
  /** A header; null when it is absent. */
  header(name: string): string | null;
  /** The bytes; ending early throws. */
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends the connection. */
  close(): void;
}

/** Public sites lead over two or three; more is a loop. */
const MAX_REDIRECTS = 10;
const REDIRECTS: readonly number[] = [301, 302, 303, 307, 308];

/**
 * Asks, and follows redirects.
 *
 * @throws {ImageError} when an address may not be asked.
 */
export async function request(wanted: ImageRequest): Promise<Answer> {
  let url = parseUrl(wanted.url);
  let from: Place | null = null;
  for (let n = 0; n <= MAX_REDIRECTS; n++) {
    const { place, addresses } = await checkedAddresses(wanted, url, from);
    from = place;
    const answer = await ask(wanted, url, addresses);
    if (!REDIRECTS.includes(answer.status)) return answer;
    answer.close();
    url = redirected(wanted, url, answer.header("location"));
  }
  throw serverError(wanted.url, `it redirects more than ${MAX_REDIRECTS} times`);
}

/** The address of a file, without a name and password, which would be shown and logged with it. */
function parseUrl(text: string): URL {
  const url = URL.parse(text);
  if (url === null || !["http:", "https:"].includes(url.protocol)) {
    throw addressError(
      text,
      "it is not the address of a file; write it like https://example.org/debian.qcow2",
    );
  }
  if (url.username !== "" || url.password !== "") {
    throw addressError(`${url.origin}${url.pathname}`, "it contains a user name or password; remove them");
  }
  return url;
}

function redirected({ hasDigest }: ImageRequest, from: URL, location: string | null): URL {
  const to = location === null ? null : URL.parse(location, from);
  if (to === null) throw serverError(from.href, "it redirects, and does not say where to");
  const url = parseUrl(to.href);
  if (from.protocol === "https:" && url.protocol === "http:" && !hasDigest) {
    throw addressError(
      from.href,
      `it leads from HTTPS to ${url.href}; give the SHA-256, or use that address`,
    );
  }
  return url;
}

async function checkedAddresses(
  { allowPrivate, resolve = resolveName }: ImageRequest,
  { href, hostname }: URL,
  from: Place | null,
): Promise<AllowedAddresses> {
  const host = hostname.replace(/^\[|\]$/g, "");
  const found = isAddress(host) ? [host] : await addressesOf(href, host, resolve);
  const allowed = allowedAddresses(found, { from, allowPrivate });
  if (typeof allowed === "string") throw addressError(href, allowed);
  return allowed;
}

async function addressesOf(
  href: string,
  host: string,
  resolve: (host: string) => Promise<readonly string[]>,
): Promise<readonly string[]> {
  try {
    return await resolve(host);
  } catch (error) {
    throw serverError(href, reasonOf(error), error);
  }
}

async function resolveName(host: string): Promise<readonly string[]> {
  return (await lookup(host, { all: true })).map(({ address }) => address);
}

function ask(
  { headers, signal, idleMs }: ImageRequest,
  url: URL,
  addresses: readonly string[],
): Promise<Answer> {
  signal.throwIfAborted();
  const answers = Promise.withResolvers<Answer>();
  const known = addresses.map((address) => ({ address, family: address.includes(":") ? 6 : 4 }));
  const options = {
    headers: { "accept-encoding": "identity", "user-agent": "truenas-vm-manager", ...headers },
    // No connection is kept: the next one is checked anew.
    agent: false as const,
    lookup: (
      _host: string,
      { all }: { all?: boolean },
      done: (error: null, address: string | typeof known, family?: number) => void,
    ) => {
      const [first] = known;
      if (all === true || first === undefined) done(null, known);
      else done(null, first.address, first.family);
    },
  };
  const sent = (url.protocol === "https:" ? https : http).request(url, options as http.RequestOptions);
  const stop = () => sent.destroy();
  const timer = setTimeout(() => {
    answers.reject(serverError(url.href, `it did not answer within ${Math.round(idleMs / 1000)} s`));
    stop();
  }, idleMs);
  const aborted = () => {
    answers.reject(signal.reason);
    stop();
  };
  signal.addEventListener("abort", aborted, { once: true });
  const settled = () => {
    clearTimeout(timer);
    signal.removeEventListener("abort", aborted);
  };
  sent.on("error", (error) => answers.reject(connectionError(url, error)));
  sent.on("response", (response) => {
    answers.resolve({
      url,
      status: response.statusCode ?? 0,
      header: (name) => {
        const value = response.headers[name];
        return value === undefined ? null : String(value);
      },
      body: response,
      close: stop,
    });
  });
  sent.end();
  return answers.promise.finally(settled);
}

function connectionError({ href }: URL, error: Error): ImageError {
  const isTls = /certificate|tls|ssl/i.test(error.message) && systemErrorCode(error) === null;
  const reason = isTls ? `its certificate is not accepted: ${error.message}` : reasonOf(error);
  return serverError(href, reason, error);
}
