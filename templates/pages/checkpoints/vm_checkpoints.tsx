/** The checkpoints that a VM is part of: a tab of its page. */
import type { Checkpoint } from "../../../lib/checkpoints/checkpoint.ts";
import type { Reading, Vm } from "../../../lib/inventory/inventory.ts";
import { Notice } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { Said } from "../../parts/said.tsx";
import { paths } from "../../paths.ts";
import { CheckpointTable } from "./checkpoint_table.tsx";

/** Props of the tab. */
export interface VmCheckpointsProps {
  readonly vm: Vm;
  readonly checkpoints: Reading<readonly Checkpoint[]>;
  readonly mayChange: boolean;
}

/** The tab. */
export function VmCheckpoints({ vm, checkpoints, mayChange }: VmCheckpointsProps) {
  const all = checkpoints.known ? checkpoints.value : [];
  return (
    <section class="stack" aria-label="Checkpoints">
      {checkpoints.known ? null : (
        <Notice tone="warn">
          <p>
            Checkpoints are not listed, because <Said text={checkpoints.because} />.
          </p>
        </Notice>
      )}
      {!checkpoints.known ? null : all.length === 0
        ? (
          <div class="empty">
            <h2>No checkpoint of this VM</h2>
            <p>Take one before an upgrade, to be able to roll its disks back.</p>
          </div>
        )
        : <CheckpointTable checkpoints={all} mayChange={mayChange} only={vm} />}
      {mayChange
        ? (
          <p class="actions">
            <a class="btn" href={paths.newCheckpoint({ ids: [vm.id] })} id="take-checkpoint">
              <Icon name="plus" />Take a checkpoint
            </a>
            <a class="btn" href={paths.checkpoints()}>All checkpoints</a>
          </p>
        )
        : null}
    </section>
  );
}
