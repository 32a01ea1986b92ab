/** All checkpoints of the NAS. */
import type { Checkpoint } from "../../../lib/checkpoints/checkpoint.ts";
import type { Reading } from "../../../lib/inventory/inventory.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { Notice } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { Said } from "../../parts/said.tsx";
import { paths } from "../../paths.ts";
import { CheckpointTable } from "./checkpoint_table.tsx";

/** The state of the page. */
export interface CheckpointsPageProps {
  readonly checkpoints: Reading<readonly Checkpoint[]>;
  /** How long they are kept, in words; null for ever. */
  readonly kept: string | null;
}

/** The page. */
export function CheckpointsPage({ frame, page }: { frame: PageFrame; page: CheckpointsPageProps }) {
  const { checkpoints, kept } = page;
  const all = checkpoints.known ? checkpoints.value : [];
  return (
    <Layout {...frame} title="Checkpoints" current="checkpoints">
      <div class="page-head">
        <div class="title">
          <h1>Checkpoints</h1>
        </div>
        {frame.mayChange && all.length > 0
          ? (
            <div class="actions">
              <TakeLink isPrimary />
            </div>
          )
          : null}
      </div>
      <p class="soft">
        A checkpoint is one snapshot of each disk of some VMs, which can be rolled back to it. {kept === null
          ? "They are kept until you remove them."
          : `${kept}, unless they have a hold or a clone.`}
      </p>
      {checkpoints.known ? null : (
        <Notice tone="warn">
          <p>
            Checkpoints are not listed, because <Said text={checkpoints.because} />.
          </p>
        </Notice>
      )}
      {!checkpoints.known
        ? null
        : all.length === 0
        ? <Empty mayChange={frame.mayChange} />
        : <CheckpointTable checkpoints={all} mayChange={frame.mayChange} />}
    </Layout>
  );
}

function TakeLink({ isPrimary = false }: { isPrimary?: boolean }) {
  return (
    <a class={isPrimary ? "btn primary" : "btn"} href={paths.newCheckpoint()} id="take-checkpoint">
      <Icon name="plus" />Take a checkpoint
    </a>
  );
}

function Empty({ mayChange }: { mayChange: boolean }) {
  return (
    <section class="empty">
      <h2>No checkpoints yet</h2>
      <p>Take one before an upgrade: if it goes wrong, every disk can be rolled back at once.</p>
      {mayChange
        ? (
          <p class="actions">
            <TakeLink isPrimary />
          </p>
        )
        : null}
    </section>
  );
}
