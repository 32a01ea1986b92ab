/** Signs in to a NAS during set-up, and reads what its owner can choose from. Nothing on the NAS is changed. */
import type { NasAddress } from "../configuration/environment/nas_address.ts";
import type { Logger } from "../observability/logging.ts";
import { redactor } from "../observability/logging.ts";
import { type Places, readPlaces } from "../truenas/read_places.ts";
import { missingRoles } from "../truenas/roles.ts";
import { Session } from "../truenas/connection/session.ts";
import type { FindOptions } from "./find_nas.ts";

export type { Places } from "../truenas/read_places.ts";

/** An account on the NAS, as it was entered. */
export interface Account {
  /** Empty over a unix socket. */
  readonly username: string;
  readonly method: "key" | "password";
  /** The API key or the password. */
  readonly secret: string;
}

/** How to sign in. */
export interface SignInOptions extends FindOptions {
  readonly address: NasAddress;
  readonly account: Account;
  /** The accepted certificate; null when an authority has signed it. */
  readonly fingerprint: string | null;
  /** The one-time password, if one was entered. */
  readonly otp: string | null;
  readonly logger: Logger;
}

/** A signed-in account. */
export interface SignedIn {
  readonly account: Account;
  /** `25.10.1`; null when the account cannot read it. */
  readonly release: string | null;
  /** Whether TrueNAS reports the account's roles. */
  readonly rolesKnown: boolean;
  /** The roles that the account is missing. */
  readonly missing: readonly string[];
  /**
   * Reads the datasets, install images and bridges.
   *
   * @throws {TrueNASError} when the NAS does not answer.
   */
  readonly places: () => Promise<Places>;
  /** Signs out. */
  readonly close: () => Promise<void>;
}

/** The account needs a one-time password, and none was entered. */
export class OtpNeeded extends Error {
  override readonly name = "OtpNeeded";
}

/** The NAS did not accept the one-time password. */
export class OtpRefused extends Error {
  override readonly name = "OtpRefused";
}

/** How long a reading waits for a connection that was lost between two steps. */
const PATIENCE = { connectionWaitMs: 5_000, silenceMs: 5_000 } as const;

/**
 * Signs in.
 *
 * @throws {TrueNASConnectionError} with the kind of failure.
 * @throws {OtpNeeded} when the account needs a one-time password, {@link OtpRefused} when it was wrong.
 */
export async function signIn(options: SignInOptions): Promise<SignedIn> {
  const { account, fingerprint, address, logger, caCerts, tunnelSockets } = options;
  const isKey = account.method === "key";
  const session = new Session({
    address,
    username: account.username,
    password: isKey ? null : account.secret,
    apiKey: isKey ? account.secret : null,
    caCerts: caCerts ?? [],
    fingerprint,
    ...(tunnelSockets === undefined ? {} : { tunnelSockets }),
    askOtp: otpOnce(options.otp),
    guard: { readOnly: true, noDestroy: true },
    redact: redactor([account.secret]),
    simulated: false,
    logger,
  });
  try {
    const { nas } = await session.connect();
    return {
      account,
      release: nas.release,
      rolesKnown: nas.roles !== null,
      missing: missingRoles(nas.roles).map(({ role }) => role),
      places: () => readPlaces(session, PATIENCE),
      close: () => session.close(),
    };
  } catch (error) {
    await session.close();
    throw error;
  }
}

/** Supplies the one-time password once: TrueNAS asks again after a wrong one. */
function otpOnce(otp: string | null): () => Promise<string> {
  let asked = 0;
  return () => {
    asked++;
    if (otp === null) return Promise.reject(new OtpNeeded("A one-time password is needed"));
    return asked === 1 ? Promise.resolve(otp) : Promise.reject(new OtpRefused("It was not accepted"));
  };
}
