/** The decisions about an operation: cancel it, and afterwards resume it, roll it back or keep the result. */
import { nounOf, RESOLUTIONS } from "./states.tsx";
import { Icon, type IconName } from "../icons.tsx";
import { Blocked, Snapshots, Unread } from "../removal.tsx";
import { Field } from "../common.tsx";
import { paths } from "../../paths.ts";
import { journalledZvols } from "../../../lib/operations/steps/created_resources.ts";
import { isSeedDataset } from "../../../lib/first_boot/iso/seed_dataset.ts";
import { formatCount } from "../../../lib/units.ts";
import type { RollBackPlan } from "../../../lib/plan/roll_back.ts";
import type { OperationKind, OperationView, OperationVmView } from "../../../lib/operations/types.ts";
import type { CheckpointKind } from "../../../lib/checkpoints/requests.ts";
import { isGood } from "../../../lib/operations/summary.ts";
import { type VmWork, workOn } from "../../../lib/operations/vm_work.ts";
import { isUndecided } from "../../../lib/operations/record/undecided.ts";
import { recoveryOf } from "../../../lib/operations/recovery.ts";
import type { Problem } from "../../../lib/errors/errors.ts";
import { Said } from "../said.tsx";

const REMOVING: readonly OperationView["kind"][] = ["destroy", "clean"];

/** Cancels an operation that is running. */
export function CancelForm({ view }: { view: OperationView }) {
  const action = paths.cancel(view.id);
  const removes = REMOVING.includes(view.kind);
  const works = new Set(view.vms.map(workOn));
  const unfinished = [
    ...(works.has("create") ? ["unfinished VMs are removed"] : []),
    ...(works.has("change") ? ["VMs that are being changed get their old values back"] : []),
    ...(works.has("replace") ? ["VMs that are being replaced are finished later, when you resume"] : []),
  ].join(", ");
  if (view.kind !== "create") {
    return (
      <form method="post" action={action} class="actions">
        <button type="submit" class="btn danger" id="cancel-operation">Cancel operation</button>
        <span class="help">
          Steps that are running finish first; nothing new starts.{removes
            ? " Untouched VMs are kept; a partly removed VM is removed completely."
            : checkpointWords(view.kind)?.cancel ?? ""}
        </span>
      </form>
    );
  }
  return (
    <form method="post" action={action} class="actions">
      <button type="submit" class="btn danger" id="cancel-operation" name="then" value="roll-back">
        Stop and undo
      </button>
      <button class="btn" type="submit" id="cancel-keep" name="then" value="keep">Stop and keep</button>
      <span class="help">
        Steps that are running finish first. With undo,{" "}
        {unfinished || "nothing is removed"}; otherwise they are kept for you to resume. Finished VMs are
        kept.
      </span>
    </form>
  );
}

/** How to end an operation that waits for the NAS. */
export function StopWaitingForm({ view }: { view: OperationView }) {
  return (
    <form method="post" action={paths.stopWaiting(view.id)} class="actions">
      <button type="submit" class="btn" id="stop-waiting">Stop waiting</button>
      <span class="help">
        Everything stays as it is. Then resume the operation, roll it back, or leave it.
      </span>
    </form>
  );
}

/** Where to go from an operation that has ended; while it runs, the room that this will take. */
export function NextSteps({ view, mayChange }: { view: OperationView; mayChange: boolean }) {
  const { kind } = view;
  const standing = kind === "act" || kind === "change"
    ? view.vms
    : kind === "create"
    ? view.vms.filter(({ vmId, outcome }) => outcome === null || vmId !== null && isGood("create", outcome))
    : [];
  const [first] = standing;
  const isAlone = standing.length === 1 && first !== undefined && first.vmId !== null;
  return (
    <nav class="next" aria-label="Next">
      {isAlone
        ? (
          <Next
            icon="vm"
            href={paths.vm(first.vmId)}
            title={`Open ${first.name}`}
            help="Console, disks, network"
          />
        )
        : kind === "image" || kind === "remove-image"
        ? <Next icon="image" href={paths.images()} title="Open the images" help="All images of this NAS" />
        : <Next icon="vm" href={paths.home()} title="Open the VMs" help="All VMs of this NAS" />}
      {kind !== "create" || standing.length === 0 ? null : (
        <Next
          icon="export"
          href={paths.export({ ours: "yes" })}
          title="Export addresses"
          help="Ansible, DHCP, Talos, CSV"
        />
      )}
      {mayChange && (kind === "create" || kind === "destroy" || kind === "undo" || kind === "clean")
        ? <Next icon="plus" href={paths.create()} title={CREATE_TITLES[kind]} help="From the configuration" />
        : null}
      {checkpointWords(kind) === null ? null : (
        <Next
          icon="clock"
          href={paths.checkpoints()}
          title="Checkpoints"
          help="All checkpoints of this NAS"
        />
      )}
      <Next icon="clock" href={paths.operations()} title="All activity" help="Operations and the audit log" />
    </nav>
  );
}

