/** The table of images: a row for each, and one for each earlier version. */
import { shownAddress } from "../../../lib/images/source/shown_address.ts";
import {
  type ImageState,
  type ImageVersion,
  type ListedImage,
  vmsOf,
} from "../../../lib/images/listing/image_list.ts";
import { formatBytes, formatCount } from "../../../lib/units.ts";
import { DateTime, State, TableHead, type Tone } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { Said } from "../../parts/said.tsx";
import { paths } from "../../paths.ts";

/** The states of an image. */
const STATES = {
  ready: { tone: "good", word: "Ready" },
  waiting: { tone: "quiet", word: "Not prepared yet" },
  unfinished: { tone: "warn", word: "Unfinished" },
  missing: { tone: "bad", word: "File missing" },
  unknown: { tone: "warn", word: "Unknown" },
} as const satisfies Record<ImageState, { tone: Tone; word: string }>;

/** Names beyond this are a number. */
const NAMES_SHOWN = 4;

/** Props of the table. */
export interface ImageTableProps {
  readonly images: readonly ListedImage[];
  readonly source: string;
  readonly mayChange: boolean;
}

/** The table. */
export function ImageTable({ images, source, mayChange }: ImageTableProps) {
  if (images.length === 0) {
    return (
      <section class="card" aria-labelledby="images-heading">
        <header>
          <h2 id="images-heading">Images</h2>
        </header>
        <p class="body soft">
          No images yet. VMs that are made from an image start in seconds.
        </p>
      </section>
    );
  }
  return (
    <table class="table rows" id="images">
      <caption>{formatCount(images.length, "image")}</caption>
      <TableHead
        columns={["Image", "State", "Disk", "Takes", "Used by", "Made", "Actions"]}
        numeric={["Disk", "Takes"]}
      />
      {images.map((image) => (
        <tbody data-image={image.name} data-state={image.state}>
          <ImageRow image={image} source={source} mayChange={mayChange} />
          {earlierOf(image).map((version) => (
            <VersionRow image={image.name} version={version} mayChange={mayChange} />
          ))}
        </tbody>
      ))}
    </table>
  );
}

/** The version that new VMs are cloned from; null when none is ready for that. */
function currentOf({ versions }: ListedImage): ImageVersion | null {
  return versions.find(({ isCurrent }) => isCurrent !== false) ?? null;
}

function earlierOf(image: ListedImage): readonly ImageVersion[] {
  const current = currentOf(image);
  return image.versions.filter((version) => version !== current);
}

function ImageRow(
  { image, source, mayChange }: Omit<ImageTableProps, "images"> & { readonly image: ListedImage },
) {
  const { name, declared, datasets, copies, state } = image;
  const current = currentOf(image);
  const used = [current?.usedBytes ?? null, ...datasets.map(({ usedBytes }) => usedBytes)];
  const takes = used.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0);
  const made = current?.createdAt ?? datasets[0]?.createdAt ?? null;
  const diskBytes = current?.sizeBytes ?? datasets[0]?.diskBytes ?? null;
  const users = { versions: current === null ? [] : [current], copies };
  return (
    <tr>
      <th scope="row">
        <b dir="auto">{name}</b>
        <span class="where">
          <Said text={describeSource(image, source)} />
        </span>
      </th>
      <td data-label="State">
        <State {...STATES[state]} />
      </td>
      <td class="num" data-label="Disk">
        {diskBytes === null ? <span class="none">–</span> : formatBytes(diskBytes)}
      </td>
      <td class="num" data-label="Takes">
        {takes === 0 ? <span class="none">–</span> : formatBytes(takes)}
      </td>
      <td data-label="Used by">
        <Users image={users} />
        {declared === null || declared.types.length === 0 ? null : (
          <span class="where">
            {declared.types.length === 1 ? "type" : "types"} {declared.types.join(", ")}
          </span>
        )}
      </td>
      <td data-label="Made">{made === null ? <span class="none">–</span> : <DateTime at={made} />}</td>
      <td data-label="Actions">
        <ImageActions image={image} mayChange={mayChange} />
      </td>
    </tr>
  );
}

