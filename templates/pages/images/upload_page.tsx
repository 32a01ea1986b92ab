/** Uploading an image or an install image from the browser. */
import type { Problem } from "../../../lib/errors/errors.ts";
import type { ImageWays } from "../../../lib/images/acquiring/ways.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { ErrorSummary, Field, FieldError, fieldId, ViewerNotice, Warning } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";
import { AddTabs, ImageTrail, WayWords } from "./image_parts.tsx";

/** The state of the page. */
export interface UploadPageProps {
  /** Whether an install image is uploaded. */
  readonly isIso: boolean;
  /** As typed. */
  readonly name: string;
  readonly sha256: string;
  readonly problems: readonly Problem[];
  readonly notice: string | null;
  readonly token: string;
  readonly ways: ImageWays | null;
  readonly dataset: string | null;
}

/** The page. */
export function UploadPage({ frame, page }: { frame: PageFrame; page: UploadPageProps }) {
  const { isIso, problems, notice } = page;
  const title = isIso ? "Upload an install image" : "Add an image";
  return (
    <Layout {...frame} title={title} current="images">
      <div>
        <ImageTrail />
        <div class="page-head">
          <div class="title">
            <h1>{title}</h1>
          </div>
        </div>
      </div>
      {isIso ? null : <AddTabs current="upload" />}
      <Warning text={notice} />
      <ErrorSummary problems={problems} />
      {frame.mayChange ? <UploadForm {...page} /> : <ViewerNotice />}
      {frame.mayChange ? <script src={frame.assets.upload} type="module"></script> : null}
    </Layout>
  );
}

function UploadForm({ isIso, name, sha256, problems, token, ways, dataset }: UploadPageProps) {
  const own = problems.filter(({ field }) => field === "file");
  return (
    <form
      method="post"
      action={paths.uploadImage(isIso ? { kind: "iso" } : {})}
      enctype="multipart/form-data"
      class="card stack body image-form"
      id="upload-form"
      aria-label={isIso ? "Upload an install image" : "Upload an image"}
    >
      <input type="hidden" name="token" value={token} />
      <input type="hidden" name="size" value="" />
      <Field
        name="name"
        label="Name"
        value={name}
        problems={problems}
        help={isIso ? "Such as debian-netinst." : "How VM types refer to it, such as debian13."}
      />
      <Field
        name="sha256"
        label="SHA-256 of the file (optional)"
        value={sha256}
        problems={problems}
        help="If you enter it, the file is kept only when it matches."
      />
      {/* Last, because what stands before it is read before the file arrives. */}
      <div class={own.length === 0 ? "field" : "field invalid"}>
        <label for={fieldId("file")}>File</label>
        <input
          type="file"
          id={fieldId("file")}
          name="file"
          class="input file"
          required
          aria-describedby={`${fieldId("file")}-help${own.length === 0 ? "" : ` ${fieldId("file")}-error`}`}
        />
        <p class="help" id={`${fieldId("file")}-help`}>
          {isIso
            ? "An .iso file."
            : "A qcow2, raw, vmdk, vdi or vhdx file, also packed as .xz, .gz or .zst. It is unpacked on its way."}
        </p>
        <FieldError name="file" problems={own} />
      </div>
      <WayWords ways={ways} />
      <div id="upload-progress" class="upload-progress" hidden>
        <progress max="100" value="0" aria-label="Upload"></progress>
        <span role="status" id="upload-words"></span>
      </div>
      <p class="actions">
        <button type="submit" class="btn primary" id="upload" disabled={ways?.chosen === null}>
          <Icon name="plus" />Upload
        </button>
        <a class="btn" href={paths.images()}>Cancel</a>
        {dataset === null ? null : <span class="help">It is kept in {dataset}.</span>}
      </p>
    </form>
  );
}
