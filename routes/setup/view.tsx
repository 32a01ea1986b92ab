/** Renders set-up from what a browser has entered. */
import type { Problem } from "../../lib/errors/errors.ts";
import { ABILITIES } from "../../lib/setup/words.ts";
import type { AbilityView } from "../../templates/pages/setup/account_step.tsx";
import { ConnectedPage } from "../../templates/pages/setup/other_pages.tsx";
import { DonePage } from "../../templates/pages/setup/done_page.tsx";
import type { CertificateProps } from "../../templates/pages/setup/connect_steps.tsx";
import { type CurrentStep, SetupPage } from "../../templates/pages/setup/setup_page.tsx";
import type { StepName } from "../../templates/pages/setup/steps.tsx";
import type { AppContext } from "../server/context.ts";
import { sendPage, visitorFrame } from "../server/dashboard.ts";
import type { SetupSession } from "./sessions.ts";
import { isConnected, type Setup } from "./setup.ts";

/** How a page is sent. */
export interface Sending {
  readonly problems?: readonly Problem[];
  readonly status?: 200 | 409 | 422 | 503;
  /** The step to show instead of the first unfinished one. */
  readonly step?: StepName;
  readonly differs?: boolean;
}

/** The first step that is not finished; null: all are. */
export function stepOf(setup: Setup, session: SetupSession): StepName | null {
  if (setup.code !== null && session.dashboardPassword === null) return "protect";
  if (session.found === null) return "address";
  if (!session.isTrusted) return "certificate";
  if (session.signedIn === null) return "account";
  if (session.signedIn.missing.length > 0 && !session.acceptsRights) return "account";
  return session.done === null ? "place" : null;
}

const ORDER: readonly StepName[] = ["protect", "address", "certificate", "account", "place"];

/** Sends the page of the current step, or of an earlier one that is to be changed. */
export function sendSetup(
  c: AppContext,
  setup: Setup,
  session: SetupSession,
  { problems = [], status = 200, step, differs = false }: Sending = {},
): Response {
  const frame = visitorFrame(c);
  const reached = stepOf(setup, session);
  if (reached === null && session.done !== null && step === undefined) {
    const page = <DonePage {...session.done} frame={frame} problems={problems} />;
    // The password is shown once; it stays in the stored settings.
    session.done = { ...session.done, displayPassword: null };
    return sendPage(c, page, status);
  }
  const { finished } = setup.sessions;
  const isUntouched = session.found === null && session.done === null;
  if (finished !== null && isUntouched && step === undefined) {
    const { host, username } = finished;
    return sendPage(c, <ConnectedPage {...{ frame, host, username, problems }} />, status);
  }
  const latest = reached ?? "place";
  const isAgain = step !== undefined && ORDER.indexOf(step) <= ORDER.indexOf(latest);
  const name = isAgain ? step : latest;
  return sendPage(
    c,
    <SetupPage
      frame={frame}
      current={currentOf(name, { setup, session, isAgain, differs })}
      notes={notesOf(session)}
      protects={setup.code !== null}
      canLeave={isConnected(setup)}
      problems={problems}
    />,
    status,
  );
}

function currentOf(
  name: StepName,
  { setup, session, isAgain, differs }: {
    setup: Setup;
    session: SetupSession;
    isAgain: boolean;
    differs: boolean;
  },
): CurrentStep {
  const { found, signedIn, places } = session;
  if (name === "protect") return { name };
  if (name === "address" || found === null) {
    return { name: "address", address: { host: session.host, localSocket: setup.localSocket } };
  }
  if (name === "certificate") return { name, certificate: certificateOf(session, differs) };
  if (name === "account" || places === null) {
    const isOpen = signedIn === null || isAgain;
    return {
      name: "account",
      account: {
        isLocal: found.address.kind === "unix",
        takesKey: found.trust.kind !== "clear",
        username: session.username,
        method: found.trust.kind === "clear" ? "password" : session.method,
        wantsOtp: session.waiting !== null && !isAgain,
        abilities: isOpen ? null : abilitiesOf(signedIn.missing),
      },
    };
  }
  return { name, place: places };
}

function certificateOf({ found, host }: SetupSession, differs: boolean): CertificateProps {
  const trust = found?.trust;
  return {
    host: found?.address.host ?? host,
    what: whatAnswers(found?.apiVersion ?? ""),
    certificate: trust?.kind === "unsigned"
      ? {
        ...trust.certificate,
        validFrom: dayOf(trust.certificate.validFrom),
        validTo: dayOf(trust.certificate.validTo),
        because: trust.because,
      }
      : null,
    differs,
  };
}

/** The day of a certificate's date, or the date itself where it cannot be read. */
function dayOf(date: string): string {
  const at = Date.parse(date);
  return Number.isNaN(at) ? date : new Date(at).toISOString().slice(0, "2026-11-26".length);
}

/** The release is known only after signing in, so this names the API's version. */
function whatAnswers(apiVersion: string): string {
  if (apiVersion === "legacy") return "TrueNAS 24";
  return apiVersion.startsWith("v") ? `TrueNAS ${apiVersion.slice(1)}` : "TrueNAS";
}

function abilitiesOf(missing: readonly string[]): AbilityView[] {
  return ABILITIES.map(({ roles, label, without }) => ({
    label,
    without,
    missing: roles.filter((role) => missing.includes(role)),
  }));
}

function notesOf({ found, signedIn, dashboardPassword }: SetupSession): Partial<Record<StepName, string>> {
  return {
    protect: dashboardPassword === null ? "" : "Password set",
    address: found === null ? "" : addressNote(found.address.url),
    certificate: found === null ? "" : trustNote(found.trust),
    account: signedIn === null ? "" : accountNote(signedIn),
  };
}

function addressNote(url: string): string {
  return url.startsWith("unix:") ? "This machine" : url.replace(/^wss:\/\//, "");
}

function trustNote(trust: NonNullable<SetupSession["found"]>["trust"]): string {
  switch (trust.kind) {
    case "signed":
      return "Signed by a trusted authority";
    case "clear":
      return "Not encrypted";
    case "local":
      return "Stays on this machine";
    case "unsigned": {
      const pairs = trust.certificate.fingerprint.split(":");
      return `${pairs.slice(0, 3).join(":")} … ${pairs.slice(-2).join(":")} accepted`;
    }
  }
}

function accountNote({ account, missing, rolesKnown }: NonNullable<SetupSession["signedIn"]>): string {
  const who = account.username === "" ? "root" : account.username;
  const how = account.username === "" ? [] : [account.method === "key" ? "API key" : "password"];
  const rights = !rolesKnown
    ? []
    : [missing.length === 0 ? "all rights it needs" : `${missing.length} rights missing`];
  return [who, ...how, ...rights].join(", ");
}
