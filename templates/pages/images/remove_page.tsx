/** Removing an image: what goes, what stays, the choice where VMs are clones of it, and the phrase. */
import type { Problem } from "../../../lib/errors/errors.ts";
import type { ImageRemovalPlan, RemovedPart } from "../../../lib/images/removing/plan.ts";
import { formatBytes } from "../../../lib/units.ts";
import type { PageFrame } from "../../layout.tsx";
import { Notice, ViewerNotice } from "../../parts/common.tsx";
import { Confirmation, PhraseForm } from "../../parts/confirmation.tsx";
import { Icon } from "../../parts/icons.tsx";
import { Remaining } from "../../parts/goes_stays.tsx";
import { Blocked, Snapshots, Unread } from "../../parts/removal.tsx";
import { Said } from "../../parts/said.tsx";
import { paths } from "../../paths.ts";

/** The state of the page. */
export interface RemoveImageProps {
  readonly plan: ImageRemovalPlan;
  /** Names of the parts that were chosen; empty: all. */
  readonly only: readonly string[];
  readonly source: string;
  /** As typed. */
  readonly phrase: string;
  readonly problems: readonly Problem[];
  readonly token: string;
  readonly notice: string | null;
}

/** The page. */
export function RemoveImagePage({ frame, page }: { frame: PageFrame; page: RemoveImageProps }) {
  const { plan } = page;
  const title = `Remove ${plan.image}`;
  const isBlocked = plan.parts.some(({ blocked }) => blocked.length > 0);
  const isOffered = plan.parts.length > 0 && !isBlocked && frame.mayChange;
  return (
    <Confirmation
      {...page}
      frame={frame}
      current="images"
      back={{ label: "Images", href: paths.images() }}
      title={title}
      said="This cannot be undone. No disk of a VM is changed or removed."
      button={isOffered ? { form: "destroy", id: "confirm-remove", icon: "bin", words: title } : null}
    >
      <Unread notices={plan.notices} />
      <Blocked items={plan.parts} />
      {plan.parts.length === 0
        ? (
          <div class="empty">
            <h2>Nothing to remove</h2>
            <p>This program has nothing of {plan.image} on the NAS.</p>
          </div>
        )
        : null}
      {plan.hasClones ? <PromoteChoice {...page} /> : null}
      {plan.parts.length === 0 || isBlocked ? null : <GoesAndStays {...page} />}
      {isOffered ? <Confirm {...page} /> : null}
      {frame.mayChange ? null : <ViewerNotice />}
    </Confirmation>
  );
}

/** What clones do: keep the image, or let one of them take its data over. */
function PromoteChoice({ plan, only }: RemoveImageProps) {
  const promotions = plan.parts.flatMap(({ promotion }) => promotion ?? []);
  return (
    <form method="get" action={paths.removeImage()} class="stack" id="promote-form">
      <input type="hidden" name="name" value={plan.image} />
      {only.map((part) => <input type="hidden" name="only" value={part} />)}
      <Notice tone={plan.promote ? "warn" : "quiet"}>
        {plan.promote && promotions.length > 0
          ? promotions.map(({ clone, vm, others }) => (
            <p data-promote={clone}>
              <strong>{vm ?? clone} takes over the image's data.</strong> {others.length === 0
                ? "Its disk no longer depends on anything."
                : `The ${
                  others.length === 1 ? "other clone depends" : `${others.length} other clones depend`
                } on its disk afterwards, so ${vm ?? clone} cannot be destroyed before them.`}
            </p>
          ))
          : plan.promote
          ? (
            <p>
              <strong>No clone can take over the image's data.</strong>{" "}
              None was made by this program, or they depend on different snapshots. Promote one in TrueNAS,
              then open this page again.
            </p>
          )
          : (
            <p>
              <strong>VMs are clones of this image.</strong>{" "}
              Destroy them first, or let one of them take over the image's data.
            </p>
          )}
        <p class="actions">
          {plan.promote ? null : <input type="hidden" name="promote" value="yes" />}
          <button type="submit" class="btn sm" id="promote">
            {plan.promote ? "Keep the image instead" : "Let a clone take over the data"}
          </button>
        </p>
      </Notice>
    </form>
  );
}

function GoesAndStays({ plan, source }: RemoveImageProps) {
  const { parts, types, keepsFile, losesFile } = plan;
  return (
    <div class="goes-stays">
      <section class="card" aria-labelledby="goes-head">
        <header>
          <h2 id="goes-head">Goes</h2>
        </header>
        <ul class="toll">{parts.map((part) => <Going part={part} />)}</ul>
      </section>
      <section class="card" aria-labelledby="stays-head">
        <header>
          <h2 id="stays-head">Stays</h2>
        </header>
        <ul class="toll">
          {parts.some(({ dependants }) => dependants.length > 0)
            ? <Remaining what="The disks of its VMs" why="with all data" />
            : <Remaining what="All VMs" why="and their disks" />}
          {keepsFile === null ? null : <Remaining what={keepsFile} why="not made by this program" />}
          {types.length === 0 ? null : (
            <Remaining
              what={types.join(", ")}
              why={`in ${source}; ${
                losesFile ? "add the image again before" : "the image is made again with"
              } ${types.length === 1 ? "its" : "their"} next VM`}
            />
          )}
        </ul>
      </section>
    </div>
  );
}

function Going({ part }: { part: RemovedPart }) {
  const { name, type, sizeBytes, snapshots } = part;
  return (
    <li class="bad" data-part={name}>
      <Icon name={type === "VOLUME" ? "disk" : "image"} />
      <span>
        {type === "VOLUME" ? "The disk that VMs are cloned from" : "The image's file"}
        <br />
        <small>
          <Said text={name} />
        </small>
        <Snapshots zvol={name} snapshots={snapshots} />
      </span>
      <b>{sizeBytes === null ? "" : formatBytes(sizeBytes)}</b>
    </li>
  );
}

function Confirm({ only, ...page }: RemoveImageProps) {
  const { plan } = page;
  return (
    <PhraseForm {...page} id="destroy" action={paths.removeImage()}>
      <input type="hidden" name="name" value={plan.image} />
      {only.map((part) => <input type="hidden" name="only" value={part} />)}
      <input type="hidden" name="promote" value={plan.promote ? "yes" : "no"} />
    </PhraseForm>
  );
}
