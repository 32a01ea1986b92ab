/** The forms of a VM's page: settings, disks, NICs, install media, clone. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import type { Problem } from "../../lib/errors/errors.ts";
import { formatBytes } from "../../lib/units.ts";
import { paths } from "../paths.ts";
import { Choices, Field, Tick } from "./common.tsx";

/** What was typed into one of a page's forms. */
export interface Typed {
  readonly form: string;
  readonly fields: URLSearchParams;
}

/** What the form offers; null where the account may not list it. */
export interface CreateChoices {
  readonly bridges: readonly string[] | null;
  readonly isos: readonly string[] | null;
  readonly datasets: readonly string[] | null;
}

/** Props of every form. */
export interface VmFormProps {
  readonly vm: Vm;
  readonly problems: readonly Problem[];
  /** The rejected form and its entries, to show them again. */
  readonly typed: Typed | null;
  readonly choices: CreateChoices;
  /** Fingerprint of the settings the form was filled in from. */
  readonly shown: string;
}

/** The rejected entry, or else the current value. */
function valueOf(typed: Typed | null, form: string, name: string, there: string): string {
  return typed?.form === form ? typed.fields.get(name) ?? there : there;
}

/** A field of a form. It is submitted as `name`; its problems are at `form.name`. */
function FormField(
  props: VmFormProps & {
    readonly form: string;
    readonly name: string;
    readonly label: string;
    readonly there?: string;
    readonly help?: string;
    readonly numeric?: boolean;
    /** The id of a datalist with choices. */
    readonly list?: string;
  },
) {
  const { form, name, label, there = "", help, numeric = false, list, problems, typed } = props;
  return (
    <Field
      name={`${form}.${name}`}
      sentAs={name}
      label={label}
      value={valueOf(typed, form, name, there)}
      problems={problems}
      numeric={numeric}
      {...(help === undefined ? {} : { help })}
      {...(list === undefined ? {} : { list })}
    />
  );
}

/** Name, description, vCPUs, memory, autostart. */
export function SettingsForm(props: VmFormProps) {
  const { vm } = props;
  const runs = vm.state === "RUNNING" ? "Takes effect after a restart" : undefined;
  const help = runs === undefined ? {} : { help: runs };
  return (
    <form method="post" action={paths.vmForm(vm.id, "settings")} class="panel">
      <h3>Settings</h3>
      <input type="hidden" name="shown" value={props.shown} />
      <div class="fields">
        <FormField {...props} form="settings" name="name" label="Name" there={vm.name} />
        <FormField
          {...props}
          form="settings"
          name="cpu"
          label="vCPUs"
          there={String(vm.vcpus)}
          numeric
          {...help}
        />
        <FormField
          {...props}
          form="settings"
          name="memory"
          label="Memory (MiB)"
          there={String(vm.memoryMib)}
          numeric
          {...help}
        />
      </div>
      <FormField {...props} form="settings" name="description" label="Description" there={vm.description} />
      <Tick name="autostart" label="Start when the NAS boots" ticked={vm.autostart} />
      <p class="actions">
        <button type="submit" id="save-settings">Save settings</button>
      </p>
    </form>
  );
}

/** Each disk with its actions, and a form to add one. */
export function DiskForms(props: VmFormProps) {
  const { vm } = props;
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
                problems={props.problems}
                numeric
              />
              <button type="submit">Grow disk</button>
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
                  problems={props.problems}
                />
              </>
            )}
            <button type="submit" class="danger">Remove disk</button>
          </form>
        </div>
      ))}
      <form method="post" action={paths.vmForm(vm.id, "disks")} class="inline">
        <FormField {...props} form="disks" name="size" label="New disk (GiB)" numeric />
        <Tick name="sparse" label="Sparse" ticked={false} />
        <button type="submit" id="add-disk">Add disk</button>
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
                <button type="submit" aria-label={`Boot ${what} first`}>Boot first</button>
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
  const { vm, choices } = props;
  const remove = (deviceId: number, label: string) => (
    <form method="post" action={paths.vmForm(vm.id, "remove")} class="inline">
      <input type="hidden" name="device" value={deviceId} />
      <button type="submit" class="danger">{label}</button>
    </form>
  );
  return (
    <>
      <div class="panel">
        <h3>NICs</h3>
        {vm.nics.map(({ deviceId, attach, mac }) => (
          <div class="device" data-device={deviceId}>
            <p>
              {attach ?? "default"} <code>{mac ?? "new MAC at each start"}</code>
            </p>
            {remove(deviceId, "Remove NIC")}
          </div>
        ))}
        <form method="post" action={paths.vmForm(vm.id, "nics")} class="inline">
          <Choices id="bridges" choices={choices.bridges} />
          <FormField {...props} form="nics" name="attach" label="Bridge" list="bridges" />
          <FormField
            {...props}
            form="nics"
            name="mac"
            label="MAC"
            help="For example 02:00:5e:10:00:01. Leave empty to derive it from the VM's name."
          />
          <button type="submit" id="add-nic">Add NIC</button>
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
            {remove(deviceId, "Remove install image")}
          </div>
        ))}
        <form method="post" action={paths.vmForm(vm.id, "cdroms")} class="inline">
          <Choices id="isos" choices={choices.isos} />
          <FormField
            {...props}
            form="cdroms"
            name="path"
            label="Image"
            list="isos"
            help="Full path, for example /mnt/tank/iso/debian.iso"
          />
          <Tick name="first" label="Boot from this image first" ticked={false} />
          <button type="submit" id="attach-iso">Attach image</button>
        </form>
      </div>
    </>
  );
}

/** A copy of the VM under another name. */
export function CloneForm(props: VmFormProps) {
  const { vm } = props;
  return (
    <form method="post" action={paths.vmForm(vm.id, "clone")} class="panel">
      <h3>Clone</h3>
      <div class="inline">
        <FormField {...props} form="clone" name="name" label="Name of the clone" there={`${vm.name}_copy`} />
        <button type="submit" id="clone">Clone VM</button>
      </div>
    </form>
  );
}
