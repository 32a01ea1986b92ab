/** The last step of set-up: where disks go, and what VMs boot from. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { formatBytes } from "../../../lib/units.ts";
import { Field, Notice } from "../../parts/common.tsx";
import { paths } from "../../paths.ts";
import { Pick } from "./parts.tsx";

/** The value of the choice that is typed. */
export const OTHER = "other";
/** The value of the choice to name an image later. */
export const LATER = "later";

/** Something to choose; null where the account cannot read it. */
export type Offers = readonly { readonly value: string; readonly bytes: number | null }[] | null;

/** Props of the places. */
export interface PlaceProps {
  readonly datasets: Offers;
  readonly isos: Offers;
  /** What is chosen: an offered value, `other` or `later`. */
  readonly dataset: string;
  readonly iso: string;
  /** What was typed. */
  readonly datasetTyped: string;
  readonly isoTyped: string;
  /** An existing configuration, which is left as it is. */
  readonly configFile: string | null;
}

const DATASET_HELP = "A dataset's name without /mnt/, for example tank/vms. It must exist on the NAS.";
const ISO_HELP = "The full path on the NAS, for example /mnt/tank/iso/debian.iso.";

/** The step. */
export function PlaceStep({ problems, ...props }: PlaceProps & { problems: readonly Problem[] }) {
  const { datasets, isos, dataset, iso, datasetTyped, isoTyped, configFile } = props;
  return (
    <form method="post" action={paths.setupStep("place")}>
      <fieldset class="bare">
        <legend class="label">Where disks go</legend>
        {datasets === null ? <CannotRead what="datasets" /> : (
          <div class="pick-list">
            {datasets.map(({ value, bytes }) => (
              <Pick
                name="dataset"
                value={value}
                chosen={dataset === value}
                note={bytes === null ? null : `${formatBytes(bytes)} free`}
              >
                <code>{value}</code>
              </Pick>
            ))}
            <Pick name="dataset" value={OTHER} chosen={dataset === OTHER}>Another dataset</Pick>
          </div>
        )}
        <div class={datasets === null ? "" : "typed-other"}>
          <Field
            name="dataset"
            sentAs="dataset_typed"
            label="Dataset"
            value={datasetTyped}
            problems={problems}
            help={DATASET_HELP}
          />
        </div>
      </fieldset>
      <fieldset class="bare">
        <legend class="label">What VMs boot from</legend>
        {isos === null ? <CannotRead what="install images" /> : (
          <div class="pick-list">
            {isos.map(({ value, bytes }) => (
              <Pick
                name="iso"
                value={value}
                chosen={iso === value}
                note={bytes === null ? null : formatBytes(bytes)}
              >
                {value.split("/").at(-1)} <code class="soft sm">{value}</code>
              </Pick>
            ))}
            <Pick name="iso" value={OTHER} chosen={iso === OTHER}>
              Another ISO <span class="soft sm">that is on the NAS</span>
            </Pick>
            <Pick name="iso" value={LATER} chosen={iso === LATER}>
              Decide later <span class="soft sm">VMs need one before they are created</span>
            </Pick>
          </div>
        )}
        <div class={isos === null ? "" : "typed-other"}>
          <Field
            name="iso"
            sentAs="iso_typed"
            label="ISO"
            value={isoTyped}
            problems={problems}
            help={ISO_HELP}
          />
        </div>
      </fieldset>
      {configFile === null ? null : (
        <Notice tone="quiet">
          <p>
            You already have{" "}
            <code>{configFile}</code>. It is left as it is; the next page says which lines to change.
          </p>
        </Notice>
      )}
      <p class="actions">
        <button class="btn primary" type="submit">Finish</button>
        <span class="soft sm">You can change both at any time.</span>
      </p>
    </form>
  );
}

function CannotRead({ what }: { what: string }) {
  return <p class="help">This account cannot list {what}, so type it.</p>;
}
