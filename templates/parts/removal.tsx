/** What goes with zvols, and what stands against it: the same wherever something is removed. */
import type { PlannedZvol } from "../../lib/plan/types.ts";
import { formatCount } from "../../lib/units.ts";
import { Notice } from "./common.tsx";

/** The snapshots of a zvol, which go before it. */
export function Snapshots({ zvol, snapshots }: { zvol: string; snapshots: PlannedZvol["snapshots"] }) {
  if (snapshots === null || snapshots.length === 0) return null;
  return (
    <div class="help" data-snapshots={snapshots.length}>
      {formatCount(snapshots.length, "snapshot")} {snapshots.length === 1 ? "goes" : "go"} first:{" "}
      {snapshots.map(({ name }) => name.slice(zvol.length)).join(", ")}
    </div>
  );
}

/** What could not be read. */
export function Unread({ notices }: { notices: readonly string[] }) {
  if (notices.length === 0) return null;
  return (
    <Notice tone="warn">
      {notices.map((notice) => <p>{notice}.</p>)}
    </Notice>
  );
}

/** What stays although it was asked for. */
export interface BlockedItem {
  readonly name: string;
  readonly blocked: readonly string[];
}

/** What stays although it was asked for, and what to do about it. */
export function Blocked({ items }: { items: readonly BlockedItem[] }) {
  const stuck = items.filter(({ blocked }) => blocked.length > 0);
  if (stuck.length === 0) return null;
  return (
    <Notice tone="bad">
      <p>
        <strong>{stuck.map(({ name }) => name).join(", ")} cannot be removed now</strong>, and nothing is done
        to {stuck.length === 1 ? "it" : "them"}:
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
