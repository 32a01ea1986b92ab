/** The images: what VMs can be made and installed from, and which VMs use it. */
import type { ImageList, ListedFile, ListedImage } from "../../../lib/images/listing/image_list.ts";
import { formatDuration } from "../../../lib/units.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { Notice, Time } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";
import { FileTable } from "./file_table.tsx";
import { ImageTable } from "./image_table.tsx";

/** The state of the page. */
export interface ImagesPageProps {
  readonly list: ImageList;
  /** When the list is older than the page: the time now, in milliseconds since 1970 (UTC); null for one read just now. */
  readonly staleAt: number | null;
  /** The name of the configuration file. */
  readonly source: string;
  /** Whether the configuration has errors, so that what it declares is not known. */
  readonly isBroken: boolean;
  /** What was just saved; null for nothing. */
  readonly saved: string | null;
}

/** The page. */
export function ImagesPage({ frame, page }: { frame: PageFrame; page: ImagesPageProps }) {
  const { list, staleAt, source, isBroken, saved } = page;
  const files = list.files.known ? list.files.value : [];
  const isEmpty = list.images.length === 0 && files.length === 0;
  return (
    <Layout {...frame} title="Images" current="images">
      <div class="page-head">
        <div class="title">
          <h1>Images</h1>
          {staleAt === null ? null : (
            <span class="warn tone" data-stale="true">
              as of <Time at={list.readAt} />, {formatDuration(staleAt - list.readAt)} ago
            </span>
          )}
        </div>
        {frame.mayChange && !isEmpty
          ? (
            <div class="actions">
              <a class="btn primary" href={paths.newImage()}>
                <Icon name="plus" />Add an image
              </a>
            </div>
          )
          : null}
      </div>
      {saved === null ? null : (
        <Notice tone="good" role="status">
          <p id="saved">
            <strong>{saved}.</strong> Nothing on the NAS has changed yet.
          </p>
        </Notice>
      )}
      {isBroken
        ? (
          <Notice tone="warn">
            <p>
              <strong>{source} has errors.</strong> The images that it declares are not shown.{" "}
              <a href={paths.types()}>Show the errors</a>
            </p>
          </Notice>
        )
        : null}
      {isEmpty
        ? <Empty mayChange={frame.mayChange} />
        : <Lists list={list} source={source} mayChange={frame.mayChange} />}
    </Layout>
  );
}

function Lists({ list, source, mayChange }: { list: ImageList; source: string; mayChange: boolean }) {
  const { images, files } = list;
  const all = files.known ? files.value : [];
  const isListed = ({ path }: ListedFile) => images.some((image) => isOf(image, path));
  const isos = all.filter(({ format }) => format === "iso");
  const others = all.filter((file) => file.format !== "iso" && !isListed(file));
  return (
    <div class="image-lists">
      <ImageTable images={images} source={source} mayChange={mayChange} />
      {files.known ? null : (
        <Notice tone="warn">
          <p>Files on the NAS are not listed, because {files.because}.</p>
        </Notice>
      )}
      {others.length === 0 ? null : (
        <FileTable
          id="files"
          title="Image files not used yet"
          help={`In the folders of images, and not named in ${source}.`}
          files={others}
          mayChange={mayChange}
        />
      )}
      <FileTable
        id="isos"
        title="Install images"
        help="VMs without an image start from one of these in their CD-ROM."
        files={isos}
        mayChange={mayChange}
      />
    </div>
  );
}

function isOf({ file, versions, datasets }: ListedImage, path: string): boolean {
  return file?.path === path || versions.some((version) => version.path === path) ||
    datasets.some(({ name }) => path.startsWith(`/mnt/${name}/`));
}

function Empty({ mayChange }: { mayChange: boolean }) {
  return (
    <section class="empty">
      <svg class="art" viewBox="0 0 208 96" aria-hidden="true">
        <rect class="a-case" x="12" y="20" width="72" height="56" rx="8" />
        <path class="a-slot" d="M26 38h44M26 50h30" />
        <circle class="a-lamp" cx="66" cy="62" r="4" />
        <rect class="a-ghost" x="124" y="20" width="72" height="56" rx="8" />
        <path class="a-plus" d="M160 38v20M150 48h20" />
        <path class="a-line" d="M84 48h40" />
      </svg>
      <h2>No images yet</h2>
      <p>An image is the disk of a ready system. VMs that are made from one start in seconds.</p>
      {mayChange
        ? (
          <p class="actions">
            <a class="btn primary" href={paths.newImage()}>
              <Icon name="plus" />Add an image
            </a>
            <a class="btn" href={paths.uploadImage()}>Upload a file</a>
          </p>
        )
        : null}
    </section>
  );
}
