/** Adding an image from an address, which a well-known one fills in. */
import type { Problem } from "../../../lib/errors/errors.ts";
import type { ImageWays } from "../../../lib/images/acquiring/ways.ts";
import type {
  CatalogueEntry,
  CatalogueField,
  PublishedDigest,
} from "../../../lib/images/catalogue/catalogue.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { Choice, ErrorSummary, Field, ViewerNotice, Warning } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";
import { AddTabs, ImageTrail, WayWords } from "./image_parts.tsx";

/** What was typed. */
export interface AddForm {
  readonly name: string;
  readonly url: string;
  readonly sha256: string;
}

/** The chosen entry of the catalogue. */
export interface ChosenEntry {
  readonly entry: CatalogueEntry;
  /** By field, as typed. */
  readonly values: Readonly<Record<string, string>>;
  readonly digest: PublishedDigest;
  /** A page that has to be opened once, so that the file exists; null for none. */
  readonly factory: string | null;
}

/** The state of the page. */
export interface AddPageProps {
  readonly entries: readonly CatalogueEntry[];
  readonly chosen: ChosenEntry | null;
  readonly form: AddForm;
  readonly problems: readonly Problem[];
  readonly notice: string | null;
  readonly token: string;
  /** Null while the NAS does not answer. */
  readonly ways: ImageWays | null;
  /** Where the file goes. */
  readonly dataset: string | null;
}

/** The page. */
export function AddPage({ frame, page }: { frame: PageFrame; page: AddPageProps }) {
  const { entries, chosen, problems, notice } = page;
  return (
    <Layout {...frame} title="Add an image" current="images">
      <div>
        <ImageTrail />
        <div class="page-head">
          <div class="title">
            <h1>Add an image</h1>
          </div>
        </div>
      </div>
      <AddTabs current="address" />
      <Warning text={notice} />
      <ErrorSummary problems={problems} />
      {frame.mayChange
        ? (
          <div class="image-form">
            <section class="card" aria-labelledby="known-heading">
              <header>
                <h2 id="known-heading">Well-known images</h2>
              </header>
              <div class="body stack">
                <ul class="entries">
                  {entries.map(({ id, label }) => (
                    <li>
                      <a
                        class="btn sm"
                        href={`${paths.newImage({ from: id })}#known-heading`}
                        aria-current={id === chosen?.entry.id ? "true" : undefined}
                      >
                        {label}
                      </a>
                    </li>
                  ))}
                </ul>
                {chosen === null
                  ? <p class="help">Choose one to have its address filled in below, or enter your own.</p>
                  : <EntryForm chosen={chosen} problems={problems} />}
              </div>
            </section>
            <AddressForm {...page} />
          </div>
        )
        : <ViewerNotice />}
    </Layout>
  );
}

function EntryForm({ chosen, problems }: { chosen: ChosenEntry; problems: readonly Problem[] }) {
  const { entry, values } = chosen;
  return (
    <form method="get" action={paths.newImage()} class="entry-form">
      <input type="hidden" name="from" value={entry.id} />
      {entry.fields.map((field) => (
        <EntryField field={field} value={values[field.name] ?? field.value} problems={problems} />
      ))}
      <button type="submit" class="btn" id="fill-in">Fill in the address</button>
    </form>
  );
}

function EntryField(
  { field, value, problems }: { field: CatalogueField; value: string; problems: readonly Problem[] },
) {
  const { name, label, help, choices } = field;
  if (choices !== undefined) {
    return <Choice name={name} label={label} value={value} choices={choices} problems={problems} />;
  }
  return <Field name={name} label={label} value={value} help={help} problems={problems} />;
}

function AddressForm({ chosen, form, problems, token, ways, dataset }: AddPageProps) {
  return (
    <form method="post" action={paths.images()} class="card" aria-labelledby="address-heading">
      <header>
        <h2 id="address-heading">{chosen === null ? "The image" : `The image of ${chosen.entry.label}`}</h2>
      </header>
      <div class="body stack">
        <Field
          name="name"
          label="Name"
          value={form.name}
          problems={problems}
          help="How VM types refer to it, such as debian13."
        />
        <Field
          name="url"
          label="Address of the file"
          value={form.url}
          problems={problems}
          help="An https or http address of a qcow2, raw, vmdk, vdi or vhdx file, or of one packed as .xz, .gz or .zst."
        />
        <Field
          name="sha256"
          label="SHA-256 of the file"
          value={form.sha256}
          problems={problems}
          help="64 hexadecimal digits, of the file as it is downloaded. A file with another SHA-256 is not kept."
        />
        {chosen === null ? null : <DigestWords chosen={chosen} />}
        <WayWords ways={ways} />
        <p class="actions">
          <button type="submit" class="btn primary" id="add-image" disabled={ways?.chosen === null}>
            <Icon name="plus" />Add image
          </button>
          <a class="btn" href={paths.images()}>Cancel</a>
          {dataset === null ? null : <span class="help">It is kept in {dataset}.</span>}
        </p>
      </div>
      {chosen === null ? null : <input type="hidden" name="from" value={chosen.entry.id} />}
      <input type="hidden" name="token" value={token} />
    </form>
  );
}

/** Where the digest of a well-known image is published, and what to do where SHA-256 is not. */
function DigestWords({ chosen }: { chosen: ChosenEntry }) {
  const { entry: { label }, digest: { algorithm, url }, factory } = chosen;
  return (
    <div class="help" data-digest={algorithm ?? "none"}>
      {algorithm === "sha256" && url !== null
        ? (
          <p>
            {label} publishes the SHA-256 in <Outside url={url} />.
          </p>
        )
        : algorithm === "sha512" && url !== null
        ? (
          <p>
            {label} publishes only the SHA-512, in{" "}
            <Outside url={url} />. Download the file once, check it with{" "}
            <code>sha512sum</code>, and enter what <code>sha256sum</code> prints for it.
          </p>
        )
        : (
          <p>
            {label} publishes no digest of this file. Download it once, and enter what <code>sha256sum</code>
            {" "}
            prints for it, or <a href={paths.uploadImage()}>upload it</a> instead.
          </p>
        )}
      {factory === null ? null : (
        <p>
          The Image Factory makes the file when it is asked for. If it does not know this choice of extensions
          yet, open <Outside url={factory} /> once.
        </p>
      )}
    </div>
  );
}

function Outside({ url }: { url: string }) {
  return (
    <a href={url} rel="noreferrer" class="outside">
      {url.replace(/^https:\/\//, "")}
    </a>
  );
}
