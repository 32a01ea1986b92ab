/** The form of one VM type: a new one, or one that is in the configuration. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Field, fieldId, Notice } from "../../parts/common.tsx";
import { Icon, Shape } from "../../parts/icons.tsx";
import type { CreateChoices } from "../../parts/vm_forms.tsx";
import { paths } from "../../paths.ts";
import type { CreateFormType } from "../create_page.tsx";
import { AdvancedFields } from "./advanced_fields.tsx";
import { StorageFields } from "./storage_page.tsx";
import { FormButton, Pick, ReadOnlyNotice, TypeTrail } from "./type_parts.tsx";
import { type Totals, TotalsCard } from "./totals.tsx";

/** The form of a VM type, as typed. */
export interface TypeForm {
  readonly type: CreateFormType;
  /** The type that it changes; null for a new one. */
  readonly from: string | null;
  /** The type that a new one is a copy of, with what has no field here; null for none. */
  readonly copyOf: string | null;
  /** What all types share; null when the form has no fields for it. */
  readonly storage: { readonly pool_path: string; readonly cdrom_path: string } | null;
  /** Rows for a disk and a network that are not filled in yet. */
  readonly spare: "disk" | "network" | null;
}

/** The sizes to choose from; memory in MiB. */
export const SIZES = {
  small: { label: "Small", cpu: 2, memoryMib: 2048, words: "2 vCPUs, 2 GiB" },
  medium: { label: "Medium", cpu: 4, memoryMib: 4096, words: "4 vCPUs, 4 GiB" },
  large: { label: "Large", cpu: 4, memoryMib: 8192, words: "4 vCPUs, 8 GiB" },
} as const;

/** The size that these numbers are; custom for all others. */
export function sizeOf({ cpu, memory }: Pick<CreateFormType, "cpu" | "memory">): string {
  const found = Object.entries(SIZES).find(([, size]) =>
    String(size.cpu) === cpu && [String(size.memoryMib), `${size.memoryMib / 1024} GiB`].includes(memory)
  );
  return found?.[0] ?? "custom";
}

/** The state of the page. */
export interface TypePageProps {
  readonly form: TypeForm;
  readonly problems: readonly Problem[];
  readonly choices: CreateChoices;
  readonly totals: Totals;
  /** The fingerprint of the text that the form was filled from. */
  readonly shown: string;
  readonly source: string;
  readonly readOnly: string | null;
  /** Something to know first, or null. */
  readonly notice: string | null;
}

/** The page. */
export function TypePage({ frame, page }: { frame: PageFrame; page: TypePageProps }) {
  const { form, problems, notice, source, readOnly } = page;
  const title = form.from === null ? "New VM type" : `VM type ${form.from}`;
  return (
    <Layout {...frame} title={title} current="create">
      <div>
        <TypeTrail>{form.from ?? "New"}</TypeTrail>
        <div class="page-head">
          <div class="title">
            <h1>{title}</h1>
            {form.copyOf === null ? null : <span class="soft">A copy of {form.copyOf}</span>}
          </div>
        </div>
      </div>
      {notice === null ? null : (
        <Notice tone="warn">
          <p>{notice}</p>
        </Notice>
      )}
      <ErrorSummary problems={problems} />
      <ReadOnlyNotice source={source} readOnly={readOnly} />
      <form method="post" action={paths.reviewTypes()} id="type-form" class="columns type-form">
        {/* Enter presses the first button, so it must be the one that goes on. */}
        <button type="submit" class="visually-hidden" tabindex={-1} aria-hidden="true">
          Review changes
        </button>
        <input type="hidden" name="change" value="type" />
        <input type="hidden" name="shown" value={page.shown} />
        {form.from === null ? null : <input type="hidden" name="from" value={form.from} />}
        {form.copyOf === null ? null : <input type="hidden" name="copy_of" value={form.copyOf} />}
        <TypeCard page={page} />
        <aside>
          <TotalsCard totals={page.totals} isNew={form.from === null} />
        </aside>
      </form>
    </Layout>
  );
}

function TypeCard({ page }: { page: TypePageProps }) {
  const { form, problems } = page;
  const { type } = form;
  return (
    <section class="card type-card" aria-label="The VM type">
      <div class="body stack">
        <Field
          name="name"
          label="Name"
          value={type.name}
          problems={problems}
          help={`Its VMs are called ${example(type.name)}01, ${
            example(type.name)
          }02 and so on. VMs that exist keep their names`}
        />
        <div class="fields">
          <CountField value={type.count} problems={problems} />
          <SizeFields type={type} problems={problems} />
        </div>
        <Essentials page={page} />
      </div>
      <AdvancedFields type={type} problems={problems} />
    </section>
  );
}

