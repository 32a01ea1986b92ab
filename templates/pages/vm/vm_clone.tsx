/** The two ways to clone a VM: a new VM made here from a checkpoint, and TrueNAS's own clone. */
import type { Checkpoint } from "../../../lib/checkpoints/checkpoint.ts";
import type { Reading, Vm } from "../../../lib/inventory/inventory.ts";
import { Choice } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { Said } from "../../parts/said.tsx";
import { FormField, type VmFormProps } from "../../parts/vm/vm_forms.tsx";
import { paths } from "../../paths.ts";

/** Props of the page's part. */
export interface VmCloneProps {
  readonly form: VmFormProps;
  /** Those that the VM is part of. */
  readonly checkpoints: Reading<readonly Checkpoint[]>;
}

/** Both ways, the recommended one first. */
export function VmClone({ form, checkpoints }: VmCloneProps) {
  return (
    <div class="stack">
      <OwnVm vm={form.vm} checkpoints={checkpoints} />
      <TrueNasClone {...form} />
    </div>
  );
}

function OwnVm({ vm, checkpoints }: { vm: Vm; checkpoints: VmCloneProps["checkpoints"] }) {
  const all = checkpoints.known ? checkpoints.value : [];
  return (
    <section class="card" aria-labelledby="own-head">
      <header>
        <h2 id="own-head">A new VM of its own (recommended)</h2>
      </header>
      <div class="body stack">
        <p>
          Its disks are copied from a checkpoint of{" "}
          <b dir="auto">{vm.name}</b>, at once, and use space only for what changes. You choose its name, size
          and networks, and see the plan first. MAC addresses and display port are new, and no install image
          or seed ISO is taken along. If it fails it is undone.
        </p>
        {checkpoints.known ? null : (
          <p>
            Checkpoints are not listed, because <Said text={checkpoints.because} />.
          </p>
        )}
        {all.length === 0
          ? (
            <>
              {checkpoints.known ? <p>There is no checkpoint of it yet. {whole(vm)}</p> : null}
              <p class="actions">
                <a class="btn" href={paths.newCheckpoint({ ids: [vm.id] })} id="clone-checkpoint">
                  <Icon name="plus" />Take a checkpoint first
                </a>
              </p>
            </>
          )
          : (
            <form method="get" action={paths.createOne()} class="stack">
              <input type="hidden" name="like" value={vm.id} />
              <Choice
                name="checkpoint"
                label="Checkpoint"
                value=""
                choices={Object.fromEntries(all.map(({ name }) => [name, name]))}
              />
              <p class="actions">
                <button class="btn primary" type="submit" id="own-clone">Continue</button>
                <a class="btn" href={paths.newCheckpoint({ ids: [vm.id] })}>Take a new checkpoint</a>
              </p>
            </form>
          )}
      </div>
    </section>
  );
}

function whole({ state }: Vm): string {
  return state === "STOPPED"
    ? "The VM is stopped, so one that is taken now has its disks whole."
    : "Shut the VM down for it, or its disks are copied as after a power failure.";
}

/** A copy of the VM under another name. */
function TrueNasClone({ vm, problems, typed }: VmFormProps) {
  return (
    <section class="card" aria-labelledby="clone-head">
      <header>
        <h2 id="clone-head">Clone {vm.name} with TrueNAS</h2>
      </header>
      <form method="post" action={paths.vmForm(vm.id, "clone")} class="body stack">
        <p>
          TrueNAS copies the VM as it is now, with all its settings. It does not copy disks that are files,
          and install images and a seed ISO are shared with the original, so the clone takes the same
          identity.
        </p>
        <FormField
          {...{ problems, typed }}
          form="clone"
          name="name"
          label="Name of the clone"
          value={`${vm.name}_copy`}
          help="TrueNAS copies the disks' data at once, as snapshots that use space only for what changes."
        />
        <p class="actions">
          <button class="btn" type="submit" id="clone">Clone VM</button>
          <a class="btn" href={paths.vm(vm.id)}>Cancel</a>
        </p>
      </form>
    </section>
  );
}
