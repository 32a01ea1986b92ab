/** Whether a VM answers, as the list and its page show it. */
import { describeAnswer } from "../../lib/first_boot/readiness/planned_ready.ts";
import type { Readiness } from "../../lib/first_boot/types.ts";
import { Time } from "./common.tsx";
import { Icon, Shape } from "./icons.tsx";

/** A badge; nothing for a VM that nobody waited for, or of which nothing is known. */
export function ReadyBadge({ ready }: { ready: Readiness | null }) {
  const word = readyWord(ready);
  if (ready === null || word === null) return null;
  const { state } = ready;
  const kind = state === "ready" ? "good" : state === "lost" ? "warn" : "busy";
  return (
    <span class={`badge ${kind}`} data-ready={state} title={describeReady(ready)}>
      {state === "ready" ? <Icon name="check" /> : <Shape name={state === "lost" ? "warn" : "busy"} />}
      {word}
    </span>
  );
}

/** `Ready`, `No answer`; null when nothing is known. */
export function readyWord(ready: Readiness | null): string | null {
  return ready === null ? null : WORDS[ready.state];
}

const WORDS = {
  ready: "Ready",
  lost: "No answer",
  waiting: "First boot",
  unknown: null,
} as const satisfies Record<
  Readiness["state"],
  string | null
>;

/** How it is known, without the time, which changes every minute. */
function describeReady({ state, address, by }: Readiness): string {
  if (state === "waiting") return "It was started, and has not answered yet";
  if (state === "lost") return address === null ? "It never answered" : `It does not answer at ${address}`;
  return describeAnswer(by, address);
}

/** What of it a row shows: rows with the same key are the same. */
export function readyKey(ready: Readiness | null): string {
  return ready === null ? "" : `${ready.state} ${ready.address ?? ""} ${ready.by ?? ""}`;
}

/** The whole of it, with its age. */
export function ReadyFact({ ready }: { ready: Readiness }) {
  if (ready.state === "unknown") return <span class="none">Not known since its last start</span>;
  const { at, state } = ready;
  return (
    <>
      {describeReady(ready)}
      {at === null ? null : (
        <small>
          {state === "ready" ? "Seen " : "Seen last "}
          <Time at={at} />
        </small>
      )}
    </>
  );
}
