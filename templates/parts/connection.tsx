/** The connection to the NAS: a badge in the header, and a notice when something is wrong. */
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
      <span class="host">{connection.host}{release}</span> <span class="word">{word}</span>
    </p>
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