/** What can be done with an image. */
function ImageActions({ image, mayChange }: { image: ListedImage; mayChange: boolean }) {
  const { name, declared, datasets, versions } = image;
  const path = datasets[0]?.path ?? null;
  const isThere = versions.length + datasets.length > 0;
  const isFetched = declared?.url != null && !isThere;
  if (!mayChange || (!isThere && !isFetched)) return <span class="none">–</span>;
  return (
    <div class="row-actions">
      {isFetched
        ? (
          <a
            class="btn sm"
            href={paths.newImage({ name, url: declared.url ?? "", sha256: declared.sha256 ?? "" })}
            aria-label={`Download now… ${name}`}
          >
            <Icon name="plus" />Download now…
          </a>
        )
        : null}
      {declared === null && path !== null
        ? (
          <a class="btn sm" href={paths.adoptImage({ path, name })} aria-label={`Use for VMs… ${name}`}>
            <Icon name="plus" />Use for VMs…
          </a>
        )
        : null}
      {isThere
        ? (
          <a class="btn sm" href={paths.removeImage({ name })} aria-label={`Remove… ${name}`}>
            <Icon name="bin" />Remove…
          </a>
        )
        : null}
    </div>
  );
}

/** Where an image comes from. */
function describeSource({ declared, file, datasets }: ListedImage, source: string): string {
  if (declared === null) return `not in ${source}`;
  const where = declared.url === null ? declared.path ?? "" : shownAddress(declared.url);
  const size = file?.sizeBytes ?? null;
  const isOwn = datasets.length > 0;
  return `${where}${size === null || isOwn ? "" : `, ${formatBytes(size)}`}`;
}

function VersionRow(
  { image, version, mayChange }: { image: string; version: ImageVersion; mayChange: boolean },
) {
  const { zvol, sizeBytes, usedBytes, createdAt, isReady } = version;
  return (
    <tr data-zvol={zvol} class="earlier">
      <th scope="row">
        <span class="soft">Earlier version</span>
        <span class="where">{zvol}</span>
      </th>
      <td data-label="State">
        <State tone="quiet" word={isReady ? "Not used for new VMs" : "Unfinished"} />
      </td>
      <td class="num" data-label="Disk">
        {sizeBytes === null ? <span class="none">–</span> : formatBytes(sizeBytes)}
      </td>
      <td class="num" data-label="Takes">
        {usedBytes === null ? <span class="none">–</span> : formatBytes(usedBytes)}
      </td>
      <td data-label="Used by">
        <Users image={{ versions: [version], copies: [] }} />
      </td>
      <td data-label="Made">
        {createdAt === null ? <span class="none">–</span> : <DateTime at={createdAt} />}
      </td>
      <td data-label="Actions">
        {mayChange
          ? (
            <a
              class="btn sm"
              href={paths.removeImage({ name: image, only: zvol })}
              aria-label={`Remove… ${zvol}`}
            >
              <Icon name="bin" />Remove…
            </a>
          )
          : <span class="none">–</span>}
      </td>
    </tr>
  );
}

/** The VMs, by name. */
function Users({ image }: { image: Pick<ListedImage, "versions" | "copies"> }) {
  const vms = vmsOf(image).flatMap((vm) => vm ?? []);
  const zvols = image.versions.flatMap(({ clones }) => clones).filter(({ vm }) => vm === null);
  if (vms.length + zvols.length === 0) return <span class="none">no VM</span>;
  const shown = vms.slice(0, vms.length > NAMES_SHOWN ? NAMES_SHOWN - 1 : NAMES_SHOWN);
  return (
    <>
      {shown.map(({ id, name }, n) => (
        <>
          {n === 0 ? "" : ", "}
          <a href={paths.vm(id)} dir="auto">{name}</a>
        </>
      ))}
      {shown.length === vms.length ? null : <>{" "}and {vms.length - shown.length} more</>}
      {zvols.length === 0
        ? null
        : <span class="where">{formatCount(zvols.length, "clone")} without a VM</span>}
    </>
  );
}
