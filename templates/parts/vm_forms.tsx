/** The forms of a VM's page: settings, disks, NICs, install media, clone. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { formatBytes } from "../../lib/units.ts";
import { paths } from "../paths.ts";
import { Choices, Field, type FieldProps, Tick } from "./common.tsx";

/** The entries of a rejected form. */
export interface Typed {
  readonly form: string;
  readonly fields: URLSearchParams;
}

/** Suggestions for fields; null where the account may not list them. */
export interface CreateChoices {
  readonly bridges: readonly string[] | null;
  readonly isos: readonly string[] | null;
  readonly datasets: readonly string[] | null;
}

/** Props of every form. */
export interface VmFormProps {
  readonly vm: Vm;
  readonly problems: readonly Problem[];
  /** Shown again in the form. */
  readonly typed: Typed | null;
  readonly choices: CreateChoices;
  /** Fingerprint of the settings the form was filled in from. */
  readonly shown: string;
}

/** A field with the rejected entry or else its current value. It is submitted as `name`; its problems are at `form.name`. */
function FormField(
  { form, name, value = "", typed, problems, label, ...field }:
    & Pick<VmFormProps, "typed" | "problems">
    & Omit<FieldProps, "value">
    & { readonly form: string; readonly value?: string },
) {
  const shown = typed?.form === form ? typed.fields.get(name) ?? value : value;
  return <Field {...field} name={`${form}.${name}`} sentAs={name} value={shown} {...{ label, problems }} />;
}

function RemoveButton({ vm, deviceId, label }: { vm: Vm; deviceId: number; label: string }) {
  return (
    <form method="post" action={paths.vmForm(vm.id, "remove")} class="inline">
      <input type="hidden" name="device" value={deviceId} />
      <button type="submit" class="btn danger">{label}</button>
    </form>
  );
}

/** Name, description, vCPUs, memory, autostart. */
export function SettingsForm(props: VmFormProps) {
  const { vm, problems, typed } = props;
  const form = { form: "settings", problems, typed };
  const restart = vm.state === "RUNNING" ? { help: "Takes effect after a restart" } : {};
  return (
    <form method="post" action={paths.vmForm(vm.id, "settings")} class="panel">
      <h3>Settings</h3>
      <input type="hidden" name="shown" value={props.shown} />
      <div class="fields">
        <FormField {...form} name="name" label="Name" value={vm.name} />
        <FormField {...form} {...restart} name="cpu" label="vCPUs" value={String(vm.vcpus)} numeric />
        <FormField
          {...form}
          {...restart}
          name="memory"
          label="Memory (MiB)"
          value={String(vm.memoryMib)}
          numeric
        />
      </div>
      <FormField {...form} name="description" label="Description" value={vm.description} />
      <Tick name="autostart" label="Start when the NAS boots" ticked={vm.autostart} />
      <p class="actions">
        <button class="btn" type="submit" id="save-settings">Save settings</button>
      </p>
    </form>
  );
}

/** Each disk with its actions, and a form to add one. */
export function DiskForms({ vm, problems, typed }: VmFormProps) {
  return (
    <div class="panel">
      <h3>Disks</h3>
      {vm.disks.map(({ deviceId, zvol, path, sizeBytes }) => (
        <div class="device" data-device={deviceId}>
          <p>
            <code>{zvol ?? path}</code> {sizeBytes === null ? "size unknown" : formatBytes(sizeBytes)}
          </p>
          {zvol === null ? null : (
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
          )}
          <form method="post" action={paths.vmForm(vm.id, "remove")} class="inline">
            <input type="hidden" name="device" value={deviceId} />
            {zvol === null ? null : (
              <>
                <Tick
                  name="zvol"
                  id={`zvol-${deviceId}`}
                  label="Also destroy the zvol and its data"
                  ticked={false}
                />
                <Field
                  name={`remove.phrase-${deviceId}`}
                  sentAs="phrase"
                  label="To destroy it, type “destroy 1 zvol”"
                  value=""
                  problems={problems}
                />
              </>
            )}
            <button type="submit" class="btn danger">Remove disk</button>
          </form>
        </div>
      ))}
      <form method="post" action={paths.vmForm(vm.id, "disks")} class="inline">
        <FormField {...{ problems, typed }} form="disks" name="size" label="New disk (GiB)" numeric />
        <Tick name="sparse" label="Sparse" ticked={false} />
        <button class="btn" type="submit" id="add-disk">Add disk</button>
      </form>
    </div>
  );
}

