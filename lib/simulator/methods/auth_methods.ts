/** auth.* and core.*: signing in, events, jobs. These act on the connection that calls them. */
import { type Account, hasRole } from "../accounts.ts";
import { jobRow, type Nas } from "../nas.ts";
import { type Options, query } from "./query.ts";
import { challenge, type ScramChallenge } from "../wire/scram.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError } from "../wire/wire_errors.ts";

/** What a method may do to its connection. */
export interface Peer {
  readonly nas: Nas;
  account: Account | null;
  credentials: unknown;
  /** Loopback and TLS keep an API key safe; anything else makes the NAS revoke it. */
  readonly secureTransport: boolean;
  /** Who gave a right password and still owes the one-time one, and how often a wrong one may come yet. */
  awaiting: { readonly account: Account; retries: number } | null;
  /** An API key that is being proven by SCRAM. */
  scram: ScramChallenge | null;
  readonly options: { legacy_jobs: boolean; private_methods: boolean; py_exceptions: boolean };
  readonly subscriptions: Map<string, string>;
  readonly tokens: Map<string, Account>;
}

/** A method of a connection. */
export type PeerMethod = (peer: Peer, args: readonly unknown[]) => unknown;

function signIn(peer: Peer, account: Account, type: string): void {
  peer.account = account;
  const login = {
    username: account.username,
    login_id: crypto.randomUUID(),
    login_at: { $date: Date.now() },
  };
  peer.credentials = { type, data: login };
}

/** auth.me, as all versions give it. */
function userInfo({ username, roles }: Account): Record<string, unknown> {
  const full = roles.includes("FULL_ADMIN");
  return {
    pw_name: username,
    pw_gecos: "",
    pw_dir: "/root",
    pw_shell: "/bin/sh",
    pw_uid: 0,
    pw_gid: 0,
    grouplist: null,
    sid: null,
    source: "LOCAL",
    local: true,
    attributes: {},
    two_factor_config: { provisioning_uri: null, secret_configured: false, interval: 30, otp_digits: 6 },
    privilege: {
      roles: { $set: [...roles] },
      allowlist: full ? [{ method: "*", resource: "*" }] : [],
      web_shell: full,
      webui_access: true,
    },
    account_attributes: ["LOCAL", "SYS_ADMIN"],
  };
}

interface LoginData {
  readonly mechanism: string;
  readonly username?: string;
  readonly password?: string;
  readonly api_key?: string;
  readonly token?: string;
  readonly otp_token?: string;
  readonly scram_type?: string;
  readonly rfc_str?: string;
  readonly login_options?: { readonly user_info?: boolean };
}

const PLAIN = "LOGIN_PASSWORD";

const loginEx: PeerMethod = (peer, [given]) => {
  const data = given as LoginData;
  if (data.mechanism === "SCRAM") return scramLogin(peer, data);
  const account = data.mechanism === "OTP_TOKEN"
    ? accountByOtp(peer, data.otp_token ?? "")
    : accountFor(peer, data);
  if (account === "EXPIRED") return { response_type: "EXPIRED" };
  if (account === null) return { response_type: "AUTH_ERR" };
  if (account === "AGAIN") {
    return { response_type: "OTP_REQUIRED", username: peer.awaiting?.account.username };
  }
  if (account.otp !== null && data.mechanism === "PASSWORD_PLAIN") {
    peer.awaiting = { account, retries: peer.nas.profile.otpRetries };
    return { response_type: "OTP_REQUIRED", username: account.username };
  }
  peer.awaiting = null;
  signIn(peer, account, data.mechanism === "API_KEY_PLAIN" ? "API_KEY" : PLAIN);
  const wantsInfo = data.login_options?.user_info !== false;
  const reconnect = peer.nas.profile.cancelsOnDisconnect;
  return {
    response_type: "SUCCESS",
    user_info: wantsInfo ? userInfo(account) : null,
    authenticator: "LEVEL_1",
    ...(reconnect ? { reconnect_token: null } : {}),
  };
};

/** Two calls: the challenge, and the proof. A key that is proven so may also arrive in clear: it was not sent. */
function scramLogin(peer: Peer, { scram_type, rfc_str = "" }: LoginData): Record<string, unknown> {
  const answer = (type: string, text: string, account: Account | null) => ({
    response_type: "SCRAM_RESPONSE",
    scram_type: type,
    rfc_str: text,
    user_info: account === null ? null : userInfo(account),
  });
  const { scram } = peer;
  peer.scram = null;
  if (scram_type === "CLIENT_FIRST_MESSAGE") {
    peer.scram = challenge(peer.nas.store.accounts, rfc_str);
    if (peer.scram === null) return { response_type: "AUTH_ERR" };
    return answer("SERVER_FIRST_RESPONSE", peer.scram.serverFirst, null);
  }
  const final = scram?.verify(rfc_str) ?? null;
  if (scram === null || final === null) return { response_type: "AUTH_ERR" };
  if (scram.account.apiKeyExpired) return { response_type: "EXPIRED" };
  signIn(peer, scram.account, "API_KEY");
  return answer("SERVER_FINAL_RESPONSE", final, scram.account);
}

