/**
 * Explains TrueNAS's refusals: what each means and what to do, with TrueNAS's own words in quotes. Pages, the command
 * line, the log and the journal share this table, which covers TrueNAS 24.04 to 27.0. Pure.
 */

/** One field's refusal by the NAS. */
export interface FieldRefusal {
  /** The attribute as TrueNAS writes it, such as `vm_create.name` or `attributes.path`; null for the call as a whole. */
  readonly attribute: string | null;
  /** TrueNAS's own message. */
  readonly message: string;
  /** TrueNAS's errno, such as 17 for EEXIST. */
  readonly errno: number;
}

/** TrueNAS's answer when it refuses a call. */
export interface CallRefusal {
  /** The JSON-RPC error code, such as -32602. */
  readonly code: number;
  /** The errno from the error's data; null when there is no data (-32601, -32000). */
  readonly errno: number | null;
  /** The errno's name, such as `EINVAL`. */
  readonly errname: string | null;
  /** TrueNAS's own message, without the `[ERRNAME] ` prefix. */
  readonly reason: string;
  /** The refusals by field for a validation error; empty otherwise. */
  readonly fields: readonly FieldRefusal[];
}

/** A pattern of TrueNAS's text, with the attribute in front where there is one, and what it means and what to do. */
const MEANINGS: readonly (readonly [pattern: RegExp, meaning: string])[] = [
  [/nic_attach: .*not a valid choice/is, "the NAS has no such bridge or interface; choose one from its list"],
  [
    /bind: .*(bind address is not valid|not a valid choice)/is,
    "this is not an address of the NAS; choose one of its addresses for the display, or 0.0.0.0",
  ],
  [/not a valid choice/i, "the NAS does not offer this value; choose one from its list"],
  [
    /being used by following services|already in use by another display/i,
    "this port is already in use on the NAS; choose another port",
  ],
  [/name: this name already exists/i, "another VM already has this name; choose another name"],
  [
    /only alphanumeric characters/i,
    "a VM's name can only contain letters, digits and underscores; choose another name",
  ],
  [
    /cannot guarantee memory|ENOMEM/i,
    "the NAS does not have enough free memory to start this VM; stop another VM, or start it with overcommit",
  ],
  [
    /more than 80% of your available space/i,
    "the pool does not have enough free space for this zvol; choose a smaller size, another dataset, or a sparse zvol",
  ],
  [
    /multiple of volume block size/i,
    "the size is not a multiple of the dataset's block size; enter whole GiB",
  ],
  [/cannot shrink a zvol/i, "zvols can only grow; choose a size above the current one"],
  [
    /parent (dataset )?\S+ does not exist/i,
    "the zvol's parent dataset does not exist; create it on the NAS, or choose another dataset",
  ],
  [
    /zvol.*does not exist/i,
    "the zvol no longer exists; create it on the NAS, or use another zvol for the disk",
  ],
  [
    /zvol_name: .*already exists|path: .*already configured/i,
    "it already exists; choose another name, or remove the existing one",
  ],
  [
    /must reside within a pool|root dataset of pool|dataset or a directory within a dataset/i,
    "the file must be in a dataset, not in the root of a pool; move it to a dataset such as iso",
  ],
  [
    /\[Errno 2\]|no such file or directory|path does not exist|unable to locate cdrom|file not found/i,
    "a required file is missing on the NAS; check its path, or upload the file",
  ],
  [
    /\[Errno 13\]|permission denied/i,
    "the NAS cannot read the file; check its owner and permissions on the NAS",
  ],
  [/\[Errno 28\]|no space left/i, "the NAS is out of space; free some space in the pool"],
  [/\[Errno 30\]|read-only file system/i, "the dataset is read-only; turn Read-only off for it in TrueNAS"],
  [/is running; stop the VM first|already running/i, "the VM is running; stop it first"],
  [
    /state is currently not|domain \S+ (does not exist|is not active)/i,
    "the VM's state does not allow this; check its current state and try again",
  ],
  [
    /device\(s\) are not available|cannot start domain/i,
    "a device of the VM is unavailable, such as an image, a disk or a passthrough device; restore it or remove the device",
  ],
  [/unable to parse mac address/i, "a MAC address of the VM is invalid; write it like 02:00:5e:10:00:01"],
  [/following holds/i, "a snapshot has a hold; release the hold on the NAS, or keep the disk"],
  [
    /dependent clones|has clones|following clones/i,
    "other disks are clones of this one; promote them on the NAS, or keep this disk",
  ],
  [
    /has snapshots|volume has children/i,
    "it has snapshots; delete them on the NAS and try again, or keep the disk",
  ],
  [/has children/i, "it has child datasets; delete or move them on the NAS and try again, or keep it"],
  [/dataset is busy|EBUSY/i, "it is in use on the NAS; wait a moment and try again"],
  [
    /not authorized|EACCES|EPERM|not permitted/i,
    "the account is not allowed to do this; grant it the missing role, which the dashboard's Connection page shows",
  ],
  [
    /does not support virtualization/i,
    "this NAS cannot run VMs; enable virtualization in its firmware settings",
  ],
  [/not licensed to use VMs/i, "this NAS's license does not include VMs"],
  [
    /password is required|8 characters or less/i,
    "the display's password is invalid; set another VNC_PASSWORD",
  ],
  [
    /only one \S+ display device/i,
    "the VM already has a display of this type; remove it before you add another",
  ],
  [
    /(VM|VMDevice|PoolDataset|PoolSnapshot) \S+ does not exist/i,
    "it no longer exists on the NAS; reload and check the current state",
  ],
  [
    /too many concurrent|maximum number of concurrent/i,
    "the NAS is handling too many calls; try again in a moment",
  ],
  [/method does not exist|service '.*' not found/i, "this TrueNAS release does not support this function"],
  [
    /extra inputs are not permitted/i,
    "this TrueNAS release does not support this setting; remove it from the template or the configuration",
  ],
  [
    /input should be|field required|string should|valid (integer|string)/i,
    "TrueNAS does not accept this value; correct it",
  ],
];

/** A field's refusal for display at the field: what it means, with TrueNAS's words in quotes. */
export function explainAtField(refusal: FieldRefusal): string {
  const text = explainField(refusal);
  return text.charAt(0).toUpperCase() + text.slice(1);
}

function explainField({ attribute, message }: FieldRefusal): string {
  return explainWords(attribute === null ? message : `${attribute}: ${message}`);
}

/** A whole refusal: the explanation of every field, or of its reason when no field is named. */
export function explainRefusal({ fields, reason, errname }: CallRefusal): string {
  if (fields.length > 0) return [...new Set(fields.map(explainField))].join("; ");
  return explainWords(reason.trim(), errname ?? "");
}

/** Explains text from TrueNAS, such as a failed job's error, and quotes it. */
export function explainWords(text: string, errname = ""): string {
  const [, meaning] = MEANINGS.find(([pattern]) => pattern.test(text)) ??
    MEANINGS.find(([pattern]) => pattern.test(errname)) ?? [];
  const quoted = `"${text.replaceAll("\n", " ")}"`;
  return meaning === undefined ? `TrueNAS refused: ${quoted}` : `${meaning} (TrueNAS: ${quoted})`;
}
