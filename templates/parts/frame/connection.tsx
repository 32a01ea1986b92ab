/** The connection to the NAS: a badge in the header, and a notice when something is wrong. */
import { Notice, State, Time } from "../common.tsx";
import { Icon } from "../icons.tsx";
import { paths } from "../../paths.ts";
import { Said } from "../said.tsx";

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

/** The NAS and how it is reached, as a link to the connection; live updates replace all of it. */
export function ConnectionBadge({ connection }: { connection: ConnectionView }) {
  return (
    <a id="connection" class="nas-chip" href={paths.connection()} data-connection={connection.state}>
      <Icon name="nas" />
      <b class="host">{connection.host}</b>{" "}
      {connection.release === null ? null : <span class="rel">{connection.release}</span>}{" "}
      <ConnectionState connection={connection} />
    </a>
  );
}

/** How the NAS is reached, as shape and word. */
export function ConnectionState({ connection }: { connection: ConnectionView }) {
  const { tone, word } = WORDS[connection.state];
  return tone === "good" ? <State tone={tone} word={word} shape="live" /> : <State tone={tone} word={word} />;
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
    <Notice tone="warn" id="unencrypted">
      <p>
        <strong>The connection to the NAS is not encrypted.</strong>{" "}
        Anyone on the network can read the passwords it carries. Use a wss:// address in TRUENAS_HOST.
      </p>
    </Notice>
  );
}

/** What is wrong and what to do; empty while the connection is fine. */
export function ConnectionNotice({ connection }: { connection: ConnectionView }) {
  return (
    <div id="connection-notice">
      {connection.message === null
        ? null
        : (
          <Notice tone={connection.state === "offline" ? "bad" : "warn"} role="status">
            <p>
              <strong>
                <Said text={connection.message} />
              </strong>
            </p>
            {connection.remedy === null ? null : <p>{connection.remedy}</p>}
          </Notice>
        )}
    </div>
  );
}

/** Shown by the page's script when live updates stop arriving. */
export function StaleNotice() {
  return (
    <Notice tone="bad" id="stale" hidden>
      <p>
        <strong>This page is not up to date.</strong>
      </p>
      <p>
        The dashboard last responded at{" "}
        <Time at={0} />. What you see may have changed since. The page keeps trying to reconnect; if this
        message stays, check that the dashboard is running and reachable.
      </p>
    </Notice>
  );
}

/** Shown by the page's script when it has restored entries typed before signing in. */
export function TypedNotice() {
  return (
    <Notice tone="quiet" id="typed" role="status" hidden>
      <p>
        Your entries are back in the form, but nothing was sent. Check them, passwords too, and submit again.
      </p>
    </Notice>
  );
}

/** The stream the page's script follows; each message names the element it replaces. */
export function PageStream({ stream }: { stream: string }) {
  return <div id="page-stream" data-stream={stream}></div>;
}
