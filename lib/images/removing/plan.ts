/**
 * Plans the removal of an image: of the zvols that VMs are cloned from, and of the dataset that holds its file. Nothing that a VM
 * depends on is destroyed: with clones a removal is refused, or one of them is promoted, by explicit choice. Pure.
 */
import { type Vm } from "../../inventory/inventory.ts";
import { describeUnread, type RemovalFacts, withRelations } from "../../plan/removal.ts";
import { fingerprint } from "../../plan/fingerprint.ts";
import type { PlannedZvol } from "../../plan/types.ts";
import { parentOf } from "../../inventory/names.ts";
import { hasRole } from "../../truenas/roles.ts";
import { imageNameOf, type ImageRow, isGolden } from "../listing/image_list.ts";

/** Which image, and how. */
export interface ImageRemovalRequest {
  /** As the configuration names it, or as its zvols and dataset do. */
  readonly image: string;
  /** Names of zvols or datasets: only these of the image's; empty: all of them. */
  readonly only: readonly string[];
  /** Whether clones take the image's data over. */
  readonly promote: boolean;
}

/** A clone that takes over the data of the zvol that it was cloned from. */
export interface Promotion {
  /** The zvol. */
  readonly clone: string;
  /** The snapshot that it depends on, which becomes its own. */
  readonly origin: string;
  /** The VM whose disk it is; null for none. */
  readonly vm: string | null;
  /** Clones that depend on the promoted one afterwards. */
  readonly others: readonly string[];
}

/** A zvol or filesystem to remove. */
export interface RemovedPart extends PlannedZvol {
  /** What it is. */
  readonly type: "VOLUME" | "FILESYSTEM";
  /** What makes it ours, which must not have changed when it is removed. */
  readonly signature: string;
  /** What happens first, so that no clone depends on it; null for nothing. */
  readonly promotion: Promotion | null;
  /** Why it is kept, each with what to do; empty when it will be removed. */
  readonly blocked: readonly string[];
}

/** What removing an image involves. */
export interface ImageRemovalPlan {
  /** The image. */
  readonly image: string;
  /** Its zvols and datasets. */
  readonly parts: readonly RemovedPart[];
  /** Whether clones take the data over. */
  readonly promote: boolean;
  /** Whether clones depend on it, so that there is something to choose. */
  readonly hasClones: boolean;
  /** Types of the configuration that name the image. */
  readonly types: readonly string[];
  /** The declared file, which stays because this program did not make it; null for none. */
  readonly keepsFile: string | null;
  /** Whether the declared file goes too, so that the image has to be added again. */
  readonly losesFile: boolean;
  /** Parts that were asked for and do not exist. */
  readonly missing: readonly string[];
  /** What is good to know before. */
  readonly notices: readonly string[];
  /** The confirmation phrase: `remove debian12`. */
  readonly phrase: string;
  /** Changes whenever the set changes. */
  readonly fingerprint: string;
}

/** What the plan is made from. */
export interface ImageRemovalFacts {
  readonly rows: readonly ImageRow[];
  /** The dataset of images; null without a configuration. */
  readonly dataset: string | null;
  readonly vms: readonly Vm[];
  /** Dependents of the parts. */
  readonly removal: RemovalFacts;
  readonly roles: readonly string[] | null;
  /** The roles of which any allows promoting a clone. */
  readonly promoteRoles: readonly string[];
  readonly types: readonly string[];
  /** The path that the configuration gives the image; null for none. */
  readonly declaredPath: string | null;
}

/** The zvols and filesystems of an image that this program made. */
export function partsOf(
  { image, only }: Pick<ImageRemovalRequest, "image" | "only">,
  { rows, dataset }: Pick<ImageRemovalFacts, "rows" | "dataset">,
): readonly ImageRow[] {
  // A copy elsewhere, such as a replica in a backup, has the same properties.
  const own = rows.filter((row) =>
    parentOf(row.name) === dataset &&
    (row.fileOf === image || (isGolden(row, dataset) && imageNameOf(row.name) === image))
  );
  return only.length === 0 ? own : own.filter(({ name }) => only.includes(name));
}

/** Plans it. */
export function planImageRemoval(
  request: ImageRemovalRequest,
  facts: ImageRemovalFacts,
): ImageRemovalPlan {
  const { image, only, promote } = request;
  const { removal, types, declaredPath } = facts;
  const found = partsOf(request, facts);
  const parts = found.map((row) => planPart(row, promote, facts));
  const isOwn = declaredPath === null ||
    found.some(({ name, fileOf }) => fileOf !== null && declaredPath.startsWith(`/mnt/${name}/`));
  return {
    image,
    parts,
    promote,
    hasClones: parts.some(({ dependants }) => dependants.length > 0),
    types,
    keepsFile: isOwn ? null : declaredPath,
    losesFile: declaredPath !== null && isOwn,
    missing: only.filter((name) => !found.some((row) => row.name === name)),
    notices: parts.length > 0 ? describeUnread(removal) : [],
    phrase: `remove ${image}`,
    fingerprint: fingerprint([image, parts, promote]),
  };
}