/** The account that a one-time password completes; up to 25.10 a wrong one may be mended, from 26 on it ends the exchange. */
function accountByOtp(peer: Peer, code: string): Account | null | "AGAIN" {
  const { awaiting } = peer;
  if (awaiting === null) throw callError(ERRNO.EINVAL, "OTP_TOKEN: no authentication in progress");
  if (awaiting.account.otp === code) return awaiting.account;
  if (awaiting.retries-- > 0) return "AGAIN";
  peer.awaiting = null;
  return null;
}

function accountFor(peer: Peer, data: LoginData): Account | null | "EXPIRED" {
  const { accounts } = peer.nas.store;
  switch (data.mechanism) {
    case "PASSWORD_PLAIN":
      return accounts.find((it) => it.username === data.username && it.password === data.password) ?? null;
    case "API_KEY_PLAIN":
      return keyOwner(
        peer,
        accounts.find((it) => it.username === data.username && it.apiKey === data.api_key),
      );
    case "TOKEN_PLAIN":
      return peer.tokens.get(data.token ?? "") ?? null;
    default:
      return null;
  }
}

/** A correct key that arrives in clear is revoked for good. */
function keyOwner(peer: Peer, owner: Account | undefined): Account | null | "EXPIRED" {
  if (owner === undefined || owner.apiKeyRevoked) return null;
  if (owner.apiKeyExpired) return "EXPIRED";
  if (peer.secureTransport) return owner;
  owner.apiKeyRevoked = true;
  return "EXPIRED";
}

const login: PeerMethod = (peer, [username, password, otp]) => {
  const account = accountFor(peer, {
    mechanism: "PASSWORD_PLAIN",
    username: String(username),
    password: String(password),
  });
  if (account === null || account === "EXPIRED") return false;
  if (account.otp !== null && account.otp !== otp) return false;
  signIn(peer, account, PLAIN);
  return true;
};

const loginWithKey: PeerMethod = (peer, [key]) => {
  const owner = keyOwner(peer, peer.nas.store.accounts.find(({ apiKey }) => apiKey === key));
  if (owner === null || owner === "EXPIRED") return false;
  signIn(peer, owner, "API_KEY");
  return true;
};

const loginWithToken: PeerMethod = (peer, [token]) => {
  const account = peer.tokens.get(String(token));
  if (account === undefined) return false;
  signIn(peer, account, "TOKEN");
  return true;
};

const COLLECTIONS: Readonly<Record<string, string | null>> = {
  "vm.query": "VM_READ",
  "vm.device.query": "VM_DEVICE_READ",
  "core.get_jobs": null,
  "pool.query": "POOL_READ",
  "pool.dataset.query": "DATASET_READ",
  "zfs.snapshot.query": "SNAPSHOT_READ",
  "pool.snapshot.query": "SNAPSHOT_READ",
  "interface.query": "NETWORK_INTERFACE_READ",
};

const subscribe: PeerMethod = (peer, [event]) => {
  const name = String(event);
  const role = COLLECTIONS[name];
  // A name that nobody knows is accepted, and never told of.
  if (typeof role === "string" && !(peer.account !== null && hasRole(peer.account, role))) {
    throw callError(ERRNO.EACCES, "Not authorized");
  }
  const ident = crypto.randomUUID();
  peer.subscriptions.set(ident, name);
  return ident;
};

function visibleJobs({ nas, account }: Peer) {
  const all = [...nas.store.jobs.values()];
  const full = account !== null && hasRole(account, "FULL_ADMIN");
  const own = all.filter(({ credentials }) =>
    (credentials as { data?: { username?: string } } | null)?.data?.username === account?.username
  );
  return (full ? all : own).map(jobRow);
}

/** auth.* and core.* */
export const PEER_METHODS: Readonly<Record<string, PeerMethod>> = {
  "auth.login_ex": loginEx,
  "auth.login_ex_continue": loginEx,
  "auth.login": login,
  "auth.login_with_api_key": loginWithKey,
  "auth.login_with_token": loginWithToken,
  "auth.logout": (peer) => {
    peer.account = null;
    peer.credentials = null;
    return true;
  },
  "auth.me": ({ account }) => account === null ? null : userInfo(account),
  "auth.generate_token": ({ account, tokens }) => {
    const token = crypto.randomUUID().replaceAll("-", "").repeat(2);
    if (account !== null) tokens.set(token, account);
    return token;
  },
  "auth.mechanism_choices": ({ nas, account }) => {
    if (account === null && !nas.profile.mechanismChoicesBeforeLogin) {
      throw callError(ERRNO.EFAULT, "'NoneType' object has no attribute 'may_create_auth_token'");
    }
    const plain = ["API_KEY_PLAIN", "TOKEN_PLAIN", "PASSWORD_PLAIN"];
    return nas.profile.mechanismChoicesBeforeLogin ? [...plain, "SCRAM"] : plain;
  },
  "core.ping": () => "pong",
  "core.subscribe": subscribe,
  "core.unsubscribe": ({ subscriptions }, [ident]) => {
    subscriptions.delete(String(ident));
    return null;
  },
  "core.set_options": ({ nas, options }, [given]) => {
    Object.assign(options, given);
    return nas.profile.tellsOptions ? options : null;
  },
  "core.resize_shell": () => null,
  "core.get_jobs": (peer, [filters, options]) =>
    query(visibleJobs(peer), filters as unknown[], options as Options),
};
