/** The tasks: running operations at the end of every page's window, and what is said when one ends. */
import type { OperationView } from "../../../lib/operations/types.ts";
import { formatClock, formatCount } from "../../../lib/units.ts";
import { timeLeftOf } from "../../../lib/operations/timeline.ts";
import { Icon, Shape } from "../icons.tsx";
import { Cells, describeDone } from "../operation/cells.tsx";
import { describeProgress } from "../operation/operation.tsx";
import { countedIn, nounOf, STATUSES } from "../operation/states.tsx";
import { paths } from "../../paths.ts";
import { Toast } from "./toasts.tsx";
import { Said } from "../said.tsx";

/** A younger operation is often over before somebody has read its name. */
const NEW_MS = 1_000;

/** Props of the tasks. */
export interface TasksProps {
  /** The running operations that the page does not show itself, newest first. */
  readonly running: readonly OperationView[];
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
}

/** The drawer, or its empty place. Live updates replace it by its id. */
export function Tasks({ running, now }: TasksProps) {
  return (
    <section id="tasks-dock" aria-label="Running operations">
      {running.length === 0 ? null : <Drawer running={running} now={now} />}
    </section>
  );
}

function Drawer({ running, now }: TasksProps) {
  const tasks = running.map((view) => ({ view, time: <TimeLeft view={view} now={now} /> }));
  const isNew = running.every(({ startedAt }) => now - startedAt < NEW_MS);
  const [first] = running;
  return (
    <details class={isNew ? "tasks busy new" : "tasks busy"} id="tasks">
      <summary>
        <Shape name="busy" />
        <span class="title">
          {running.length === 1 && first !== undefined
            ? first.title
            : formatCount(running.length, "running operation")}
        </span>
        <span class="soft">
          {tasks.map(({ view, time }, n) => (
            <>
              {n === 0 ? "" : " · "}
              {describeDone(view)}, {time}
            </>
          ))}
        </span>
        <Icon name="chevron" class="caret" />
      </summary>
      <ul>
        {tasks.map(({ view, time }) => (
          <li data-task={view.id}>
            <span class="row">
              <a href={paths.operation(view.id)}>
                <Said text={view.title} />
              </a>
              <span class="soft">{describeProgress(view)}</span>
              {/* Of a single one, the line above says it. */}
              {tasks.length === 1 ? null : <span class="soft">{time}</span>}
            </span>
            <Cells view={view} />
          </li>
        ))}
      </ul>
    </details>
  );
}

/** What is left, or how long it takes so far; a script counts on. */
function TimeLeft({ view, now }: { view: OperationView; now: number }) {
  const leftMs = timeLeftOf(view, now);
  const passedMs = Math.max(now - view.startedAt, 0);
  return (
    <span data-passed={passedMs} data-left={leftMs === null ? 0 : Math.round(leftMs)}>
      {leftMs === null ? `${formatClock(passedMs)} so far` : `about ${formatClock(leftMs)} left`}
    </span>
  );
}

/** What a page is told of operations that it knew as running: a toast for each that has ended. */
export function Ended({ ended, unknown }: {
  readonly ended: readonly OperationView[];
  /** Ids of operations that do not exist any more. */
  readonly unknown: readonly string[];
}) {
  return (
    <>
      {ended.map((view) => (
        <div
          data-ended={view.id}
          data-seconds={Math.round(((view.finishedAt ?? view.startedAt) - view.startedAt) / 1_000)}
        >
          <Toast tone={STATUSES[view.status].tone} id={`ended-${view.id}`}>
            <p>
              {view.status === "done" ? <span>{doneWords(view)}</span> : (
                <strong>
                  <Said text={`${view.title}: ${STATUSES[view.status].word.toLowerCase()}`} />
                </strong>
              )}
              {" · "}
              <a href={paths.operation(view.id)}>View</a>
            </p>
            {view.status === "done" ? null : <p class="soft">{describeProgress(view)}</p>}
          </Toast>
        </div>
      ))}
      {unknown.map((id) => <div data-ended={id}></div>)}
    </>
  );
}

/** `worker05 started`, `8 VMs created` */
function doneWords(view: OperationView): string {
  const { vms, verb } = countedIn(view);
  const [vm] = vms;
  return vms.length === 1 && vm !== undefined
    ? `${vm.name} ${verb}`
    : `${formatCount(vms.length, nounOf(view.kind))} ${verb}`;
}