function planPart(row: ImageRow, promote: boolean, facts: ImageRemovalFacts): RemovedPart {
  const { name, type, sizeBytes, usedBytes } = row;
  const planned = withRelations({ name, sizeBytes: sizeBytes ?? usedBytes }, facts.removal, facts.vms);
  const promotion = promote ? promotionOf(planned, facts) : null;
  return {
    ...planned,
    type,
    signature: signatureOf(row),
    promotion,
    blocked: reasonsToKeep(planned, promotion, facts),
  };
}

/** What makes a zvol or filesystem ours. */
export function signatureOf({ image, fileOf, mark }: Pick<ImageRow, "image" | "fileOf" | "mark">): string {
  return JSON.stringify([image, fileOf, mark]);
}

/**
 * The clone to promote: one of ours, because a zvol of somebody else is left as it is. All clones must be of one snapshot, which
 * is what this program makes.
 */
function promotionOf({ dependants }: PlannedZvol, facts: ImageRemovalFacts): Promotion | null {
  const origins = new Set(dependants.map(({ origin }) => origin));
  const isOurs = (zvol: string) => facts.rows.some(({ name, mark }) => name === zvol && mark !== null);
  const [chosen] = dependants.filter(({ zvol }) => isOurs(zvol))
    .toSorted((a, b) => a.zvol.localeCompare(b.zvol, "en", { numeric: true }));
  if (chosen === undefined || origins.size !== 1) return null;
  const others = dependants.filter((clone) => clone !== chosen).map(({ zvol }) => zvol);
  return { clone: chosen.zvol, origin: chosen.origin, vm: chosen.vm, others };
}

function reasonsToKeep(
  part: PlannedZvol,
  promotion: Promotion | null,
  facts: ImageRemovalFacts,
): readonly string[] {
  const { removal: { refusal, mayDeleteSnapshots, mayDeleteZvols, relations } } = facts;
  const { snapshots } = part;
  const held = (snapshots ?? []).filter(({ holds }) => holds.length > 0).map(({ name, holds }) =>
    `the snapshot ${name} has a hold (${holds.join(", ")}); release it in TrueNAS first`
  );
  return [
    ...(refusal === null ? [] : [refusal]),
    ...userReasons(part, facts),
    ...cloneReasons(part, promotion, facts),
    ...held,
    ...(relations.snapshots.known
      ? []
      : [`its snapshots could not be read because ${relations.snapshots.because}`]),
    ...(mayDeleteZvols === false ? [missingRole("DATASET_DELETE", "removing it")] : []),
    ...((snapshots ?? []).length > 0 && mayDeleteSnapshots === false
      ? [missingRole("SNAPSHOT_DELETE", "removing its snapshots")]
      : []),
  ];
}

function missingRole(role: string, what: string): string {
  return `the account does not have the role ${role}, which ${what} requires; grant the role in TrueNAS`;
}

/** VMs that have it as a disk, or a file in it. */
function userReasons({ name }: PlannedZvol, { vms }: ImageRemovalFacts): readonly string[] {
  const folder = `/mnt/${name}/`;
  const uses = ({ disks, cdroms }: Vm) =>
    disks.some(({ zvol, path }) => zvol === name || path.startsWith(folder)) ||
    cdroms.some(({ path }) => path.startsWith(folder));
  const users = vms.filter(uses).map((vm) => vm.name);
  return users.length === 0 ? [] : [`${someOf(users)} ${users.length === 1 ? "uses" : "use"} it`];
}

function cloneReasons(
  { dependants }: PlannedZvol,
  promotion: Promotion | null,
  { roles, promoteRoles }: ImageRemovalFacts,
): readonly string[] {
  if (dependants.length === 0) return [];
  if (promotion === null) return [describeClones(dependants)];
  const mayPromote = promoteRoles.some((role) => hasRole(roles, role) !== false);
  return mayPromote ? [] : [missingRole(promoteRoles[0] ?? "DATASET_WRITE", "promoting a clone")];
}

function describeClones(dependants: PlannedZvol["dependants"]): string {
  const names = dependants.map(({ zvol, vm }) => vm ?? zvol);
  const unique = [...new Set(names)];
  return `${someOf(unique)} ${unique.length === 1 ? "is a clone" : "are clones"} of it`;
}

/** This many names are read; the rest is counted. */
const MAX_NAMES = 8;

/** `worker01, worker02 and 3 more`. */
export function someOf(names: readonly string[]): string {
  const rest = names.length - MAX_NAMES;
  if (rest > 1) return `${names.slice(0, MAX_NAMES).join(", ")} and ${rest} more`;
  return names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
}
