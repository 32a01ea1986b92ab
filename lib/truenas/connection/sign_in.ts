/** Signs in to a NAS with the method that it and the account require, and reports who is signed in. */
import { TrueNASCallError, TrueNASConnectionError } from "../../errors/errors.ts";
import { isRefusedWith, METHOD_NOT_FOUND } from "../../errors/refusals.ts";
import { isUnencrypted, type NasAddress } from "../../configuration/environment/nas_address.ts";
import type { RpcClient } from "../client.ts";
import { connectionError } from "./failures.ts";
import type { LoginReply, UserInfo } from "../method_types.ts";
import { ScramError, splitApiKey, startScram } from "./scram.ts";

/** Credentials for signing in. */
export interface Credentials {
  readonly address: NasAddress;
  readonly username: string | null;
  /** For a password login. */
  readonly password: string | null;
  /** Instead of a password. */
  readonly apiKey: string | null;
  /** How the NAS authenticates API keys. */
  readonly keyLogin: "plain" | "scram";
  /** A token from an earlier login of this process, which replaces a one-time password; or null. */
  readonly token: string | null;
  /** Asks for the one-time password; rejects when none is entered. */
  readonly askOtp: () => Promise<string>;
}

/** Who is signed in. */
export interface SignedIn {
  /** Roles, or null where they cannot be read. */
  readonly roles: readonly string[] | null;
  /** Whether a one-time password was required; without a token the next login requires one again. */
  readonly usedOtp: boolean;
}

/**
 * Signs in with `auth.login_ex` (25.04 and later) or `auth.login`; with an API key by SCRAM where the NAS supports it (26
 * and later).
 *
 * @throws {TrueNASConnectionError} with the reason and the remedy.
 */
export async function signIn(client: RpcClient, credentials: Credentials): Promise<SignedIn> {
  const { address, apiKey } = credentials;
  if (address.kind === "unix") return { roles: await readRoles(client), usedOtp: false };
  if (apiKey !== null) refuseKeyInClear(address);
  try {
    return await signInEx(client, credentials);
  } catch (error) {
    // Only the protocol's own "no such method" counts: a refusal by a method must not lead to the weaker login.
    if (error instanceof TrueNASCallError && error.refusal.code === METHOD_NOT_FOUND) {
      return await legacyLogin(client, credentials);
    }
    // TrueNAS limits the rate of logins with EBUSY.
    if (isRefusedWith(error, "EBUSY")) {
      throw connectionError(address, "rate-limited", "the NAS temporarily refuses further logins", error);
    }
    throw error;
  }
}

async function signInEx(client: RpcClient, credentials: Credentials): Promise<SignedIn> {
  const { username, password, apiKey, token } = credentials;
  const user = username ?? "";
  if (token !== null) {
    const byToken = await client.call("auth.login_ex", [{ mechanism: "TOKEN_PLAIN", token }]);
    if (byToken.response_type === "SUCCESS") return { roles: rolesOf(byToken.user_info), usedOtp: true };
  }
  if (apiKey !== null && credentials.keyLogin === "scram" && await offersScram(client)) {
    const answer = await proveKey(client, credentials, apiKey);
    if (answer.response_type === SCRAM_DONE) {
      return { roles: rolesOf(answer.user_info) ?? await readRoles(client), usedOtp: false };
    }
    throw refused(answer.response_type, credentials, false);
  }
  const data = apiKey === null
    ? { mechanism: "PASSWORD_PLAIN", username: user, password: password ?? "" }
    : { mechanism: "API_KEY_PLAIN", username: user, api_key: apiKey };
  let answer = await client.call("auth.login_ex", [data]);
  const usedOtp = answer.response_type === "OTP_REQUIRED";
  // Up to 25.10 a wrong code is requested again; the NAS limits the attempts.
  while (answer.response_type === "OTP_REQUIRED") {
    const otp = await credentials.askOtp();
    answer = await client.call("auth.login_ex_continue", [{ mechanism: "OTP_TOKEN", otp_token: otp }]);
  }
  if (answer.response_type === "SUCCESS") return { roles: rolesOf(answer.user_info), usedOtp };
  throw refused(answer.response_type, credentials, usedOtp);
}

