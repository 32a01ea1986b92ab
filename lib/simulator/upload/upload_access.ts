/** Who uploads: a token in the header or the address, a password, or an API key. */
import type { Account } from "../accounts.ts";
import type { Nas } from "../nas.ts";
import type { Token, Tokens } from "../wire/tokens.ts";

/** An account that may use the NAS over HTTP. */
export interface UploadAccess {
  readonly account: Account;
  readonly credentials: unknown;
}

interface Door {
  readonly nas: Nas;
  readonly tokens: Tokens;
}

interface Origin {
  readonly address: string;
  readonly secureTransport: boolean;
}

/** The account of a request, or the refusal. */
export function uploadAccess(
  request: Request,
  { nas, tokens }: Door,
  origin: Origin,
): UploadAccess | Response {
  const inAddress = new URL(request.url).searchParams.get("auth_token");
  const [scheme = "", secret = ""] = (request.headers.get("authorization") ?? "").split(" ");
  if (inAddress !== null) return byToken(tokens, inAddress, origin);
  switch (scheme) {
    case "Token":
      return byToken(tokens, secret, origin);
    case "Basic":
      return byPassword(nas, secret);
    case "Bearer":
      return byKey(nas, secret, origin);
    default:
      return refuse(401, "401: Unauthorized");
  }
}

function byToken(tokens: Tokens, text: string, { address }: Origin): UploadAccess | Response {
  const isFit = ({ hasAttributes, origin }: Token) =>
    !hasAttributes && (origin === null || origin === address);
  const token = tokens.use(text, isFit);
  if (token === undefined) return refuse(403, "Invalid token");
  const { account } = token;
  return { account, credentials: { type: "TOKEN", data: { parent: null, ...loginOf(account) } } };
}

/** A password alone is refused when the account needs a second factor. */
function byPassword({ store }: Nas, secret: string): UploadAccess | Response {
  const [username, ...rest] = decoded(secret).split(":");
  const password = rest.join(":");
  const account = store.accounts.find((it) => it.username === username && it.password === password);
  if (account === undefined || store.accounts.some(({ otp }) => otp !== null)) {
    return refuse(401, "Bad username or password");
  }
  return { account, credentials: { type: "LOGIN_PASSWORD", data: loginOf(account) } };
}

function decoded(base64: string): string {
  try {
    return atob(base64);
  } catch {
    return "";
  }
}

/** From 26 on a correct key that came unencrypted is revoked. */
function byKey({ store, profile }: Nas, key: string, { secureTransport }: Origin): UploadAccess | Response {
  const account = store.accounts.find(({ apiKey }) => apiKey === key);
  if (account === undefined || account.apiKeyRevoked || account.apiKeyExpired) {
    return refuse(401, "Invalid API key");
  }
  if (!secureTransport && profile.zfs === "resource") {
    account.apiKeyRevoked = true;
    return refuse(401, "Invalid API key");
  }
  return { account, credentials: { type: "API_KEY", data: loginOf(account) } };
}

function loginOf({ username }: Account) {
  return { username, login_id: null, login_at: { $date: Date.now() } };
}

function refuse(status: number, text: string): Response {
  return new Response(text, { status, headers: { "content-type": "text/plain; charset=utf-8" } });
}