/** The boot order, with buttons to move a device to the front. */
export function BootForm({ vm }: VmFormProps) {
  const boots = [
    ...vm.disks.map(({ deviceId, zvol, path, order }) => ({ deviceId, what: zvol ?? path, order })),
    ...vm.cdroms.map(({ deviceId, path, order }) => ({ deviceId, what: path, order })),
  ].toSorted((a, b) => a.order - b.order || a.deviceId - b.deviceId);
  if (boots.length < 2) return null;
  return (
    <div class="panel">
      <h3>Boot order</h3>
      <ol class="boots">
        {boots.map(({ deviceId, what }, index) => (
          <li>
            <code>{what}</code>
            {index === 0 ? null : (
              <form method="post" action={paths.vmForm(vm.id, "boot")} class="inline">
                <input type="hidden" name="device" value={deviceId} />
                <button class="btn" type="submit" aria-label={`Boot ${what} first`}>Boot first</button>
              </form>
            )}
          </li>
        ))}
      </ol>
      {vm.state === "RUNNING" ? <p class="help">A new boot order takes effect at the next start.</p> : null}
    </div>
  );
}

/** NICs and install media. */
export function NicAndMediaForms(props: VmFormProps) {
  const { vm, choices, problems, typed } = props;
  const entries = { problems, typed };
  return (
    <>
      <div class="panel">
        <h3>NICs</h3>
        {vm.nics.map(({ deviceId, attach, mac }) => (
          <div class="device" data-device={deviceId}>
            <p>
              {attach ?? "default"} <code>{mac ?? "new MAC at each start"}</code>
            </p>
            <RemoveButton vm={vm} deviceId={deviceId} label="Remove NIC" />
          </div>
        ))}
        <form method="post" action={paths.vmForm(vm.id, "nics")} class="inline">
          <Choices id="bridges" choices={choices.bridges} />
          <FormField {...entries} form="nics" name="attach" label="Bridge" list="bridges" />
          <FormField
            {...entries}
            form="nics"
            name="mac"
            label="MAC"
            help="For example 02:00:5e:10:00:01. Leave empty to derive it from the VM's name."
          />
          <button class="btn" type="submit" id="add-nic">Add NIC</button>
        </form>
      </div>
      <div class="panel">
        <h3>Install media</h3>
        {vm.cdroms.length === 0 ? <p>No image attached</p> : null}
        {vm.cdroms.map(({ deviceId, path }) => (
          <div class="device" data-device={deviceId}>
            <p>
              <code>{path}</code>
            </p>
            <RemoveButton vm={vm} deviceId={deviceId} label="Remove install image" />
          </div>
        ))}
        <form method="post" action={paths.vmForm(vm.id, "cdroms")} class="inline">
          <Choices id="isos" choices={choices.isos} />
          <FormField
            {...entries}
            form="cdroms"
            name="path"
            label="Image"
            list="isos"
            help="Full path, for example /mnt/tank/iso/debian.iso"
          />
          <Tick name="first" label="Boot from this image first" ticked={false} />
          <button class="btn" type="submit" id="attach-iso">Attach image</button>
        </form>
      </div>
    </>
  );
}

/** A copy of the VM under another name. */
export function CloneForm({ vm, problems, typed }: VmFormProps) {
  return (
    <form method="post" action={paths.vmForm(vm.id, "clone")} class="panel">
      <h3>Clone</h3>
      <div class="inline">
        <FormField
          {...{ problems, typed }}
          form="clone"
          name="name"
          label="Name of the clone"
          value={`${vm.name}_copy`}
        />
        <button class="btn" type="submit" id="clone">Clone VM</button>
      </div>
    </form>
  );
}