const SCRAM_DONE = "SCRAM_RESPONSE";

async function offersScram(client: RpcClient): Promise<boolean> {
  return (await client.call("auth.mechanism_choices", [])).includes("SCRAM");
}

/** Mutual proof of the key by SCRAM, without sending it. */
async function proveKey(client: RpcClient, credentials: Credentials, apiKey: string): Promise<LoginReply> {
  const { address, username } = credentials;
  const parts = splitApiKey(apiKey);
  if (parts === null) {
    const malformed = "the API key is malformed; it must be a number, a hyphen and 64 characters";
    throw connectionError(address, "login", malformed);
  }
  const send = (scram_type: string, rfc_str: string) =>
    client.call("auth.login_ex", [{ mechanism: "SCRAM", scram_type, rfc_str }]);
  try {
    const exchange = startScram(parts, username ?? "");
    const challenge = await send("CLIENT_FIRST_MESSAGE", exchange.clientFirst);
    if (challenge.response_type !== SCRAM_DONE) return challenge;
    const proof = await exchange.prove(challenge.rfc_str ?? "");
    const answer = await send("CLIENT_FINAL_MESSAGE", proof.clientFinal);
    if (answer.response_type === SCRAM_DONE && !proof.proves(answer.rfc_str ?? "")) {
      throw new ScramError("the NAS could not prove that it knows the API key; it may be a different NAS");
    }
    return answer;
  } catch (error) {
    if (error instanceof ScramError) throw connectionError(address, "login", error.message, error);
    throw error;
  }
}

async function legacyLogin(client: RpcClient, credentials: Credentials): Promise<SignedIn> {
  const { address, username, password, apiKey } = credentials;
  const accepted = apiKey === null
    ? await client.call("auth.login", [username ?? "", password ?? ""])
    : await client.call("auth.login_with_api_key", [apiKey]);
  if (!accepted) {
    const hint = apiKey === null ? "; this release does not accept one-time passwords" : "";
    throw connectionError(address, "login", `${describeWrong(credentials)}${hint}`);
  }
  return { roles: await readRoles(client), usedOtp: false };
}

/** null when roles cannot be read, as with an API key of 24.x, which has no user. */
async function readRoles(client: RpcClient): Promise<readonly string[] | null> {
  try {
    return rolesOf(await client.call("auth.me", []));
  } catch (error) {
    if (error instanceof TrueNASCallError) return null;
    throw error;
  }
}

function rolesOf(user: UserInfo | null | undefined): readonly string[] | null {
  const roles = user?.privilege?.roles;
  if (!roles) return null;
  return Array.isArray(roles) ? roles : roles.$set;
}

/** TrueNAS permanently revokes a key that arrives over an unencrypted connection (25.04 and later). */
function refuseKeyInClear(address: NasAddress): void {
  if (!isUnencrypted(address)) return;
  throw new TrueNASConnectionError(
    `Cannot send the API key to ${address.url}: the connection is not encrypted and TrueNAS would revoke the key. Nothing was sent`,
    { failure: "configuration", remedy: "Use wss:// in TRUENAS_HOST." },
  );
}

function describeWrong({ username, apiKey }: Credentials): string {
  return apiKey === null
    ? `the NAS does not accept the user name or password of ${JSON.stringify(username ?? "")}`
    : `the NAS does not accept the API key of ${JSON.stringify(username ?? "")}; it is wrong or was revoked`;
}

function refused(answer: string, credentials: Credentials, usedOtp: boolean): TrueNASConnectionError {
  const { address, username, apiKey } = credentials;
  const name = JSON.stringify(username ?? "");
  switch (answer) {
    case "EXPIRED": {
      const what = apiKey === null
        ? `password of ${name} has expired`
        : `API key of ${name} has expired or was revoked`;
      return connectionError(address, "expired", `the ${what}`);
    }
    case "DENIED":
      return connectionError(address, "denied", `the account ${name} is not allowed to use the API`);
    case "REDIRECT":
      return connectionError(address, "standby", "this is the standby controller");
    default:
      return usedOtp
        ? connectionError(address, "otp", `the NAS does not accept the one-time password of ${name}`)
        : connectionError(address, "login", describeWrong(credentials));
  }
}
