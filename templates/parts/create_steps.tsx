/** What the pages that create VMs share: their steps, and the bar that confirms a plan. */
import type { CreationPlan } from "../../lib/plan/types.ts";
import { MissingRoles } from "./frame/connection.tsx";
import { Icon } from "./icons.tsx";

const FLOW = ["Describe", "Review the plan", "Watch"] as const;

/** Which of the three steps the page is. */
export function Flow({ step }: { step: 1 | 2 }) {
  return (
    <ol class="flow" aria-label="Steps">
      {FLOW.map((label, n) => (
        <li class={n + 1 < step ? "past" : undefined} aria-current={n + 1 === step ? "step" : undefined}>
          <b>{n + 1 < step ? <Icon name="check" /> : n + 1}</b>
          <span>{label}</span>
        </li>
      ))}
    </ol>
  );
}

/** Props of the bar. */
export interface ConfirmProps {
  readonly plan: CreationPlan;
  readonly token: string;
  readonly missingRoles: readonly string[];
  /** What to know before the button is pressed. */
  readonly help: string;
  /** The words of the button: `Create 3 VMs`. */
  readonly verb: string;
  /** Its words without a script, where they depend on what is ticked; default the same. */
  readonly unscriptedVerb?: string;
  /** How many VMs are created whatever is ticked, for the script that counts; absent where nothing can be ticked. */
  readonly creates?: number;
  /** Where it leads. */
  readonly action: string;
  /** The empty form. */
  readonly startOver: string;
}

/** Confirms the plan that is shown. */
export function Confirm(
  { plan, token, missingRoles, help, verb, unscriptedVerb, creates, action, startOver }: ConfirmProps,
) {
  return (
    <>
      <div class="apply">
        <input type="hidden" name="token" value={token} />
        <input type="hidden" name="plan" value={plan.fingerprint} />
        <button
          type="submit"
          class="btn primary lg"
          formaction={action}
          id="confirm-create"
          data-creates={creates}
        >
          {unscriptedVerb === undefined ? verb : (
            <>
              <span class="scripted" id="confirm-words">{verb}</span>
              <span class="no-script">{unscriptedVerb}</span>
            </>
          )}
        </button>
        <span class="soft">{help}</span>
        <span class="end">
          <a class="btn" href={startOver}>Start over</a>
        </span>
      </div>
      <MissingRoles roles={missingRoles} />
    </>
  );
}
