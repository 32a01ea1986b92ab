/** Reads snapshots of zvols with their own properties. */
import type { Caller } from "./client.ts";
import type { OwnedSnapshotRow } from "./method_types.ts";
import { inChunks, queryDatasets, type ReadOptions } from "./read_inventory.ts";

/** A snapshot with its holds and its own properties. */
export interface OwnedSnapshot {
  /** `tank/vms/worker01-disk0@daily` */
  readonly name: string;
  /** ZFS's transaction, which orders snapshots. */
  readonly createtxg: number;
  /** Milliseconds since 1970 (UTC); null when the NAS did not say. */
  readonly takenAt: number | null;
  /** Bytes that only this snapshot refers to; null when the NAS did not say. */
  readonly usedBytes: number | null;
  /** Tags of its holds. */
  readonly holds: readonly string[];
  /** Its user properties. */
  readonly own: Readonly<Record<string, string>>;
}

/** Every zvol of the NAS, and the snapshot that it was cloned from, if any. */
export async function readZvols(
  caller: Caller,
  options: ReadOptions = {},
): Promise<ReadonlyMap<string, string | null>> {
  const rows = await queryDatasets(caller, ["type", "=", "VOLUME"], { ...options, properties: ["origin"] });
  return new Map(rows.map(({ id, origin }) => [id, origin?.rawvalue || null]));
}

/** The names of the snapshots of these zvols, which every release answers quickly. */
export async function readSnapshotNames(
  caller: Caller,
  zvols: readonly string[],
  options: ReadOptions = {},
): Promise<readonly string[]> {
  const select = { select: ["name"] };
  const rows = await inChunks(
    zvols,
    (some) => caller.call("pool.snapshot.query", [[["dataset", "in", some]], select], options),
  );
  return rows.map(({ name }) => name);
}

/** All snapshots of these zvols, oldest first. Up to 25.10 the NAS walks all its snapshots for that. */
export async function readOwnedSnapshots(
  caller: Caller,
  zvols: readonly string[],
  options: ReadOptions = {},
): Promise<readonly OwnedSnapshot[]> {
  if (zvols.length === 0) return [];
  const wanted = { properties: ["used", "creation"], get_user_properties: true, get_holds: true } as const;
  const rows = await inChunks(
    zvols,
    (paths) => caller.call("zfs.resource.snapshot.query", [{ paths, ...wanted }], options),
  );
  return rows.map(toSnapshot).toSorted((a, b) => a.createtxg - b.createtxg);
}

function toSnapshot({ name, createtxg, used, creation, holds, own }: OwnedSnapshotRow): OwnedSnapshot {
  const takenAt = creation === undefined ? null : creation * 1000;
  return { name, createtxg, takenAt, usedBytes: used ?? null, holds, own };
}

/** Bytes written to each zvol since its newest snapshot; null where the NAS does not say. */
export async function readWritten(
  caller: Caller,
  zvols: readonly string[],
): Promise<ReadonlyMap<string, number | null>> {
  const rows = await queryDatasets(caller, ["id", "in", zvols], { properties: ["written"] });
  return new Map(rows.map(({ id, written }) => [id, numberOf(written?.parsed ?? written?.rawvalue)]));
}

function numberOf(value: unknown): number | null {
  if (typeof value !== "number" && typeof value !== "string") return null;
  return Number.isFinite(Number(value)) ? Number(value) : null;
}
