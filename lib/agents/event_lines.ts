/** Events of operations as lines of text, for logs and progress. Pure. */
import { describeSign } from "../first_boot/readiness/describe_sign.ts";
import type { OperationEvent } from "../operations/types.ts";

/** An event in words; null for one that tells only numbers. */
export function describeEvent(event: OperationEvent): string | null {
  switch (event.type) {
    case "started":
      return `${event.title}${event.by === undefined ? "" : `, by ${event.by.who}`}`;
    case "step": {
      const what = event.error?.message ?? event.detail ?? event.makes;
      return `${event.vm} ${event.step}: ${event.status}${what === undefined ? "" : `, ${what}`}`;
    }
    case "sign":
      return `${event.vm} ${event.step}: ${describeSign(event.sign)}`;
    case "healed":
      return `${event.vm} ${event.step}: ${event.message}`;
    case "waiting":
      return `Waiting for the NAS: ${event.message}`;
    case "back":
      return event.gaveUp ?? "The NAS answers again";
    case "vm":
      return `${event.vm}: ${event.outcome}${event.message === undefined ? "" : `. ${event.message}`}`;
    case "finished":
      return `Finished: ${event.status}${event.message === undefined ? "" : `. ${event.message}`}`;
    case "resolved":
      return `Decided: ${event.how}`;
    case "call":
    case "progress":
      return null;
  }
}
