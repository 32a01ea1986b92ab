/** Zvols with their snapshots, and what blocks a removal; shared by every page that removes something. */
import type { PlannedZvol } from "../../lib/plan/types.ts";
import { formatBytes, formatCount } from "../../lib/units.ts";
import { Notice } from "./common.tsx";

/** The snapshots of a zvol, which are destroyed with it. */
export function Snapshots({ zvol, snapshots }: { zvol: string; snapshots: PlannedZvol["snapshots"] }) {
  if (snapshots === null || snapshots.length === 0) return null;
  return (
    <div class="help" data-snapshots={snapshots.length}>
      Also destroys {formatCount(snapshots.length, "snapshot")}:{" "}
      {snapshots.map(({ name }) => name.slice(zvol.length)).join(", ")}
    </div>
  );
}

/** Zvols that will be destroyed, with their sizes and snapshots. */
export function ZvolList(
  { zvols }: { zvols: readonly Pick<PlannedZvol, "name" | "sizeBytes" | "snapshots">[] },
) {
  if (zvols.length === 0) return <span class="none">none</span>;
  return (
    <ul class="plain">
      {zvols.map(({ name, sizeBytes, snapshots }) => (
        <li>
          <code>{name}</code>{" "}
          <span class="num">{sizeBytes === null ? "size unknown" : formatBytes(sizeBytes)}</span>
          <Snapshots snapshots={snapshots} zvol={name} />
        </li>
      ))}
    </ul>
  );
}

/** What could not be read from the NAS. */
export function Unread({ notices }: { notices: readonly string[] }) {
  if (notices.length === 0) return null;
  return (
    <Notice tone="warn">
      {notices.map((notice) => <p>{notice}.</p>)}
    </Notice>
  );
}

/** A VM or zvol, with the reasons why it cannot be removed. */
export interface BlockedItem {
  readonly name: string;
  readonly blocked: readonly string[];
}

/** What cannot be removed, and what to do about it. */
export function Blocked({ items }: { items: readonly BlockedItem[] }) {
  const stuck = items.filter(({ blocked }) => blocked.length > 0);
  if (stuck.length === 0) return null;
  return (
    <Notice tone="bad">
      <p>
        <strong>{stuck.map(({ name }) => name).join(", ")} cannot be removed now</strong>{" "}
        and will be left unchanged:
      </p>
      <ul>
        {stuck.map(({ name, blocked }) => (
          <li data-blocked={name}>
            <strong>{name}</strong>: {blocked.join("; ")}.
          </li>
        ))}
      </ul>
    </Notice>
  );
}
