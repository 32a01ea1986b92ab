/** The overview of one VM: its facts with the form behind "Edit", where it lives, and what was done lately. */
import { SettingsForm, type VmFormProps } from "./vm_forms.tsx";
import { VmFacts } from "./facts.tsx";
import { Lately } from "./lately.tsx";
import type { VmNowProps } from "./now.ts";
import { Place } from "./place.tsx";

/** Operations on the overview; the rest are in the history. */
export const LATELY = 4;

/** The tab. */
export function VmOverview({ now, form }: { now: VmNowProps; form: VmFormProps }) {
  const { vm, mayChange, operations, neighbours, pool } = now;
  const isRejected = form.typed?.form === "settings";
  return (
    <div class="over" id="vm-now">
      <div class="stack">
        <section class="card vm-facts" aria-labelledby="vm-facts-head">
          <header>
            <h2 id="vm-facts-head">Facts</h2>
          </header>
          {/* Above the facts, so that on a phone the form opens where it was asked for. */}
          {mayChange
            ? (
              <details class="edit" id="edit" open={isRejected}>
                <summary class="sm">Edit</summary>
                <div class="body">
                  <SettingsForm {...form} />
                </div>
              </details>
            )
            : null}
          <div class="body">
            <VmFacts {...now} />
          </div>
        </section>
      </div>
      <div class="stack">
        <Place vm={vm} neighbours={neighbours} pool={pool} />
        <Lately vm={vm} operations={operations.slice(0, LATELY)} />
      </div>
    </div>
  );
}
