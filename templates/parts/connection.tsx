/** The connection to the NAS: a badge in the header, and a notice when something is wrong. */
import { Time } from "./common.tsx";
import { paths } from "../paths.ts";
import type { ConnectionView } from "../props.ts";

const WORDS = {
  live: { tone: "good", word: "Connected" },
  simulated: { tone: "good", word: "Simulated NAS" },
  reconnecting: { tone: "busy", word: "Connecting…" },
  offline: { tone: "bad", word: "Not connected" },
} as const satisfies Record<ConnectionView["state"], { tone: string; word: string }>;

/** The badge; it is replaced as a whole when the connection changes. */
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

/** Stands at a button that the NAS would refuse to this account. */
export function MissingRoles({ lacks }: { lacks: readonly string[] }) {
  if (lacks.length === 0) return null;
  return (
    <p class="error" data-lacking={lacks.join(" ")}>
      The account lacks {lacks.join(" and ")}, so the NAS would refuse this.{" "}
      <a href={paths.connection()}>What to grant</a>
    </p>
  );
}

/** Stands on every page while what is sent to the NAS can be read on the way. */
export function UnencryptedNotice() {
  return (
    <div class="notice tone-warn" id="unencrypted">
      <p>
        <strong>The connection to the NAS is not encrypted.</strong>{" "}
        Passwords can be read on the way: write wss:// in TRUENAS_HOST.
      </p>
    </div>
  );
}

/** What is wrong and what to do; empty while all is well. */
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

/** Says that nothing comes from the dashboard any more; the page's script shows it. */
export function StaleNotice() {
  return (
    <div class="notice tone-bad" id="stale" hidden>
      <p>
        <strong>This page is not up to date.</strong>
      </p>
      <p>
        Nothing has come from the dashboard since{" "}
        <Time at={0} />. What you see may have changed. The page keeps trying to connect; if this stays, check
        that the dashboard is running and can be reached.
      </p>
    </div>
  );
}

/** Says that a form has again what was typed before signing in; the page's script shows it. */
export function TypedNotice() {
  return (
    <div class="notice tone-quiet" id="typed" role="status" hidden>
      <p>What you had typed is in the form again. Nothing was sent; check it, passwords too, and send it.</p>
    </div>
  );
}

/** What the page's script follows: what it is sent names its places itself. */
export function PageStream({ stream }: { stream: string }) {
  return <div id="page-stream" data-stream={stream}></div>;
}
