/** Below a VM's row: what differs, old and new, when a change takes effect, what it costs, and whether it is made. */
import { describeDevice, shortened } from "../../../lib/plan/description.ts";
import type { Difference, PlannedVm } from "../../../lib/plan/types.ts";
import { Icon } from "../icons.tsx";
import { ACTIONS, COLUMNS } from "./plan_icons.tsx";
import {
  afterReplacing,
  costsOfChange,
  effectOf,
  fieldLabel,
  goesWith,
  staysWith,
  whyNever,
} from "./plan_words.ts";
import type { PlanSelection } from "./selection.ts";

interface PlanDetailProps {
  readonly vm: PlannedVm;
  /** What is ticked; null where nothing can be selected. */
  readonly selection: PlanSelection | null;
  readonly isExtra: boolean;
  readonly like: string | null;
}

/** The row; nothing for a VM that does not differ. */
export function PlanDetail({ vm, selection, isExtra, like }: PlanDetailProps) {
  const { name, action, differences } = vm;
  const isOffered = action === "change" || action === "replace";
  if (!isOffered && differences.length === 0) return null;
  const { tone } = ACTIONS[action];
  const words = like === null ? <Words vm={vm} /> : <span class="soft">The same as {like}</span>;
  return (
    <tr class={`detail ${tone}${isExtra ? " extra" : ""}`} data-detail={name}>
      <td class="c-sign"></td>
      <td colspan={COLUMNS - 1}>
        {isOffered && selection !== null
          ? (
            <label class="check">
              <input type="hidden" name="offered" value={name} />
              <input
                type="checkbox"
                name={action}
                value={name}
                checked={selection[action].includes(name)}
                data-completes={vm.steps.length > 0 ? "yes" : undefined}
              />
              <span class="diffs">
                <span class="visually-hidden">{ACTIONS[action].word} {name}:</span>
                {words}
              </span>
            </label>
          )
          : <div class="diffs">{words}</div>}
      </td>
    </tr>
  );
}

function Words({ vm }: { vm: PlannedVm }) {
  const { action, differences, devices, missing } = vm;
  const { tone } = ACTIONS[action];
  const never = whyNever(vm);
  return (
    <>
      {differences.map((difference) => <Diff difference={difference} vm={vm} tone={tone} />)}
      {devices.filter(({ step }) => missing.includes(step)).map((device) => (
        <span class={`diff ${tone}`}>
          <b>{fieldLabel(device.step)}</b>
          <ins>{describeDevice(device)}</ins>
          <span class="soft">is missing and added</span>
        </span>
      ))}
      {never === null ? null : <span class="soft">{never}</span>}
      {action === "change" ? <span class="soft">{costsOfChange(vm)}</span> : null}
      {action === "replace"
        ? (
          <>
            <span>
              <b class="tone bad">Deleted for good:</b> {goesWith(vm)}.
            </span>
            <span class="soft">Stays: {staysWith(vm)}. {afterReplacing(vm)}</span>
          </>
        )
        : null}
    </>
  );
}

function Diff({ difference, vm, tone }: { difference: Difference; vm: PlannedVm; tone: string }) {
  const { field, found, wanted } = difference;
  const effect = effectOf(difference, vm);
  return (
    <span class={`diff ${tone}`}>
      <b>{fieldLabel(field)}</b>
      <del dir="auto">{shortened(found)}</del>
      <Icon name="chevron" />
      <span class="visually-hidden">becomes</span>
      <ins dir="auto">{shortened(wanted)}</ins>
      {effect === "" ? null : <span class="soft">{effect}</span>}
    </span>
  );
}
