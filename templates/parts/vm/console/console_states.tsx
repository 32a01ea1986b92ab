/** Whether a console is connected: the script of its page shows one of the states. */
import { State } from "../../common.tsx";

const STATES = [
  { state: "connecting", tone: "busy", word: "Connecting" },
  { state: "connected", tone: "good", word: "Connected" },
  { state: "closed", tone: "warn", word: "Not connected" },
] as const;

/** The states. */
export function ConsoleStates() {
  return (
    <>
      {STATES.map(({ state, tone, word }) => (
        <span data-when={state} hidden={state !== "connecting"}>
          <State tone={tone} word={word} />
        </span>
      ))}
    </>
  );
}
