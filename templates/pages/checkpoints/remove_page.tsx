/** Removing a checkpoint: its snapshots, and the phrase. */
import type { CheckpointRemovalPlan } from "../../../lib/checkpoints/plan/plans.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { formatBytes, formatCount } from "../../../lib/units.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Field, ViewerNotice, Warning } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { Blocked } from "../../parts/removal.tsx";
import { paths } from "../../paths.ts";

/** The state of the page. */
export interface RemoveCheckpointProps {
  readonly plan: CheckpointRemovalPlan;
  /** As typed. */
  readonly phrase: string;
  readonly problems: readonly Problem[];
  readonly token: string;
  readonly notice: string | null;
}

/** The page. */
export function RemoveCheckpointPage({ frame, page }: { frame: PageFrame; page: RemoveCheckpointProps }) {
  const { plan, problems, notice } = page;
  const title = `Remove ${plan.checkpoint}`;
  const going = plan.vms.filter(({ blocked }) => blocked.length === 0).flatMap(({ snapshots }) => snapshots);
  const isOffered = plan.problems.length === 0 && going.length > 0 && frame.mayChange;
  return (
    <Layout {...frame} title={title} current="checkpoints">
      <nav class="trail" aria-label="Breadcrumb">
        <a href={paths.checkpoints()}>Checkpoints</a>
      </nav>
      <section class="dialog in-page" aria-label={title}>
        <div class="top">
          <h1 dir="auto">{title}</h1>
          <p class="soft">
            VMs and disks stay as they are; they can no longer be rolled back to this checkpoint.{" "}
            {plan.freesBytes === null ? "" : `Frees at least ${formatBytes(plan.freesBytes)}.`}
          </p>
        </div>
        <div class="body stack">
          <Warning text={notice} />
          <ErrorSummary problems={problems} />
          <Blocked items={plan.vms} />
          {going.length === 0 ? null : (
            <ul class="plain">
              {going.map(({ name }) => (
                <li>
                  <code>{name}</code>
                </li>
              ))}
            </ul>
          )}
          {isOffered ? <Confirm {...page} /> : null}
          {frame.mayChange ? null : <ViewerNotice />}
        </div>
        <div class="foot">
          <a class="btn" href={paths.checkpoints()}>Cancel</a>
          {isOffered
            ? (
              <button type="submit" form="remove" class="btn danger solid" id="confirm-remove">
                <Icon name="bin" />Remove {formatCount(going.length, "snapshot")}
              </button>
            )
            : null}
        </div>
      </section>
    </Layout>
  );
}

function Confirm({ plan, phrase, problems, token }: RemoveCheckpointProps) {
  return (
    <form method="post" action={paths.checkpointRemove(plan.checkpoint)} id="remove" class="stack">
      <input type="hidden" name="plan" value={plan.fingerprint} />
      <input type="hidden" name="token" value={token} />
      <Field
        name="phrase"
        label={`Type “${plan.phrase}” to confirm`}
        value={phrase}
        problems={problems}
        exactly={plan.phrase}
      />
    </form>
  );
}