const CREATE_TITLES = {
  create: "Create more VMs",
  destroy: "Create VMs",
  undo: "Create VMs",
  clean: "Create VMs",
} as const;

/** Operations on checkpoints: what cancelling, resuming and rolling back mean there. */
const CHECKPOINT_WORDS = {
  checkpoint: {
    cancel: " Snapshots of VMs that are not finished are removed, and VMs that were shut down are started.",
    resume: "taking the checkpoint of",
    resumeHelp: "only missing snapshots are taken, and VMs that were shut down are started.",
  },
  rollback: {
    cancel: " A VM whose disks are being rolled back is finished.",
    resume: "rolling back",
    resumeHelp: "each is checked again, rolled back if it was not yet, and started if it ran before.",
  },
  "remove-checkpoint": {
    cancel: " What has been removed stays removed.",
    resume: "removing the checkpoint of",
    resumeHelp: "the remaining snapshots are removed.",
  },
} as const satisfies Record<CheckpointKind, { cancel: string; resume: string; resumeHelp: string }>;

function checkpointWords(kind: OperationKind) {
  return kind === "checkpoint" || kind === "rollback" || kind === "remove-checkpoint"
    ? CHECKPOINT_WORDS[kind]
    : null;
}

interface NextProps {
  readonly icon: IconName;
  readonly href: string;
  readonly title: string;
  readonly help: string;
}

function Next({ icon, href, title, help }: NextProps) {
  return (
    <a href={href}>
      <Icon name={icon} />
      <b>
        <Said text={title} />
      </b>
      <span>{help}</span>
    </a>
  );
}

/** The recovery options for an operation that did not succeed. */
export function Recovery(
  { view, problems, rollBack }: {
    view: OperationView;
    problems: readonly Problem[];
    rollBack: RollBackPlan | null;
  },
) {
  const { resolution, kind } = view;
  if (resolution !== null) {
    return (
      <p class="resolution" data-resolution={resolution.how}>
        {RESOLUTIONS[resolution.how]}. {resolution.operation === undefined
          ? null
          : <a href={paths.operation(resolution.operation)}>View the follow-up operation</a>}
      </p>
    );
  }
  const short = view.vms.filter(({ outcome }) => outcome === "out-of-memory");
  if (short.length > 0) {
    const ids = short.flatMap(({ vmId }) => vmId === null ? [] : [vmId]);
    return (
      <p>
        <a class="btn" id="start-anyway" href={paths.act("start", ids)}>
          Start {formatCount(short.length, "VM")} anyway…
        </a>
      </p>
    );
  }
  const { resumable, removable, phrase } = recoveryOf(view);
  if (resumable.length + removable.length === 0) return null;
  const names = (vms: readonly OperationVmView[]) => vms.map(({ name }) => name).join(", ");
  return (
    <div class="recovery" role="group" aria-label="Recovery options">
      {resumable.length === 0 ? null : (
        <form method="post" action={paths.resume(view.id)} class="actions">
          <button type="submit" class="btn primary" id="resume-operation">
            {resumable.every(isOnlyAwaited)
              ? "Wait again for"
              : `Resume ${
                checkpointWords(kind)?.resume ?? OTHERS_RESUMED[kind] ?? RESUMED[onlyWorkOn(resumable)]
              }`} {formatCount(resumable.length, nounOf(kind))}
          </button>
          <span class="help">
            {kind === "destroy"
              ? `${names(resumable)}: each VM is checked again and destroyed if it is unchanged.`
              : kind === "image"
              ? `${names(resumable)}: the file is downloaded again from its beginning.`
              : resumable.every(isOnlyAwaited)
              ? `${names(resumable)}: created and started; the operation waits until they answer.`
              : `${names(resumable)}: ${
                checkpointWords(kind)?.resumeHelp ?? RESUMED_HELP[onlyWorkOn(resumable)]
              }`}
          </span>
        </form>
      )}
      {removable.length === 0 ? null : (
        <form method="post" action={paths.rollBack(view.id)} class="actions">
          {rollBack === null ? null : <input type="hidden" name="plan" value={rollBack.fingerprint} />}
          <button type="submit" class="btn danger" id="roll-back-operation">
            {kind === "checkpoint" ? "Remove the snapshots of" : "Roll back"}{" "}
            {formatCount(removable.length, nounOf(kind))}
          </button>
          <div class="help">
            {kind === "checkpoint"
              ? <Snapshotted vms={removable} />
              : kind === "image"
              ? <p>Removes what has arrived of {names(removable)}.</p>
              : <Removed vms={removable} />}
            {rollBack?.vms.flatMap(({ zvols }) => zvols).filter(({ snapshots }) => snapshots?.length)
              .map(({ name, snapshots }) => (
                <div>
                  <code>{name}</code> <Snapshots zvol={name} snapshots={snapshots} />
                </div>
              ))}
            <Unread notices={rollBack?.notices ?? []} />
            <Blocked items={rollBack?.vms ?? []} />
            {phrase === null ? null : (
              <Field
                name="phrase"
                label={`Finished VMs are ${
                  restores(removable) ? "rolled back" : "removed"
                } too. Type “${phrase}” to confirm`}
                value=""
                problems={problems}
              />
            )}
          </div>
        </form>
      )}
      <form method="post" action={paths.leave(view.id)} class="actions">
        <button class="btn" type="submit" id="leave-operation">Keep it as it is</button>
        <span class="help">
          Nothing changes, and {isUndecided(view) ? "you won't be asked again" : "this is not offered again"}.
        </span>
      </form>
    </div>
  );
}