const EXAMPLE_CHARS = 24;

function example(name: string): string {
  return name === "" || name.length > EXAMPLE_CHARS ? "worker" : name;
}

function CountField({ value, problems }: { value: string; problems: readonly Problem[] }) {
  const own = problems.filter(({ field }) => field === "count");
  const id = fieldId("count");
  return (
    <div class={own.length === 0 ? "field" : "field invalid"}>
      <label for={id}>How many</label>
      <div class="stepper">
        <FormButton name="step" value="fewer" label="One fewer" class="">
          <Icon name="minus" />
        </FormButton>
        <input
          id={id}
          name="count"
          value={value}
          inputmode="numeric"
          autocomplete="off"
          aria-invalid={own.length === 0 ? undefined : "true"}
          aria-describedby={own.length === 0 ? undefined : `${id}-error`}
        />
        <FormButton name="step" value="more" label="One more" class="">
          <Icon name="plus" />
        </FormButton>
      </div>
      {own.length === 0 ? null : (
        <p class="error" id={`${id}-error`} data-error="count">
          <Shape name="bad" />
          <span>{own.map(({ message }) => message).join(" · ")}</span>
        </p>
      )}
    </div>
  );
}

function SizeFields({ type, problems }: { type: CreateFormType; problems: readonly Problem[] }) {
  const size = sizeOf(type);
  return (
    <fieldset class="bare size">
      <legend class="label">Size of each</legend>
      <input type="hidden" name="size_shown" value={size} />
      <div class="choices sizes">
        {Object.entries(SIZES).map(([name, { label, words }]) => (
          <label>
            <input type="radio" name="size" value={name} checked={name === size} />
            <b>{label}</b>
            <small>{words}</small>
          </label>
        ))}
        <label>
          <input type="radio" name="size" value="custom" checked={size === "custom"} />
          <b>Custom</b>
          <small>Set your own</small>
        </label>
      </div>
      <div class="fields-2 custom-size">
        <Field
          name="cpu"
          label="vCPUs"
          value={type.cpu}
          problems={problems}
          numeric
          help="In all, for each VM"
        />
        <Field
          name="memory"
          label="Memory"
          value={type.memory}
          problems={problems}
          help="For example 2 GiB; a number alone is MiB"
        />
      </div>
    </fieldset>
  );
}

function Essentials({ page }: { page: TypePageProps }) {
  const { form, problems, choices } = page;
  const { type, storage, spare } = form;
  const disks = spare === "disk" ? [...type.disks, { name: "", sizeGib: "" }] : type.disks;
  const networks = spare === "network"
    ? [...type.networks, { name: "", bridge: "", macs: "" }]
    : type.networks;
  return (
    <div class="fields-2">
      {storage === null ? null : <StorageFields storage={storage} choices={choices} problems={problems} />}
      <fieldset class="bare parts">
        <legend class="label">Disks</legend>
        {disks.map(({ name, sizeGib }, n) => (
          <div class="part-row">
            <Field
              name={`disk.${n}.name`}
              label={n === 0 ? "Name" : `Name of disk ${n + 1}`}
              hideLabel={n > 0}
              value={name}
              problems={problems}
            />
            <Field
              name={`disk.${n}.size`}
              label={n === 0 ? "Size (GiB)" : `Size of disk ${n + 1} (GiB)`}
              hideLabel={n > 0}
              value={sizeGib}
              problems={problems}
              numeric
            />
            <FormButton
              name="drop"
              value={`disk.${n}`}
              label={`Remove disk ${name || n + 1}`}
              class="btn plain only-icon"
            >
              <Icon name="close" />
            </FormButton>
          </div>
        ))}
        <FormButton name="add" value="disk">
          <Icon name="plus" />Add a disk
        </FormButton>
      </fieldset>
      <fieldset class="bare parts">
        <legend class="label">Networks</legend>
        {networks.map(({ name, bridge }, n) => (
          <div class="part-row">
            <Field
              name={`network.${n}.name`}
              label={n === 0 ? "Name" : `Name of network ${n + 1}`}
              hideLabel={n > 0}
              value={name}
              problems={problems}
            />
            <Pick
              name={`network.${n}.bridge`}
              label={n === 0 ? "Bridge" : `Bridge of network ${n + 1}`}
              hideLabel={n > 0}
              value={bridge}
              choices={choices.bridges}
              problems={problems}
            />
            <FormButton
              name="drop"
              value={`network.${n}`}
              label={`Remove network ${name || n + 1}`}
              class="btn plain only-icon"
            >
              <Icon name="close" />
            </FormButton>
          </div>
        ))}
        <FormButton name="add" value="network">
          <Icon name="plus" />Add a network
        </FormButton>
      </fieldset>
    </div>
  );
}
