/** Carries out the steps of set-up: each takes a form, and returns its problems or nothing. */
import { type NasAddress, parseNasAddress } from "../../lib/configuration/environment/nas_address.ts";
import { type Problem, TrueNASConnectionError, TrueNASError } from "../../lib/errors/errors.ts";
import { findNas } from "../../lib/setup/find_nas.ts";
import { type Account, OtpNeeded, OtpRefused, signIn } from "../../lib/setup/sign_in.ts";
import { explainFailure } from "../../lib/setup/words.ts";
import { OTHER } from "../../templates/pages/setup/place_step.tsx";
import { readOffers } from "./offers.ts";
import { forgetAccount, type SetupSession } from "./sessions.ts";
import type { Setup } from "./setup.ts";

/** What a step says. */
export interface StepResult {
  readonly problems: readonly Problem[];
  readonly status: 409 | 422 | 503;
}

/** The result of a step; null: it is done. */
export type Stepped = StepResult | null;

/** Longer values are never right, and would fill the page. */
const MAX_HOST_CHARS = 255;
const MAX_USERNAME_CHARS = 255;
const MAX_SECRET_CHARS = 1_024;
const MIN_PASSWORD_CHARS = 8;

/** A problem with one field, which a person can correct. */
export function invalid(field: string, message: string): StepResult {
  return { problems: [{ field, message }], status: 422 };
}

/** Sets the dashboard's own password. */
export function protect(session: SetupSession, fields: URLSearchParams): Stepped {
  const password = fields.get("dashboard_password") ?? "";
  if (password.trim().length < MIN_PASSWORD_CHARS) {
    return invalid("dashboard_password", `Enter at least ${MIN_PASSWORD_CHARS} characters`);
  }
  if (password.length > MAX_SECRET_CHARS) {
    return invalid("dashboard_password", `Enter at most ${MAX_SECRET_CHARS} characters`);
  }
  if (password !== fields.get("dashboard_password_again")) {
    return invalid("dashboard_password_again", "The passwords differ. Enter the same one twice");
  }
  session.dashboardPassword = password;
  return null;
}

/** Finds the NAS. Another address forgets the account, because its secret is not sent to another NAS. */
export async function connect(
  setup: Setup,
  session: SetupSession,
  fields: URLSearchParams,
): Promise<Stepped> {
  const isLocal = fields.get("local") === "yes" && setup.localSocket !== null;
  const host = isLocal ? `unix:${setup.localSocket}` : (fields.get("host") ?? "").trim();
  if (host.length > MAX_HOST_CHARS) {
    return invalid("host", `The address is too long (${host.length} characters). Enter one such as nas.lan`);
  }
  session.host = host;
  const parsed = parseNasAddress(withoutWebScheme(host));
  if (!parsed.ok) return invalid("host", parsed.problem.message);
  const { address } = parsed;
  if (address.kind === "unix" && address.path !== setup.localSocket) {
    return invalid("host", "This socket is not the NAS's own. Enter a name or an IP address");
  }
  if (session.found?.address.url !== address.url) await forgetAccount(session);
  try {
    const found = await findNas(address, setup.connecting);
    const isSame = session.found?.address.url === address.url &&
      session.found.trust.kind === found.trust.kind && fingerprintOf(session) === fingerprintOf({ found });
    if (!isSame) await forgetAccount(session);
    session.found = found;
    const needsNobody = found.trust.kind === "signed" || found.trust.kind === "local";
    session.isTrusted = needsNobody || (isSame && session.isTrusted);
    return await useKnownFingerprint(setup, session);
  } catch (error) {
    session.found = null;
    return explain(error, address, "host");
  }
}

