/**
 * What TrueNAS's refusals mean for a person, and what to do: its own words are quoted, and never stand alone. The one
 * table for pages, command line, log and journal. The texts are those of TrueNAS 24.04 to 27.0. Pure.
 */

/** One message of the NAS about one field: the attribute path as the NAS writes it, or null for the call as a whole. */
export interface FieldRefusal {
  /** For example `vm_create.name` or `attributes.path`; null where the NAS names none. */
  readonly attribute: string | null;
  /** The NAS's own words. */
  readonly message: string;
  /** The NAS's errno, for example 17 for EEXIST. */
  readonly errno: number;
}

/** What the NAS said when it refused a call. */
export interface CallRefusal {
  /** The JSON-RPC error code, for example -32602. */
  readonly code: number;
  /** The errno in the error's data, or null when the error has no data (-32601, -32000). */
  readonly errno: number | null;
  /** Its name, for example `EINVAL`. */
  readonly errname: string | null;
  /** The NAS's own words, without the `[ERRNAME] ` prefix. */
  readonly reason: string;
  /** Field by field, for validation errors; empty otherwise. */
  readonly fields: readonly FieldRefusal[];
}

interface Meaning {
  /** A part of TrueNAS's text, with the attribute before it where there is one: `attributes.nic_attach: Not a …`. */
  readonly says: RegExp;
  /** What it means, and what to do. */
  readonly means: string;
}

const MEANINGS: readonly Meaning[] = [
  {
    says: /nic_attach: .*not a valid choice/is,
    means: "the NAS has no such bridge or interface; choose one of those it offers",
  },
  {
    says: /bind: .*(bind address is not valid|not a valid choice)/is,
    means: "the NAS has no such address for a display; choose one of its own addresses, or 0.0.0.0",
  },
  {
    says: /not a valid choice/i,
    means: "the NAS does not offer this value; choose one of those it offers",
  },
  {
    says: /being used by following services|already in use by another display/i,
    means: "something else on the NAS uses this port; choose another one",
  },
  { says: /name: this name already exists/i, means: "another VM has this name; choose another name" },
  {
    says: /only alphanumeric characters/i,
    means: "TrueNAS takes letters, digits and underscores in a VM's name; choose another name",
  },
  {
    says: /cannot guarantee memory|ENOMEM/i,
    means:
      "the NAS has too little free memory to start this VM; stop another one, or start it with overcommit",
  },
  {
    says: /more than 80% of your available space/i,
    means:
      "the pool is too full for a zvol of this size; choose a smaller size or another dataset, or make it sparse",
  },
  {
    says: /multiple of volume block size/i,
    means: "the size does not fit the dataset's block size; choose whole GiB",
  },
  { says: /cannot shrink a zvol/i, means: "TrueNAS only grows zvols; choose a size above the present one" },
  {
    says: /parent (dataset )?\S+ does not exist/i,
    means: "the dataset for the zvol is not on the NAS; create it there, or choose one that exists",
  },
  {
    says: /zvol.*does not exist/i,
    means: "the zvol is not on the NAS any more; create it there, or add a disk on another one",
  },
  {
    says: /zvol_name: .*already exists|path: .*already configured/i,
    means: "it exists already; choose another name, or remove the one that exists",
  },
  {
    says: /must reside within a pool|root dataset of pool|dataset or a directory within a dataset/i,
    means: "TrueNAS takes files only from a dataset of a pool; move the file into one, such as iso",
  },
  {
    says: /\[Errno 2\]|no such file or directory|path does not exist|unable to locate cdrom|file not found/i,
    means: "a file that is needed is not on the NAS; check its path, or put it there",
  },
  {
    says: /\[Errno 13\]|permission denied/i,
    means: "the NAS may not read the file; check its owner and permissions on the NAS",
  },
  { says: /\[Errno 28\]|no space left/i, means: "the NAS has no space left; free some space in its pool" },
  {
    says: /is running; stop the VM first|already running/i,
    means: "the VM is running; stop it first, or leave it as it is",
  },
  {
    says: /state is currently not|domain \S+ (does not exist|is not active)/i,
    means: "the VM is in another state than this needs; look at its present state and try again",
  },
  {
    says: /device\(s\) are not available|cannot start domain/i,
    means:
      "a device of the VM is not available, such as an image, a disk or a passed-through device; remove or restore it",
  },
  {
    says: /unable to parse mac address/i,
    means: "a MAC of the VM cannot be used; write it like 02:00:5e:10:00:01",
  },
  {
    says: /following holds/i,
    means: "a snapshot is held; release the hold on the NAS, or keep the disk",
  },
  {
    says: /dependent clones|has clones|following clones/i,
    means: "other disks are clones of it; promote them on the NAS, or keep the disk",
  },
  {
    says: /has snapshots|volume has children/i,
    means: "it has snapshots; delete them on the NAS and try again, or keep the disk",
  },
  {
    says: /has children/i,
    means: "other datasets are below it; delete or move them on the NAS and try again, or keep it",
  },
  { says: /dataset is busy|EBUSY/i, means: "something on the NAS uses it; wait a moment, and try again" },
  {
    says: /not authorized|EACCES|EPERM|not permitted/i,
    means:
      "the account may not do this; grant it the role that it lacks: the dashboard's page Connection lists them",
  },
  {
    says: /does not support virtualization/i,
    means: "this NAS cannot run VMs; switch virtualization on in its firmware",
  },
  { says: /not licensed to use VMs/i, means: "the licence of this NAS does not include VMs" },
  {
    says: /password is required|8 characters or less/i,
    means: "the display's password cannot be used; set another VNC_PASSWORD",
  },
  {
    says: /only one \S+ display device/i,
    means: "the VM has a display of this type already; remove it before another one is added",
  },
  {
    says: /(VM|VMDevice|PoolDataset|PoolSnapshot) \S+ does not exist/i,
    means: "it is not on the NAS any more; look at the present state, and go on from there",
  },
  {
    says: /too many concurrent|maximum number of concurrent/i,
    means: "the NAS is busy with other calls; try again in a moment",
  },
  {
    says: /method does not exist|service '.*' not found/i,
    means: "this release of TrueNAS does not have this function",
  },
  {
    says: /extra inputs are not permitted/i,
    means:
      "this release of TrueNAS does not know this setting; remove it from the template or the configuration",
  },
  {
    says: /input should be|field required|string should|valid (integer|string)/i,
    means: "TrueNAS does not take this value; correct it",
  },
];

/** A field's refusal, as it stands at the field: what it means, with TrueNAS's words in quotes. */
export function explainAtField(refusal: FieldRefusal): string {
  const text = explainField(refusal);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function explainField({ attribute, message }: FieldRefusal): string {
  return explainWords(attribute === null ? message : `${attribute}: ${message}`);
}

/** A whole refusal: every field's, or else its reason. */
export function explainRefusal({ fields, reason, errname }: CallRefusal): string {
  if (fields.length > 0) return [...new Set(fields.map(explainField))].join("; ");
  return explainWords(reason.trim(), errname ?? "");
}

/** TrueNAS's words, such as a failed job's: what they mean, with them in quotes. */
export function explainWords(said: string, errname = ""): string {
  const meaning = MEANINGS.find(({ says }) => says.test(said)) ??
    MEANINGS.find(({ says }) => errname !== "" && says.test(errname));
  const quoted = `"${said.replaceAll("\n", " ")}"`;
  return meaning === undefined ? `TrueNAS refused it: ${quoted}` : `${meaning.means} (TrueNAS: ${quoted})`;
}
