/** The connection to the NAS: a badge in the header, and a notice when something is wrong. */
import { Time } from "./common.tsx";
import { paths } from "../paths.ts";

/** The connection to the NAS, as the badge shows it. */
export interface ConnectionView {
  readonly state: "live" | "reconnecting" | "offline" | "simulated";
  readonly host: string;
  /** `25.10.7`; null while unknown. */
  readonly release: string | null;
  /** What is wrong, or null. */
  readonly message: string | null;
  /** What to do about it, or null. */
  readonly remedy: string | null;
}

const WORDS = {
  live: { tone: "good", word: "Connected" },
  simulated: { tone: "good", word: "Simulated NAS" },
  reconnecting: { tone: "busy", word: "Connecting…" },
  offline: { tone: "bad", word: "Not connected" },
} as const satisfies Record<ConnectionView["state"], { tone: string; word: string }>;

/** The badge; live updates replace all of it. */
export function ConnectionBadge({ connection }: { connection: ConnectionView }) {
  const { tone, word } = WORDS[connection.state];
  const release = connection.release === null ? "" : ` ${connection.release}`;
  return (
    <p id="connection" class={`connection tone-${tone}`} data-connection={connection.state}>
      <span class="shape" aria-hidden="true"></span>
      <a class="host" href={paths.connection()}>{connection.host}{release}</a>{" "}
      <span class="word">{word}</span>
    </p>
  );
}

/** Shown at a button if the NAS would refuse the action because the account is missing these roles. */
export function MissingRoles({ roles }: { roles: readonly string[] }) {
  if (roles.length === 0) return null;
  return (
    <p class="error" data-missing-roles={roles.join(" ")}>
      The account is missing the {roles.length === 1 ? "role" : "roles"}{" "}
      {roles.join(" and ")}, so the NAS would refuse this.{" "}
      <a href={paths.connection()}>See which roles to grant</a>
    </p>
  );
}

/** Shown on every page while the connection to the NAS is not encrypted. */
export function UnencryptedNotice() {
  return (
    <div class="notice tone-warn" id="unencrypted">
      <p>
        <strong>The connection to the NAS is not encrypted.</strong>{" "}
        Anyone on the network can read the passwords it carries. Use a wss:// address in TRUENAS_HOST.
      </p>
    </div>
  );
}

/** What is wrong and what to do; empty while the connection is fine. */
export function ConnectionNotice({ connection }: { connection: ConnectionView }) {
  return (
    <div id="connection-notice">
      {connection.message === null ? null : (
        <div class="notice tone-warn" role="status">
          <p>
            <strong>{connection.message}</strong>
          </p>
          {connection.remedy === null ? null : <p>{connection.remedy}</p>}
        </div>
      )}
    </div>
  );
}

/** Shown by the page's script when live updates stop arriving. */
export function StaleNotice() {
  return (
    <div class="notice tone-bad" id="stale" hidden>
      <p>
        <strong>This page is not up to date.</strong>
      </p>
      <p>
        The dashboard last responded at{" "}
        <Time at={0} />. What you see may have changed since. The page keeps trying to reconnect; if this
        message stays, check that the dashboard is running and reachable.
      </p>
    </div>
  );
}

/** Shown by the page's script when it has restored entries typed before signing in. */
export function TypedNotice() {
  return (
    <div class="notice tone-quiet" id="typed" role="status" hidden>
      <p>
        Your entries are back in the form, but nothing was sent. Check them, passwords too, and submit again.
      </p>
    </div>
  );
}

/** The stream the page's script follows; each message names the element it replaces. */
export function PageStream({ stream }: { stream: string }) {
  return <div id="page-stream" data-stream={stream}></div>;
}
