/** The fields of a VM type that most people set: how many, how large, disks and networks. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { Field, FieldError, fieldId } from "../common.tsx";
import { Icon } from "../icons.tsx";
import type { CreateChoices } from "../vm/vm_forms.tsx";
import { type CreateFormType, MEMORY_HELP, sizeOf, SIZES } from "./form.ts";
import { FormButton, type FormPlace, Pick } from "./inputs.tsx";

/** What the fields of a type are given. */
export interface TypeFieldsProps {
  readonly type: CreateFormType;
  readonly problems: readonly Problem[];
  readonly place: FormPlace;
}

/** What the fields of disks and networks are given. */
export interface PartFieldsProps extends TypeFieldsProps {
  readonly choices: CreateChoices;
  /** A row for a disk or a network that is not filled in yet. */
  readonly spare: "disk" | "network" | null;
}

/** How many VMs, with a step either way. */
export function CountField({ type, problems, place }: TypeFieldsProps) {
  const name = `${place.prefix}count`;
  const own = problems.filter(({ field }) => field === name);
  const id = fieldId(name);
  return (
    <div class={own.length === 0 ? "field" : "field invalid"}>
      <label for={id}>How many</label>
      <div class="stepper">
        <FormButton place={place} name="step" value="fewer" label="One fewer" class="">
          <Icon name="minus" />
        </FormButton>
        <input
          id={id}
          name={name}
          value={type.count}
          inputmode="numeric"
          autocomplete="off"
          aria-invalid={own.length === 0 ? undefined : "true"}
          aria-describedby={own.length === 0 ? undefined : `${id}-error`}
        />
        <FormButton place={place} name="step" value="more" label="One more" class="">
          <Icon name="plus" />
        </FormButton>
      </div>
      <FieldError name={name} problems={own} />
    </div>
  );
}

/** The size of a VM: one of a few, or numbers. */
export function SizeFields(
  { type, problems, place, legend = "Size of each", cpuHelp = "In all, for each VM" }: TypeFieldsProps & {
    readonly legend?: string;
    readonly cpuHelp?: string;
  },
) {
  const size = sizeOf(type);
  const name = (field: string) => `${place.prefix}${field}`;
  return (
    <fieldset class="bare size">
      <legend class="label">{legend}</legend>
      <input type="hidden" name={name("size_shown")} value={size} />
      <div class="choices sizes">
        {Object.entries(SIZES).map(([preset, { label, words }]) => (
          <label>
            <input type="radio" name={name("size")} value={preset} checked={preset === size} />
            <b>{label}</b>
            <small>{words}</small>
          </label>
        ))}
        <label>
          <input type="radio" name={name("size")} value="custom" checked={size === "custom"} />
          <b>Custom</b>
          <small>Set your own</small>
        </label>
      </div>
      <div class="fields-2 custom-size">
        <Field
          name={name("cpu")}
          label="vCPUs"
          value={type.cpu}
          problems={problems}
          numeric
          help={cpuHelp}
        />
        <Field
          name={name("memory")}
          label="Memory"
          value={type.memory}
          problems={problems}
          help={MEMORY_HELP}
        />
      </div>
    </fieldset>
  );
}

/** The disks and networks of each VM. */
export function PartFields({ type, problems, choices, place, spare }: PartFieldsProps) {
  const at = (field: string) => `${place.prefix}${field}`;
  const disks = spare === "disk" ? [...type.disks, { name: "", sizeGib: "" }] : type.disks;
  const networks = spare === "network"
    ? [...type.networks, { name: "", bridge: "", macs: "" }]
    : type.networks;
  return (
    <div class="fields-2">
      <fieldset class="bare parts">
        <legend class="label">Disks</legend>
        {disks.map(({ name, sizeGib }, n) => (
          <div class="part-row">
            <Field
              name={at(`disk.${n}.name`)}
              label={n === 0 ? "Name" : `Name of disk ${n + 1}`}
              hideLabel={n > 0}
              value={name}
              problems={problems}
              autofocus={spare === "disk" && n === disks.length - 1}
            />
            <Field
              name={at(`disk.${n}.size`)}
              label={n === 0 ? "Size (GiB)" : `Size of disk ${n + 1} (GiB)`}
              hideLabel={n > 0}
              value={sizeGib}
              problems={problems}
              numeric
            />
            <FormButton
              place={place}
              name="drop"
              value={`disk.${n}`}
              label={`Remove disk ${name || n + 1}`}
              class="btn plain only-icon"
            >
              <Icon name="close" />
            </FormButton>
          </div>
        ))}
        <FormButton place={place} name="add" value="disk">
          <Icon name="plus" />Add a disk
        </FormButton>
      </fieldset>
      <fieldset class="bare parts">
        <legend class="label">Networks</legend>
        {networks.map(({ name, bridge }, n) => (
          <div class="part-row">
            <Field
              name={at(`network.${n}.name`)}
              label={n === 0 ? "Name" : `Name of network ${n + 1}`}
              hideLabel={n > 0}
              value={name}
              problems={problems}
              autofocus={spare === "network" && n === networks.length - 1}
            />
            <Pick
              name={at(`network.${n}.bridge`)}
              label={n === 0 ? "Bridge" : `Bridge of network ${n + 1}`}
              hideLabel={n > 0}
              value={bridge}
              choices={choices.bridges}
              problems={problems}
            />
            <FormButton
              place={place}
              name="drop"
              value={`network.${n}`}
              label={`Remove network ${name || n + 1}`}
              class="btn plain only-icon"
            >
              <Icon name="close" />
            </FormButton>
          </div>
        ))}
        <FormButton place={place} name="add" value="network">
          <Icon name="plus" />Add a network
        </FormButton>
      </fieldset>
    </div>
  );
}