/** People paste the address from the browser's bar. */
function withoutWebScheme(host: string): string {
  const web = /^https:\/\/([^/?#]+)/i.exec(host);
  return web?.[1] ?? host;
}

/** The fingerprint to trust; null for a certificate that an authority has signed, and without encryption. */
export function fingerprintOf({ found }: Pick<SetupSession, "found">): string | null {
  return found?.trust.kind === "unsigned" ? found.trust.certificate.fingerprint : null;
}

/** A fingerprint in the environment decides without a person. */
async function useKnownFingerprint(setup: Setup, session: SetupSession): Promise<Stepped> {
  const own = fingerprintOf(session);
  if (setup.certFingerprint === null || own === null) return null;
  if (own === setup.certFingerprint) {
    session.isTrusted = true;
    return null;
  }
  await forgetAccount(session);
  session.found = null;
  const message = "This NAS's certificate does not have the fingerprint in TRUENAS_CERT_FINGERPRINT. " +
    "Nothing was sent. If you replaced the certificate, change that setting and restart the program";
  return invalid("host", message);
}

/** Accepts the certificate that was shown. */
export async function trust(session: SetupSession, fields: URLSearchParams): Promise<Stepped> {
  const { found } = session;
  if (found === null) return null;
  const shown = fields.get("fingerprint");
  if (found.trust.kind === "unsigned" && shown !== found.trust.certificate.fingerprint) {
    await forgetAccount(session);
    session.isTrusted = false;
    const message = "The certificate is another one than the one you saw. Compare the fingerprint again";
    return { problems: [{ field: "", message }], status: 409 };
  }
  if (found.trust.kind === "clear" && fields.get("clear") !== "yes") return null;
  session.isTrusted = true;
  return null;
}

/** Signs in with what was entered. */
export async function enterAccount(
  setup: Setup,
  session: SetupSession,
  fields: URLSearchParams,
): Promise<Stepped> {
  const { found } = session;
  if (found === null || !session.isTrusted) return null;
  if (found.address.kind === "unix") {
    return await signInWith(setup, session, { username: "", method: "password", secret: "" });
  }
  const method = fields.get("method") === "key" ? "key" : "password";
  const username = (fields.get("username") ?? "").trim();
  const secret = (fields.get(method) ?? "").trim();
  session.username = username.slice(0, MAX_USERNAME_CHARS);
  session.method = method;
  if (method === "key" && found.trust.kind === "clear") {
    return invalid(
      "key",
      "API keys are not sent without encryption: TrueNAS would revoke the key. Use a password",
    );
  }
  const problems = [...usernameProblems(username), ...secretProblems(method, secret)];
  if (problems.length > 0) return { problems, status: 422 };
  return await signInWith(setup, session, { username, method, secret });
}

function usernameProblems(username: string): Problem[] {
  const field = "username";
  if (username === "") {
    return [{ field, message: "Enter the account's name in TrueNAS, for example vm-manager" }];
  }
  if (username.length <= MAX_USERNAME_CHARS && !/\p{Cc}/u.test(username)) return [];
  return [{ field, message: `Enter at most ${MAX_USERNAME_CHARS} characters on one line` }];
}

function secretProblems(method: Account["method"], secret: string): Problem[] {
  const what = method === "key" ? "API key" : "password";
  if (secret === "") return [{ field: method, message: `Enter the ${what}` }];
  return secret.length <= MAX_SECRET_CHARS
    ? []
    : [{ field: method, message: `This is too long for a ${what} (${secret.length} characters)` }];
}

/** Signs in again with the one-time password. */
export async function enterOtp(
  setup: Setup,
  session: SetupSession,
  fields: URLSearchParams,
): Promise<Stepped> {
  if (session.waiting === null) return null;
  const otp = (fields.get("otp") ?? "").replaceAll(/\s/g, "");
  if (!/^\d{6,8}$/.test(otp)) return invalid("otp", "Enter the 6 to 8 digits of the one-time password");
  return await signInWith(setup, session, session.waiting, otp);
}

/** Signs in again, because roles are read when signing in. */
export async function checkAgain(setup: Setup, session: SetupSession): Promise<Stepped> {
  return session.signedIn === null ? null : await signInWith(setup, session, session.signedIn.account);
}

async function signInWith(
  setup: Setup,
  session: SetupSession,
  account: Account,
  otp: string | null = null,
): Promise<Stepped> {
  const { found } = session;
  if (found === null || !session.isTrusted) return null;
  await forgetAccount(session);
  const { address } = found;
  const field = otp !== null ? "otp" : account.username === "" ? "" : account.method;
  try {
    const signedIn = await signIn({
      ...setup.connecting,
      address,
      account,
      otp,
      // A fingerprint in the environment is the only one to trust, whoever signed the certificate.
      fingerprint: setup.certFingerprint ?? fingerprintOf({ found }),
      logger: setup.logger,
    });
    // Another request may have chosen another NAS meanwhile, which must not get this account.
    if (session.found !== found) {
      await signedIn.close();
      return null;
    }
    session.signedIn = signedIn;
    setup.logger.info("Set-up signed in to the NAS", { nas: address.url, account: account.username });
    await readOffers(setup, session);
    return null;
  } catch (error) {
    if (session.found !== found) return null;
    if (error instanceof OtpNeeded) {
      session.waiting = account;
      return null;
    }
    if (error instanceof OtpRefused) {
      session.waiting = account;
      return invalid("otp", "The NAS did not accept this code. Enter the next one from the app");
    }
    await forgetAccount(session);
    if (otp !== null && error instanceof TrueNASConnectionError && error.failure === "otp") {
      session.waiting = account;
      return invalid("otp", "The NAS did not accept this code. Enter the next one from the app");
    }
    return await explainSignIn(error, { setup, session, field });
  }
}

/** Another certificate than the accepted one is shown for comparison; nothing was sent then. */
async function explainSignIn(
  error: unknown,
  { setup, session, field }: { setup: Setup; session: SetupSession; field: string },
): Promise<Stepped> {
  const address = session.found?.address;
  if (address === undefined) throw error;
  const isCertificate = error instanceof TrueNASConnectionError && error.failure.startsWith("tls-");
  if (isCertificate) {
    const before = session.host;
    await connect(setup, session, new URLSearchParams({ host: address.url }));
    session.host = before;
    return {
      problems: [{ field: "", message: explainFailure("tls-pin-mismatch", address, "") }],
      status: 409,
    };
  }
  if (error instanceof TrueNASConnectionError && error.failure === "login" && field === "key") {
    const message = "The NAS does not accept this API key for this account. Check both, and that the key " +
      "has not been revoked";
    return invalid(field, message);
  }
  const isAboutAccount = error instanceof TrueNASConnectionError && ACCOUNT_FAILURES.includes(error.failure);
  return explain(error, address, isAboutAccount ? field : "");
}

/** What another name or secret would mend. */
const ACCOUNT_FAILURES: readonly string[] = ["login", "expired", "denied"];

/** A failed connection as a problem of a field; what is no fault of the NAS or the person is thrown. */
function explain(error: unknown, address: NasAddress, field: string): StepResult {
  if (error instanceof TrueNASConnectionError) {
    return invalid(field, explainFailure(error.failure, address, error.message).replace(/\.$/, ""));
  }
  if (!(error instanceof TrueNASError)) throw error;
  return invalid(field, error.message);
}

/** Fills in what was chosen; returns the dataset and the image. */
export function choose(
  session: SetupSession,
  fields: URLSearchParams,
): { readonly poolPath: string; readonly cdromPath: string | null } {
  const { places } = session;
  const chosen = (name: "dataset" | "iso", isOffered: boolean) =>
    isOffered ? fields.get(name) ?? OTHER : OTHER;
  const dataset = chosen("dataset", places !== null && places.datasets !== null);
  const iso = chosen("iso", places !== null && places.isos !== null);
  const datasetTyped = (fields.get("dataset_typed") ?? "").trim();
  const isoTyped = (fields.get("iso_typed") ?? "").trim();
  if (places !== null) session.places = { ...places, dataset, iso, datasetTyped, isoTyped };
  return {
    poolPath: dataset === OTHER ? datasetTyped : dataset,
    cdromPath: iso === OTHER ? isoTyped : iso === "later" ? null : iso,
  };
}
