/** The disks of one VM, what can be done with each, and a form to add one. */
import type { Disk, Vm } from "../../../../lib/inventory/inventory.ts";
import type { VmLineage } from "../../../../lib/images/listing/lineage.ts";
import { formatCount } from "../../../../lib/units.ts";
import { paths } from "../../../paths.ts";
import { Field, Tick } from "../../common.tsx";
import { Icon } from "../../icons.tsx";
import { DiskBar, diskUse } from "../../list/vm_cells.tsx";
import { FormField, type VmFormProps } from "../vm_forms.tsx";
import { DeviceFold, DeviceList, REMOVE, RemoveAction } from "./device.tsx";
import { diskName } from "../place.tsx";

/** To be typed to destroy a disk and its data. */
export const DISK_PHRASE = "destroy 1 disk";

/** The tab; viewers see the facts only. */
export function VmDisks(
  { form, lineage, mayChange }: { form: VmFormProps; lineage: VmLineage; mayChange: boolean },
) {
  const { vm } = form;
  return (
    <div class="stack">
      <DeviceList title="Disks" empty="This VM has no disks." help={<LineageWords {...lineage} />}>
        {vm.disks.map((disk) => (
          <li class="device" data-device={disk.deviceId}>
            <DiskFacts vm={vm} disk={disk} />
            {mayChange ? <DiskWays form={form} disk={disk} /> : null}
          </li>
        ))}
      </DeviceList>
      {mayChange ? <AddDisk {...form} /> : null}
    </div>
  );
}

/** Where the disks come from, and what depends on them. */
function LineageWords({ image, clones }: VmLineage) {
  if (image === null && (clones ?? 0) === 0) return null;
  return (
    <p class="help" id="vm-lineage">
      {image === null ? null : (
        <>
          The first disk was made from the image <a href={paths.images()} dir="auto">{image}</a>.{" "}
        </>
      )}
      {clones === null || clones === 0
        ? null
        : `${formatCount(clones, "zvol")} ${clones === 1 ? "is a clone" : "are clones"} of this VM's disks.`}
    </p>
  );
}

/** The id of a device's facts, which live updates replace. */
export function deviceFactsId(deviceId: number): string {
  return `device-${deviceId}`;
}

/** One disk's facts. */
export function DiskFacts({ vm, disk }: { vm: Vm; disk: Disk }) {
  const { deviceId, zvol, path, sparse } = disk;
  const kind = zvol === null ? "a file" : sparse === null ? "" : sparse ? "thin" : "thick";
  return (
    <div class="what" id={deviceFactsId(deviceId)}>
      <Icon name="disk" />
      <div>
        <b dir="auto">{diskName(vm, disk)}</b>
        <small>
          <code>{zvol ?? path}</code>
        </small>
      </div>
      <span class="num">
        {diskUse(disk)}
        <DiskBar disk={disk} />
        <small>{kind}</small>
      </span>
    </div>
  );
}

function DiskWays({ form: { vm, problems }, disk }: { form: VmFormProps; disk: Disk }) {
  const { deviceId, zvol } = disk;
  const name = diskName(vm, disk);
  const has = (field: string) => problems.some((problem) => problem.field === `${field}-${deviceId}`);
  return (
    <div class="ways">
      {zvol === null ? null : (
        <DeviceFold label="Grow…" of={name} isOpen={has("grow.size")}>
          <form method="post" action={paths.vmForm(vm.id, "grow")} class="inline">
            <input type="hidden" name="device" value={deviceId} />
            <Field
              name={`grow.size-${deviceId}`}
              sentAs="size"
              label="Grow to (GiB)"
              value=""
              problems={problems}
              numeric
            />
            <button class="btn" type="submit">Grow disk</button>
          </form>
        </DeviceFold>
      )}
      <DeviceFold label="Remove…" of={name} isOpen={has("remove.phrase")}>
        <RemoveDisk vm={vm} disk={disk} problems={problems} />
      </DeviceFold>
    </div>
  );
}

function RemoveDisk(
  { vm, disk: { deviceId, zvol }, problems }: Pick<VmFormProps, "vm" | "problems"> & { disk: Disk },
) {
  return (
    <form method="post" action={paths.vmForm(vm.id, "remove")} class="stack">
      <input type="hidden" name="device" value={deviceId} />
      <input type="hidden" name="tab" value="disks" />
      {zvol === null ? null : (
        <>
          <Tick
            name="zvol"
            id={`zvol-${deviceId}`}
            label="Also destroy the disk and its data"
            ticked={false}
          />
          <Field
            name={`remove.phrase-${deviceId}`}
            sentAs="phrase"
            label={`To destroy it, type “${DISK_PHRASE}”`}
            value=""
            problems={problems}
          />
        </>
      )}
      <RemoveAction vm={vm} deviceId={deviceId} label={REMOVE.disk} />
    </form>
  );
}

function AddDisk({ vm, problems, typed }: VmFormProps) {
  return (
    <section class="card" aria-labelledby="add-disk-head">
      <header>
        <h2 id="add-disk-head">Add a disk</h2>
      </header>
      <form method="post" action={paths.vmForm(vm.id, "disks")} class="body inline">
        <FormField {...{ problems, typed }} form="disks" name="size" label="Size (GiB)" numeric />
        <Tick
          name="sparse"
          label="Thin: uses space only as data is written"
          ticked={typed?.form === "disks" && typed.fields.getAll("sparse").includes("yes")}
        />
        <button class="btn" type="submit" id="add-disk">Add disk</button>
      </form>
    </section>
  );
}
