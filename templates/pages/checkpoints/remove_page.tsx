/** Removing a checkpoint: its snapshots, and the phrase. */
import type { CheckpointRemovalPlan } from "../../../lib/checkpoints/plan/plans.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { formatBytes, formatCount } from "../../../lib/units.ts";
import type { PageFrame } from "../../layout.tsx";
import { ViewerNotice } from "../../parts/common.tsx";
import { Confirmation, PhraseForm } from "../../parts/confirmation.tsx";
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
  const { plan } = page;
  const title = `Remove ${plan.checkpoint}`;
  const going = plan.vms.filter(({ blocked }) => blocked.length === 0).flatMap(({ snapshots }) => snapshots);
  const isOffered = plan.problems.length === 0 && going.length > 0 && frame.mayChange;
  const frees = plan.freesBytes === null ? "" : ` Frees at least ${formatBytes(plan.freesBytes)}.`;
  return (
    <Confirmation
      {...page}
      frame={frame}
      current="checkpoints"
      back={{ label: "Checkpoints", href: paths.checkpoints() }}
      title={title}
      said={`VMs and disks stay as they are; they can no longer be rolled back to this checkpoint.${frees}`}
      button={isOffered
        ? {
          form: "remove",
          id: "confirm-remove",
          icon: "bin",
          words: `Remove ${formatCount(going.length, "snapshot")}`,
        }
        : null}
    >
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
      {isOffered
        ? <PhraseForm {...page} id="remove" action={paths.checkpointRemove(plan.checkpoint)} />
        : null}
      {frame.mayChange ? null : <ViewerNotice />}
    </Confirmation>
  );
}
