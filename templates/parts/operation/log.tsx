/** The log of an operation: a line for each event of interest. */
import {
  describeProgress,
  inLabels,
  OUTCOMES,
  RESOLUTIONS,
  STATUSES,
  stepLabel,
  stepState,
} from "./states.tsx";
import { describeSign } from "../../../lib/first_boot/readiness/describe_sign.ts";
import { isUndo } from "./steps.tsx";
import { Time } from "../common.tsx";
import { stateWord } from "../list/vm_row.tsx";
import type { OperationEvent } from "../../../lib/operations/types.ts";
import { Said } from "../said.tsx";
import { formatDuration } from "../../../lib/units.ts";

/** Whether an event gets a line in the log. A step's start shows in its table cell instead. */
export function isLogged(event: OperationEvent): boolean {
  if (event.type === "call" || event.type === "progress") return false;
  return event.type !== "step" || (event.status !== "running" && event.status !== "skipped");
}

/** One line of the log. */
export function OperationLogLine({ event }: { event: OperationEvent }) {
  return (
    <div id={`log-${event.seq}`}>
      <Time at={event.at} /> <Said text={describeEvent(event)} />
    </div>
  );
}

function describeEvent(event: OperationEvent): string {
  switch (event.type) {
    case "started":
      return event.title;
    case "step": {
      const what = event.error?.message ?? inWords(event.detail);
      return `${nameStep(event)}: ${stepState(event).word.toLowerCase()}${what ? `, ${what}` : ""}`;
    }
    case "sign":
      return `${event.vm}: ${describeSign(event.sign)}`;
    case "progress":
      return `${nameStep(event)}: ${describeProgress(event.percent, event.transfer)}`;
    case "call":
      return `${nameStep(event)}: ${event.method}`;
    case "healed":
      return `${nameStep(event)}: ${event.message}`;
    case "waiting":
      return `Waiting for the NAS: ${event.message}`;
    case "back":
      return describeBack(event);
    case "vm":
      return `${event.vm}: ${OUTCOMES[event.outcome].word.toLowerCase()}${
        event.message ? `. ${inLabels(event.message)}` : ""
      }`;
    case "finished":
      return `Operation ${STATUSES[event.status].word.toLowerCase()}${
        event.message ? `. ${event.message}` : ""
      }`;
    case "resolved":
      return RESOLUTIONS[event.how];
  }
}

/** A step's detail; the state of a VM as lists name it. */
function inWords(detail: string | undefined): string | undefined {
  const word = stateWord(detail ?? "");
  return detail === undefined || word === detail ? detail : word.toLowerCase();
}

/** `worker01 Disk 1`, or for a step that takes it back `worker01 Undo Disk 1` */
function nameStep({ vm, step }: { readonly vm: string; readonly step: string }): string {
  return `${vm} ${isUndo({ step }) ? "Undo " : ""}${stepLabel(step)}`;
}

function describeBack({ waitedMs, restarted, gaveUp }: Extract<OperationEvent, { type: "back" }>): string {
  if (gaveUp !== undefined) return `${gaveUp}. The operation ends here`;
  const how = restarted === true ? "The NAS has restarted and answers again" : "The NAS answers again";
  return `${how} after ${formatDuration(waitedMs)}; the operation goes on`;
}