/** Whether a rollback restores old values. */
function restores(vms: readonly OperationVmView[]): boolean {
  return vms.some((vm) => workOn(vm) === "change");
}

/** Whether a VM is as it was to be, and has not answered. */
function isOnlyAwaited({ outcome }: OperationVmView): boolean {
  return outcome === "not-ready";
}

/** What several VMs have in common; `mixed` when it is not the same. */
function onlyWorkOn(vms: readonly OperationVmView[]): VmWork | "mixed" {
  const works = new Set(vms.map((vm) => workOn(vm) ?? "create"));
  const [work = "create"] = works;
  return works.size > 1 ? "mixed" : work;
}

const RESUMED = {
  create: "creating",
  change: "changing",
  replace: "replacing",
  mixed: "with",
} as const satisfies Record<VmWork | "mixed", string>;

const OTHERS_RESUMED: Partial<Record<OperationKind, string>> = {
  destroy: "destroying",
  image: "downloading",
};

const RESUMED_HELP = {
  create: "only missing parts are created.",
  change: "only what still differs is changed.",
  replace: "each is finished from where it stopped.",
  mixed: "only what is missing or still differs is done.",
} as const satisfies Record<VmWork | "mixed", string>;

/** The snapshots that rolling a checkpoint back removes. */
function Snapshotted({ vms }: { vms: readonly OperationVmView[] }) {
  const snapshots = vms.flatMap(({ steps }) => steps.flatMap(({ evidence }) => evidence?.snapshots ?? []));
  return (
    <>
      <p>
        Removes the {formatCount(snapshots.length, "snapshot")}{" "}
        that this operation took, and starts VMs that it shut down. Disks stay as they are.
      </p>
      <ul>
        {snapshots.map((snapshot) => (
          <li>
            <code>{snapshot}</code>
          </li>
        ))}
      </ul>
    </>
  );
}

/** What a rollback would remove and restore: the counts, and in a fold the names. */
function Removed({ vms }: { vms: readonly OperationVmView[] }) {
  const changed = vms.filter((vm) => workOn(vm) === "change");
  const created = vms.filter((vm) => workOn(vm) !== "change");
  // A clone and its device are two steps for one zvol.
  const zvols = vms.flatMap((vm) => journalledZvols(vm));
  // The datasets of seeds are named below, and no disks.
  const disks = zvols.filter((zvol) => !isSeedDataset(zvol));
  const counts = [
    ...(created.length === 0 ? [] : [formatCount(created.length, "VM")]),
    ...(disks.length === 0 ? [] : [formatCount(disks.length, "disk")]),
  ];
  return (
    <>
      {counts.length === 0
        ? null
        : <p>Removes {counts.join(" and ")} that this operation created. This cannot be undone.</p>}
      {changed.length === 0 ? null : (
        <p>
          Restores the old values of{" "}
          {formatCount(changed.length, "VM")}, where they are still as this operation left them. A disk that
          was made larger stays as it is.
        </p>
      )}
      <details class="fold inline">
        <summary>
          <Icon name="chevron" />
          <b>What is {changed.length === 0 ? "removed" : "rolled back"}</b>
        </summary>
        <ul>
          {vms.map(({ name }) => <li dir="auto">{name}</li>)}
          {zvols.map((zvol) => (
            <li>
              <code>{zvol}</code>
            </li>
          ))}
        </ul>
      </details>
    </>
  );
}
