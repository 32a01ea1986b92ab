/** The form of one VM type: a new one, or one that is in the configuration. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Field, Notice } from "../../parts/common.tsx";
import type { CreateChoices } from "../../parts/vm/vm_forms.tsx";
import { paths } from "../../paths.ts";
import type { CreateFormType } from "../../parts/type_form/form.ts";
import { CountField, PartFields, SizeFields } from "../../parts/type_form/fields.tsx";
import { TYPE_FORM } from "./type_parts.tsx";
import { ImageChoice } from "../../parts/type_form/image_fields.tsx";
import { FirstBootFields } from "../../parts/type_form/first_boot_fields.tsx";
import { AdvancedFields } from "../../parts/type_form/advanced_fields.tsx";
import { SHARED_HELP, StorageFields } from "../../parts/type_form/storage_fields.tsx";
import { ReadOnlyNotice, TypeTrail } from "./type_parts.tsx";
import { type Totals, TotalsCard } from "../../parts/type_form/totals.tsx";

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
          <TotalsCard
            totals={page.totals}
            place={TYPE_FORM}
            action={form.from === null ? "Review the new type" : "Review changes"}
            help="Nothing is saved until you confirm."
          />
        </aside>
      </form>
    </Layout>
  );
}

function TypeCard({ page }: { page: TypePageProps }) {
  const { form, problems, choices } = page;
  const { type } = form;
  const fields = { type, problems, place: TYPE_FORM };
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
          }02 and so on. VMs that exist keep their names.`}
        />
        <div class="fields">
          <CountField {...fields} />
          <SizeFields {...fields} />
        </div>
        {form.storage === null ? null : (
          <div class="fields-2">
            <StorageFields storage={form.storage} choices={choices} problems={problems} help={SHARED_HELP} />
          </div>
        )}
        <ImageChoice {...fields} choices={choices} />
        <PartFields {...fields} choices={choices} spare={form.spare} />
      </div>
      <FirstBootFields {...fields} />
      <AdvancedFields {...fields} choices={choices} />
    </section>
  );
}

const EXAMPLE_CHARS = 24;

function example(name: string): string {
  return name === "" || name.length > EXAMPLE_CHARS ? "worker" : name;
}
