/** auth.* and core.*: signing in, events and jobs of the calling connection. */
import { type Account, hasRole } from "../accounts.ts";
import type { Measuring } from "../measuring.ts";
import { jobRow } from "../jobs/job_row.ts";
import type { Nas } from "../nas.ts";
import type { StoredJob } from "../store.ts";
import { startDownload } from "../upload/download.ts";
import { type Options, query } from "./query.ts";
import { challenge, type ScramChallenge } from "../wire/scram.ts";
import type { Tokens } from "../wire/tokens.ts";
import { ERRNO } from "../../errors/errno.ts";
import { callError } from "../wire/wire_errors.ts";

/** The state of a connection, which these methods read and change. */
export interface Peer {
  readonly nas: Nas;
  account: Account | null;
  credentials: unknown;
  /** Whether an API key is safe (loopback, TLS); otherwise the NAS revokes it. */
  readonly secureTransport: boolean;
  /** The account that entered its password and still needs a one-time password, and its remaining retries. */
  awaiting: { readonly account: Account; retries: number } | null;
  /** A SCRAM exchange in progress. */
  scram: ScramChallenge | null;
  readonly options: { legacy_jobs: boolean; private_methods: boolean; py_exceptions: boolean };
  /** By ident. */
  readonly subscriptions: Map<string, Subscription>;
  readonly measuring: Measuring;
  /** Notifies the client that a subscription has ended; `error` is null when it ended it itself. */
  readonly notifyEnd: (collection: string, error: unknown) => void;
  readonly tokens: Tokens;
  /** The client's address. */
  readonly address: string;
}

/** A subscription of a connection. */
interface Subscription {
  readonly name: string;
  /** Ends the measuring that it needs. */
  readonly end: () => void;
}

type PeerMethod = (peer: Peer, args: readonly unknown[]) => unknown;

function signIn(peer: Peer, account: Account, type: string): void {
  peer.account = account;
  const login = {
    username: account.username,
    login_id: crypto.randomUUID(),
    login_at: { $date: Date.now() },
  };
  peer.credentials = { type, data: login };
}

/** The answer of auth.me in all versions. */
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

const REFUSED = { response_type: "AUTH_ERR" };
const EXPIRED = { response_type: "EXPIRED" };

const loginEx: PeerMethod = (peer, [given]) => {
  const data = given as LoginData;
  if (data.mechanism === "SCRAM") return scramLogin(peer, data);
  const account = data.mechanism === "OTP_TOKEN"
    ? accountByOtp(peer, data.otp_token ?? "")
    : accountFor(peer, data);
  if (account === "EXPIRED") return EXPIRED;
  if (account === null) return REFUSED;
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

/** Two calls: challenge and proof. Works without encryption as well, because the key is not sent. */
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
    if (peer.scram === null) return REFUSED;
    return answer("SERVER_FIRST_RESPONSE", peer.scram.serverFirst, null);
  }
  const final = scram?.verify(rfc_str) ?? null;
  if (scram === null || final === null) return REFUSED;
  if (scram.account.apiKeyExpired) return EXPIRED;
  signIn(peer, scram.account, "API_KEY");
  return answer("SERVER_FINAL_RESPONSE", final, scram.account);
}

/** The account of a right one-time password; a wrong one can be corrected up to 25.10, and ends the exchange from 26 on. */
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
      return checkKey(
        peer,
        accounts.find((it) => it.username === data.username && it.apiKey === data.api_key),
      );
    case "TOKEN_PLAIN":
      return peer.tokens.use(data.token ?? "")?.account ?? null;
    default:
      return null;
  }
}

/** A correct key that arrives unencrypted is permanently revoked. */
function checkKey(peer: Peer, owner: Account | undefined): Account | null | "EXPIRED" {
  if (owner === undefined || owner.apiKeyRevoked) return null;
  if (owner.apiKeyExpired) return "EXPIRED";
  if (peer.secureTransport) return owner;
  owner.apiKeyRevoked = true;
  return "EXPIRED";
}

const login: PeerMethod = (peer, [username, password, otp]) => {
  const credentials = { username: String(username), password: String(password) };
  const account = accountFor(peer, { mechanism: "PASSWORD_PLAIN", ...credentials });
  if (account === null || account === "EXPIRED") return false;
  if (account.otp !== null && account.otp !== otp) return false;
  signIn(peer, account, PLAIN);
  return true;
};

const loginWithKey: PeerMethod = (peer, [key]) => {
  const owner = checkKey(peer, peer.nas.store.accounts.find(({ apiKey }) => apiKey === key));
  if (owner === null || owner === "EXPIRED") return false;
  signIn(peer, owner, "API_KEY");
  return true;
};

