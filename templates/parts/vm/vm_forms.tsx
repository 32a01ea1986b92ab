/** What the forms of a VM's pages share, and the form of its settings. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { withoutMark } from "../../../lib/inventory/marks.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { paths } from "../../paths.ts";
import { Field, type FieldProps, Tick } from "../common.tsx";
import { MEMORY_HELP, memoryText } from "../type_form/form.ts";
import { Pick as PickOne, picked, type PickProps } from "../type_form/inputs.tsx";

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
  /** Names of the configuration's images. */
  readonly images: readonly string[];
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
export function FormField(
  { form, name, value = "", typed, problems, label, ...field }:
    & Pick<VmFormProps, "typed" | "problems">
    & Omit<FieldProps, "value">
    & { readonly form: string; readonly value?: string },
) {
  const shown = typed?.form === form ? typed.fields.get(name) ?? value : value;
  return <Field {...field} name={`${form}.${name}`} sentAs={name} value={shown} {...{ label, problems }} />;
}

/** A choice from what the NAS has, with the rejected choice or none yet. */
export function FormPick({ form, name, typed, ...pick }:
  & Pick<VmFormProps, "typed">
  & Omit<PickProps, "value" | "sentAs">
  & { readonly form: string }) {
  const value = typed?.form === form ? picked(typed.fields, name) : "";
  return <PickOne {...pick} name={`${form}.${name}`} sentAs={name} value={value} />;
}

/** Name, description, vCPUs, memory, autostart. */
export function SettingsForm({ vm, problems, typed, shown }: VmFormProps) {
  const form = { form: "settings", problems, typed };
  const restart: { help?: string } = vm.state === "RUNNING" ? { help: "Takes effect after a restart" } : {};
  const isAgain = typed?.form === "settings";
  return (
    <form method="post" action={paths.vmForm(vm.id, "settings")} class="stack">
      <input type="hidden" name="shown" value={shown} />
      <div class="fields">
        <FormField {...form} name="name" label="Name" value={vm.name} />
        <FormField {...form} {...restart} name="cpu" label="vCPUs" value={String(vm.vcpus)} numeric />
        <FormField
          {...form}
          name="memory"
          label="Memory"
          value={memoryText(vm.memoryMib)}
          help={[MEMORY_HELP, restart.help].filter((it) => it !== undefined).join(". ")}
        />
      </div>
      <FormField {...form} name="description" label="Description" value={withoutMark(vm.description)} />
      <Tick
        name="autostart"
        label="Start when the NAS boots"
        ticked={isAgain ? typed.fields.getAll("autostart").includes("yes") : vm.autostart}
      />
      <p class="actions">
        <button class="btn primary" type="submit" id="save-settings">Save settings</button>
      </p>
    </form>
  );
}
