/** What one VM boots from, in order, and its install images. */
import type { Vm } from "../../../../lib/inventory/inventory.ts";
import { paths } from "../../../paths.ts";
import { Tick } from "../../common.tsx";
import { Icon } from "../../icons.tsx";
import { FormPick, type VmFormProps } from "../vm_forms.tsx";
import { DeviceFold, DeviceList, REMOVE, RemoveButton } from "./device.tsx";
import { diskName } from "../place.tsx";

/** The tab; viewers see the facts only. */
export function VmBoot({ form, mayChange }: { form: VmFormProps; mayChange: boolean }) {
  const { vm } = form;
  const boots = bootOrder(vm);
  return (
    <div class="stack">
      <section class="card" aria-labelledby="boot-head">
        <header>
          <h2 id="boot-head">Boot order</h2>
          {vm.state === "RUNNING" && mayChange
            ? <span class="help">A change takes effect at the next start</span>
            : null}
        </header>
        {boots.length === 0
          ? <p class="body soft">This VM has nothing to boot from.</p>
          : (
            <ol class="devices">
              {boots.map((boot, index) => (
                <li class="device">
                  <Boot {...boot} place={index + 1} />
                  {index === 0 || !mayChange || boot.note !== undefined
                    ? null
                    : (
                      <form method="post" action={paths.vmForm(vm.id, "boot")} class="ways">
                        <input type="hidden" name="device" value={boot.deviceId} />
                        <button class="btn sm" type="submit" aria-label={`Boot ${boot.path} first`}>
                          Boot first
                        </button>
                      </form>
                    )}
                </li>
              ))}
            </ol>
          )}
      </section>
      <Media form={form} mayChange={mayChange} />
      {mayChange ? <AttachImage {...form} /> : null}
    </div>
  );
}

interface Bootable {
  readonly deviceId: number;
  readonly icon: "disk" | "image";
  readonly name: string;
  readonly path: string;
  readonly note?: string;
}

/** Disks and install images, what boots first at the top. */
function bootOrder(vm: Vm): readonly Bootable[] {
  const disks = vm.disks.map((disk) => ({
    deviceId: disk.deviceId,
    icon: "disk" as const,
    name: diskName(vm, disk),
    path: disk.zvol ?? disk.path,
    order: disk.order,
  }));
  const images = vm.cdroms.map(({ deviceId, path, order }) => ({
    deviceId,
    icon: "image" as const,
    name: path.split("/").at(-1) ?? path,
    path,
    order,
  }));
  const seeds = vm.seedDisk == null ? [] : [{
    deviceId: vm.seedDisk.deviceId,
    icon: "image" as const,
    name: "First configuration (seed)",
    path: vm.seedDisk.path,
    order: vm.seedDisk.order,
    note: "Removed when the VM is stopped after its first boot",
  }];
  return [...disks, ...images, ...seeds].toSorted((a, b) => a.order - b.order || a.deviceId - b.deviceId);
}

function Boot({ icon, name, path, note, place }: Bootable & { readonly place: number }) {
  return (
    <div class="what">
      <Icon name={icon} />
      <div>
        <b dir="auto">{place}. {name}</b>
        <small>
          <code>{path}</code>
          {note === undefined ? "" : ` ${note}`}
        </small>
      </div>
    </div>
  );
}

function Media({ form: { vm }, mayChange }: { form: VmFormProps; mayChange: boolean }) {
  return (
    <DeviceList title="Install images" empty="No image is attached.">
      {vm.cdroms.map(({ deviceId, path }) => (
        <li class="device" data-device={deviceId}>
          <div class="what">
            <Icon name="image" />
            <div>
              <b dir="auto">{path.split("/").at(-1)}</b>
              <small>
                <code>{path}</code>
              </small>
            </div>
          </div>
          {mayChange
            ? (
              <div class="ways">
                <DeviceFold label="Remove…" of={path}>
                  <RemoveButton vm={vm} tab="boot" deviceId={deviceId} label={REMOVE.cdrom} />
                </DeviceFold>
              </div>
            )
            : null}
        </li>
      ))}
    </DeviceList>
  );
}

function AttachImage({ vm, choices, problems, typed }: VmFormProps) {
  return (
    <section class="card" aria-labelledby="attach-head">
      <header>
        <h2 id="attach-head">Attach an install image</h2>
      </header>
      <form method="post" action={paths.vmForm(vm.id, "cdroms")} class="body stack">
        <FormPick
          {...{ problems, typed }}
          form="cdroms"
          name="path"
          label="Install image"
          choices={choices.isos}
          example="A full path, for example /mnt/tank/iso/debian.iso"
          other="Another file…"
          icon="image"
        />
        <Tick
          name="first"
          label="Boot from this image first"
          ticked={typed?.form === "cdroms" && typed.fields.getAll("first").includes("yes")}
        />
        <p>
          <button class="btn" type="submit" id="attach-iso">Attach image</button>
        </p>
      </form>
    </section>
  );
}
