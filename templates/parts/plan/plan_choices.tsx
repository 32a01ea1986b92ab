/** How what is ticked in a plan is done: what becomes of running VMs, and the phrase that confirms replacing. */
import type { CreationPlan, PlannedVm } from "../../../lib/plan/types.ts";
import { replacingPhrase } from "../../../lib/plan/work.ts";
import { FieldError, fieldId } from "../common.tsx";
import { isStopped } from "./plan_words.ts";
import type { PlanSelection } from "./selection.ts";

/** The choices that the plan needs; nothing where everything that can be changed is stopped. */
export function PlanChoices({ plan, selection }: { plan: CreationPlan; selection: PlanSelection }) {
  const running = plan.vms.filter(isRunningChange);
  const replaced = plan.vms.filter(({ action }) => action === "replace");
  return (
    <>
      {running.length === 0 ? null : <RunningChoice selection={selection} />}
      {replaced.length === 0 ? null : <Phrase most={replaced.length} selection={selection} />}
    </>
  );
}

function isRunningChange(vm: PlannedVm): boolean {
  return vm.action === "change" && !isStopped(vm);
}

function RunningChoice({ selection }: { selection: PlanSelection }) {
  const { running, atATime, problems } = selection;
  const id = fieldId("at-a-time");
  return (
    <fieldset class="card plan-choice" id="running-choice">
      <legend>Running VMs that are ticked</legend>
      <label class="check">
        <input type="radio" name="running" value="at-next-start" checked={running === "at-next-start"} />
        <span>
          <b>Leave them running</b>
          <span class="help">
            What TrueNAS accepts for a running VM is changed now, and takes effect at its next start. Anything
            else is left, and the plan shows it again.
          </span>
        </span>
      </label>
      <label class="check">
        <input type="radio" name="running" value="restart" checked={running === "restart"} />
        <span>
          <b>Restart them</b>
          <span class="help">
            Each is shut down, changed and started again. The next one follows only when the last one is
            running.
          </span>
        </span>
      </label>
      <div
        class={problems.some(({ field }) => field === "at-a-time")
          ? "field invalid at-a-time"
          : "field at-a-time"}
      >
        <label for={id}>VMs of a type restarted at once</label>
        <input
          id={id}
          name="at-a-time"
          value={atATime}
          class="input num"
          inputmode="numeric"
          autocomplete="off"
          aria-describedby={problems.some(({ field }) => field === "at-a-time") ? `${id}-error` : undefined}
        />
        <FieldError name="at-a-time" problems={problems.filter(({ field }) => field === "at-a-time")} />
      </div>
    </fieldset>
  );
}

/** Shown while something is ticked to be replaced; the script writes the number of them into it. */
function Phrase({ most, selection }: { most: number; selection: PlanSelection }) {
  const { replace, phrase, problems } = selection;
  const own = problems.filter(({ field }) => field === "phrase");
  const id = fieldId("phrase");
  return (
    <section class="notice bad plan-choice" id="replace-phrase">
      <div class={own.length === 0 ? "field" : "field invalid"}>
        <label for={id}>
          <span class={most === 1 ? undefined : "scripted"}>
            Type “<b id="phrase-words">{replacingPhrase(Math.max(1, replace.length))}</b>” to confirm
            replacing
          </span>
          {most === 1 ? null : (
            <span class="no-script">
              {" "}
              Type “destroy N vms”, where N is the number of VMs ticked to be replaced
            </span>
          )}
        </label>
        <input
          id={id}
          name="phrase"
          value={phrase}
          class="input"
          autocomplete="off"
          spellcheck={false}
          aria-invalid={own.length === 0 ? undefined : "true"}
          aria-describedby={own.length === 0 ? undefined : `${id}-error`}
        />
        <FieldError name="phrase" problems={own} />
      </div>
    </section>
  );
}