const loginWithToken: PeerMethod = (peer, [token]) => {
  const account = peer.tokens.use(String(token))?.account;
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

const REALTIME = "reporting.realtime";

const subscribe: PeerMethod = (peer, [event]) => {
  const name = String(event);
  // The arguments of an event source follow its name.
  const [source = ""] = name.split(":", 1);
  const role = source === REALTIME ? "REPORTING_READ" : COLLECTIONS[name];
  // An unknown name is accepted but never causes an event.
  if (typeof role === "string" && !(peer.account !== null && hasRole(peer.account, role))) {
    throw callError(ERRNO.EACCES, "Not authorized");
  }
  const ident = crypto.randomUUID();
  if (source === REALTIME) measure(peer, ident, name);
  else peer.subscriptions.set(ident, { name, end: () => {} });
  return ident;
};

/** The ident is answered even for wrong arguments, which end the subscription. */
function measure(peer: Peer, ident: string, name: string): void {
  const interval = intervalOf(name.slice(REALTIME.length + 1));
  if (interval !== null) {
    return void peer.subscriptions.set(ident, { name, end: peer.measuring.start(name, interval) });
  }
  const { data } = callError(ERRNO.EINVAL, "interval: Input should be greater than or equal to 2").wire;
  void peer.nas.sleep(0).then(() => peer.notifyEnd(name, data));
}

/** In seconds; null when the arguments are wrong. */
function intervalOf(text: string): number | null {
  if (text === "") return 2;
  try {
    const given: unknown = JSON.parse(text);
    if (typeof given !== "object" || given === null) return null;
    const { interval = 2, ...others } = given as { interval?: number };
    const isRight = Number.isInteger(interval) && interval >= 2 && Object.keys(others).length === 0;
    return isRight ? interval : null;
  } catch {
    return null;
  }
}

/** The client is told of the end only for measurements, even if it ended them itself. */
function unsubscribe(peer: Peer, ident: string): void {
  const ended = peer.subscriptions.get(ident);
  if (ended === undefined || !peer.subscriptions.delete(ident)) return;
  ended.end();
  if (ended.name.startsWith(REALTIME)) peer.notifyEnd(ended.name, null);
}

function visibleJobs({ nas, account }: Peer): StoredJob[] {
  const all = [...nas.store.jobs.values()];
  const full = account !== null && hasRole(account, "FULL_ADMIN");
  const own = all.filter(({ credentials }) =>
    (credentials as { data?: { username?: string } } | null)?.data?.username === account?.username
  );
  return full ? all : own;
}

/** How long a token is good for unless told otherwise. */
const TOKEN_SECONDS = 600;

/** auth.* and core.* */
export const PEER_METHODS: Readonly<Record<string, PeerMethod>> = {
  "auth.login_ex": loginEx,
  "auth.login_ex_continue": loginEx,
  "auth.login": login,
  "auth.login_with_api_key": loginWithKey,
  "auth.login_with_token": loginWithToken,
  "auth.logout": (peer) => {
    for (const [ident, { name }] of peer.subscriptions) {
      if (name.startsWith(REALTIME)) unsubscribe(peer, ident);
    }
    peer.account = null;
    peer.credentials = null;
    return true;
  },
  "auth.me": ({ account }) => account === null ? null : userInfo(account),
  "auth.generate_token": ({ account, tokens, address }, [ttl, attributes, matchesOrigin, isSingleUse]) => {
    if (account === null) return null;
    return tokens.add({
      account,
      expiresAt: Date.now() + (typeof ttl === "number" ? ttl : TOKEN_SECONDS) * 1000,
      hasAttributes: Object.keys(attributes ?? {}).length > 0,
      origin: matchesOrigin === true ? address : null,
      isSingleUse: isSingleUse === true,
    });
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
  "core.unsubscribe": (peer, [ident]) => {
    unsubscribe(peer, String(ident));
    return null;
  },
  "core.set_options": ({ nas, options }, [given]) => {
    Object.assign(options, given);
    return nas.profile.returnsOptions ? options : null;
  },
  "core.download": (peer, args) => startDownload(peer, args),
  "core.resize_shell": () => null,
  "core.job_abort": (peer, [id]) => {
    const job = visibleJobs(peer).find((it) => it.id === id);
    if (job === undefined) throw callError(ERRNO.ENOENT, `Job ${String(id)} does not exist`);
    peer.nas.jobs.abort(job.id);
    return null;
  },
  "core.get_jobs": (peer, [filters, options]) =>
    query(visibleJobs(peer).map(jobRow), filters as unknown[], options as Options),
};
