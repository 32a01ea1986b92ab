/** The steps of set-up: finished ones fold to a line, later ones are grey. */
import type { Child } from "hono/jsx";
import { Icon } from "../../parts/icons.tsx";

/** The steps, by name. */
export type StepName = "protect" | "address" | "certificate" | "account" | "place";

/** A step as the page shows it. */
export interface Step {
  readonly name: StepName;
  readonly title: string;
  /** What a later step asks for, or what a finished one has found. */
  readonly note: string;
  readonly status: "past" | "here" | "later";
  /** Opens a finished step again; null where it cannot be changed. */
  readonly change: string | null;
}

/** The list, with the form of the current step. */
export function Steps({ steps, children }: { steps: readonly Step[]; children?: Child }) {
  return (
    <ol class="steps">
      {steps.map((step, index) => (
        <li
          class={step.status}
          aria-current={step.status === "here" ? "step" : undefined}
          data-setup-step={step.name}
          data-status={step.status}
        >
          <span class="no">
            {step.status === "past" ? <Icon name="check" /> : index + 1}
          </span>
          <div>
            <StepHead {...step} />
            {step.status === "here" ? <div class="sheet">{children}</div> : null}
          </div>
        </li>
      ))}
    </ol>
  );
}

function StepHead({ title, note, status, change }: Step) {
  return (
    <div class="head">
      <h2>
        {title}
        {status === "past" ? <span class="visually-hidden">, done</span> : null}
      </h2>
      {status === "here" || note === ""
        ? null
        : <span class={status === "past" ? "soft sm" : "faint sm"} dir="auto">{note}</span>}
      {status !== "past" || change === null ? null : (
        <a class="sm" href={change}>
          Change<span class="visually-hidden">: {title}</span>
        </a>
      )}
    </div>
  );
}
