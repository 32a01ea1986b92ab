/** Naming a file that is on the NAS already as an image. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Field, Notice, ViewerNotice, Warning } from "../../parts/common.tsx";
import { paths } from "../../paths.ts";
import { sentence } from "../types/type_parts.tsx";
import { AddTabs, ImageTrail } from "./image_parts.tsx";

/** An image in the configuration, as typed. */
export interface ImageForm {
  readonly name: string;
  readonly path: string;
}

/** The state of the page. */
export interface AdoptPageProps {
  readonly form: ImageForm;
  /** Paths of image files that are not used yet, to choose from. */
  readonly files: readonly string[];
  readonly source: string;
  readonly readOnly: string | null;
  /** The fingerprint of the text that the form was made for. */
  readonly shown: string;
  readonly problems: readonly Problem[];
  readonly notice: string | null;
}

/** The page. */
export function AdoptPage({ frame, page }: { frame: PageFrame; page: AdoptPageProps }) {
  const { form, files, source, readOnly, shown, problems, notice } = page;
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
      <AddTabs current="adopt" />
      <Warning text={notice} />
      <ErrorSummary problems={problems} />
      {readOnly === null ? null : (
        <Notice tone="warn">
          <p>
            <strong>{source} is read-only.</strong> {sentence(readOnly)}{" "}
            You can download the new file in the next step, and put it in its place.
          </p>
        </Notice>
      )}
      {frame.mayChange
        ? (
          <form
            method="post"
            action={paths.reviewTypes()}
            enctype="multipart/form-data"
            class="card stack body image-form"
            aria-label="Use a file on the NAS"
          >
            <input type="hidden" name="change" value="image" />
            <input type="hidden" name="shown" value={shown} />
            <Field
              name="name"
              label="Name"
              value={form.name}
              problems={problems}
              help="How VM types refer to it, such as debian13."
            />
            <Field
              name="path"
              label="Path on the NAS"
              value={form.path}
              problems={problems}
              help="Such as /mnt/tank/images/debian-13.qcow2. The file stays where it is."
            />
            {files.length === 0 ? null : (
              <div class="help">
                <p>Image files that are not used yet:</p>
                <ul class="plain">
                  {files.map((path) => (
                    <li>
                      <a href={paths.adoptImage({ path })}>{path}</a>
                    </li>
                  ))}
                </ul>
              </div>
            )}
            <p class="actions">
              <button type="submit" class="btn primary" id="review-image">Review the change</button>
              <a class="btn" href={paths.images()}>Cancel</a>
              <span class="help">It is written into {source}.</span>
            </p>
          </form>
        )
        : <ViewerNotice />}
    </Layout>
  );
}
