/** What a VM type takes, beside what the NAS has left. */
import { formatBytes, formatCount, GIB, MIB } from "../../../lib/units.ts";
import type { Capacity } from "../../../lib/inventory/inventory.ts";
import { Icon, type IconName } from "../icons.tsx";
import type { FormPlace } from "./inputs.tsx";

/** What the VMs of a type take in all; null where a field has no number. */
export interface Totals {
  readonly count: number | null;
  readonly vcpus: number | null;
  readonly memoryMib: number | null;
  readonly diskGib: number | null;
  /** What the NAS has left; null while it is not known. */
  readonly capacity: Capacity | null;
}

/** The card beside the form; htmx keeps it up to date while somebody types. */
export function TotalsCard({ totals, place, action, help }: {
  readonly totals: Totals;
  readonly place: FormPlace;
  /** The words of the button that goes on. */
  readonly action: string;
  readonly help: string;
}) {
  const { count, vcpus, memoryMib, diskGib, capacity } = totals;
  const storage = capacity?.storage ?? null;
  return (
    <section class="card totals" aria-labelledby="totals-heading">
      <div
        id="type-totals"
        hx-post={place.action()}
        hx-trigger={`change from:#${place.id}, input from:#${place.id} delay:400ms`}
        hx-include={`#${place.id}`}
        hx-target="#type-totals"
        hx-select="#type-totals"
        hx-swap="outerMorph"
      >
        <header>
          <h2 id="totals-heading">What this takes</h2>
          <span class="sm soft">{count === null ? "" : formatCount(count, "VM")}</span>
        </header>
        <div class="body stack">
          <Gauge
            icon="chip"
            what="Memory"
            taken={memoryMib === null ? null : memoryMib * MIB}
            free={capacity?.memoryBytes ?? null}
          />
          <Gauge
            icon="disk"
            what={storage === null ? "Disk space" : `Space in ${storage.name}`}
            taken={diskGib === null ? null : diskGib * GIB}
            free={storage?.bytes ?? null}
          />
          <dl class="lines totals-lines">
            <div>
              <dt>vCPUs</dt>
              <dd>{vcpus ?? "not known yet"}</dd>
            </div>
          </dl>
        </div>
      </div>
      <div class="body stack totals-end">
        <button
          type="submit"
          class="btn no-script fill"
          name="update"
          value="totals"
          formaction={place.action()}
          formnovalidate
        >
          Update totals
        </button>
        <button type="submit" class="btn primary lg fill" id="review">
          {action}
        </button>
        <p class="help center">{help}</p>
      </div>
    </section>
  );
}

interface GaugeProps {
  readonly icon: IconName;
  readonly what: string;
  /** In bytes. */
  readonly taken: number | null;
  /** In bytes. */
  readonly free: number | null;
}

function Gauge({ icon, what, taken, free }: GaugeProps) {
  const isTooMuch = taken !== null && free !== null && taken > free;
  return (
    <section class="gauge">
      <header>
        <h3>
          <Icon name={icon} />
          {what}
        </h3>
        <span class="free">
          <span class={isTooMuch ? "bad tone" : "planned tone"}>
            <b>{taken === null ? "?" : formatBytes(taken)}</b>
          </span>
          {free === null ? null : (
            <>
              {" "}of <b>{formatBytes(free)}</b> free
            </>
          )}
        </span>
      </header>
      {taken === null || free === null || free === 0 ? null : <Meter what={what} taken={taken} free={free} />}
      {isTooMuch ? <p class="help">More than the NAS has left now.</p> : null}
    </section>
  );
}

function Meter({ what, taken, free }: { what: string; taken: number; free: number }) {
  // Beside the gap of two pixels, less than this would not be seen.
  const percent = taken === 0 ? 0 : Math.min(100, Math.max(1.5, (100 * taken) / free));
  return (
    <svg
      class="meter slim"
      role="img"
      aria-label={`${what}: ${formatBytes(taken)} of ${formatBytes(free)} free`}
    >
      <rect x="0%" width={`${percent.toFixed(2)}%`} height="100%" fill="url(#hatch-plan)" />
      <rect
        x={`${percent.toFixed(2)}%`}
        width={`${(100 - percent).toFixed(2)}%`}
        height="100%"
        class="m-none"
      />
    </svg>
  );
}
