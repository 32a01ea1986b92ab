/** Why a screen's connection ended, by the codes with which the relay closes its WebSocket, in words for the page. */

/** Codes from 4000 on are an application's own. 1001 and 1008 are the standard's. */
export const CLOSES = {
  "stopped": 4000,
  "refused": 4001,
  "unreachable": 4002,
  "ended": 4003,
  "too-many": 4004,
  "not-recorded": 4005,
  "read-only": 4006,
  "gone": 4007,
} as const;

/** Why the relay closed. */
export type CloseReason = keyof typeof CLOSES;

/** What the words need. */
export interface DisplayPlace {
  readonly vm: string;
  readonly type: string;
  readonly hostname: string;
  readonly port: number;
}

/** The reasons as a hidden list: the page's script shows the one whose code it gets. */
export function DisplayCloses(place: DisplayPlace) {
  return (
    <ul id="display-words" hidden>
      {Object.entries(wordsFor(place)).map(([code, words]) => <li data-code={code}>{words}</li>)}
    </ul>
  );
}

function wordsFor({ vm, type, hostname, port }: DisplayPlace): Readonly<Record<string, string>> {
  return {
    [CLOSES.stopped]: `${vm} is not running, so it has no screen. Start it, then reconnect.`,
    [CLOSES.refused]:
      `Nothing listens on port ${port} of ${hostname}. ${vm} may be starting or may just have stopped. ` +
      `If the dashboard reaches the NAS through a tunnel, forward port ${port} through it as well.`,
    [CLOSES.unreachable]:
      `The dashboard cannot connect to port ${port} of ${hostname}. Check that the NAS is up and that no firewall ` +
      "between the dashboard and the NAS blocks the port, then reconnect.",
    [CLOSES.ended]:
      `The screen was closed at the NAS: ${vm} stopped or restarted, or someone else opened its ${type} ` +
      "display. Reconnect when it is running.",
    [CLOSES["too-many"]]: "Too many screens are open. Close some of them, then reconnect.",
    [CLOSES["not-recorded"]]:
      "The screen was not opened, because the audit log could not be written. See the dashboard's log for the cause, " +
      "then reconnect.",
    [CLOSES["read-only"]]: "The dashboard is read-only (READ_ONLY), so screens cannot be opened.",
    [CLOSES.gone]: `${vm} or its display no longer exists on the NAS.`,
    "1001": "The dashboard is stopping. Reconnect when it is running again.",
    "1008": "Your session has ended. Sign in again, then open this page.",
    "lost": "The connection to the dashboard was lost. Check your network, then reconnect.",
    "password":
      `The display did not accept the password. A new password takes effect when ${vm} starts. Enter the password with ` +
      "which it was started.",
    "unknown-password":
      "The NAS does not show the display password to the dashboard's account. Enter it here.",
    "no-password":
      "The dashboard could not read the display password from the NAS. Enter it here, or reconnect when the NAS is " +
      "connected again.",
    "protocol":
      `Port ${port} of ${hostname} does not answer as a ${type} display. Check the display's port in TrueNAS.`,
    "unsupported": "This browser cannot show the screen. Use a current browser, or the .vv file.",
  };
}
