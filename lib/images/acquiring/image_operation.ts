/** The operation that brings one image to the NAS: its dataset, the file, and the proof that the file is whole. */
import { shownAddress } from "../source/shown_address.ts";
import { ImageError } from "../../errors/errors.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import type { OperationSpec, WorkContext } from "../../operations/runner.ts";
import { runStep, type Step, type StepCalls, type StepContext } from "../../operations/steps/run_step.ts";
import { runVm, type VmFailure, type VmResult } from "../../operations/steps/run_vm.ts";
import type { OperationRequest, OperationView, OperationVmView } from "../../operations/types.ts";
import { recoveryOf } from "../../operations/recovery.ts";
import { formatBytes } from "../../units.ts";
import type { Acquirer, WantedImage } from "./acquirer.ts";
import type { ArrivedFile } from "./file_dataset.ts";
import { fileDataset, type ImageFile } from "./image_files.ts";
import { type AcquireWork, evidenceOf, type Made } from "./transfer.ts";
import { undoAcquisition } from "./undo_acquisition.ts";

/** What an operation on an image was requested to do. */
export type ImageRequest = Extract<OperationRequest, { kind: "image" }>;

/** Brings an image to the NAS; an upload cannot be resumed, because nobody has its bytes any longer. */
export function acquisition(wanted: WantedImage, acquirer: Acquirer): OperationSpec<WantedImage> {
  const { dataset, name, origin } = wanted;
  const request: ImageRequest | null = origin.kind === "url"
    ? { kind: "image", dataset, name, url: origin.url, sha256: origin.sha256 }
    : null;
  return {
    kind: "image",
    title: `${origin.kind === "url" ? "Download" : "Upload"} the image ${name}`,
    vms: [{
      name,
      steps: ["dataset", "download", "verify"],
      summary: origin.kind === "url" ? shownAddress(origin.url) : origin.fileName,
    }],
    ...(request === null ? {} : { request }),
    claim: { images: [name], zvols: [fileDataset(dataset, name)] },
    items: [wanted],
    work: (context) => ({
      workOn: (image) => acquirer.inTurn(image, () => acquireImage(context, image, acquirer)),
    }),
  };
}

/** The image of an operation that is resumed. */
export function wantedAgain({ dataset, name, url, sha256 }: ImageRequest): WantedImage {
  return { dataset, name, origin: { kind: "url", url, sha256 } };
}

async function acquireImage(context: WorkContext, wanted: WantedImage, acquirer: Acquirer): Promise<void> {
  const { origin, name } = wanted;
  const work = { ...context, vmName: name };
  const made: Made = { dataset: null, credentials: null };
  try {
    await runVm(work, {
      run: () => bring(work, { wanted, acquirer, made }),
      onFailure: (failure) => undo(work, made, failure),
    });
  } finally {
    if (origin.kind === "upload" && !origin.stream.locked) origin.stream.cancel().catch(() => {});
  }
}

interface Bringing {
  readonly wanted: WantedImage;
  readonly acquirer: Acquirer;
  readonly made: Made;
}

async function bring(context: WorkContext & StepContext, bringing: Bringing): Promise<VmResult> {
  const { wanted, acquirer } = bringing;
  const work = (step: string, calls: StepCalls) => workOf(context, { ...bringing, step, calls });
  const evidence = () => evidenceOf(bringing.made);
  const dataset: Step<ImageFile | null> = {
    step: "dataset",
    method: "pool.dataset.create",
    makes: fileDataset(wanted.dataset, wanted.name),
    evidence,
    call: (calls) => acquirer.prepare(work("dataset", calls), wanted),
    verify: null,
    detail: (there) => there === null ? fileDataset(wanted.dataset, wanted.name) : `${there.path} is there`,
  };
  const there = await runStep(context, dataset);
  if (there !== null) {
    return { outcome: "kept", message: `${there.path} is there already, with the same SHA-256` };
  }
  const download: Step<ArrivedFile> = {
    step: "download",
    method: "filesystem.put",
    evidence,
    call: (calls) => acquirer.transfer(work("download", calls), wanted),
    verify: null,
    detail: ({ path, bytes }) => `${path}, ${formatBytes(bytes)}`,
  };
  const arrived = await runStep(context, download);
  const verify: Step<void> = {
    step: "verify",
    method: "filesystem.stat",
    evidence,
    call: (calls) => acquirer.finish(work("verify", calls), wanted, arrived),
    verify: null,
    detail: () => `${arrived.bytes} bytes, SHA-256 ${arrived.digest}`,
  };
  await runStep(context, verify);
  return { outcome: "done", message: `${arrived.path}, ${formatBytes(arrived.bytes)}` };
}

function workOf(
  { caller, signal, ...context }: WorkContext & StepContext,
  { made, step, calls }: Pick<Bringing, "made"> & { readonly step: string; readonly calls: StepCalls },
): AcquireWork {
  return { context, caller, signal, step, calls, made };
}

async function undo(
  context: WorkContext & StepContext,
  made: Made,
  { message, cancelled, cause }: VmFailure,
): Promise<VmResult> {
  const why = cause instanceof ImageError ? `${message}. ${cause.remedy.replace(/\.$/, "")}` : message;
  const isCancelled = cancelled || context.signal.aborted;
  const outcome = isCancelled ? "cancelled" : "rolled-back";
  const evidence = evidenceOf(made);
  if (evidence === null) {
    return { outcome: isCancelled ? "cancelled" : "failed", message: `${why}. Nothing was stored` };
  }
  try {
    await undoAcquisition(context, [evidence], context.log.id);
    return { outcome, message: `${why}. Removed again: ${made.dataset ?? "what was prepared"}` };
  } catch (error) {
    const left = `Left on the NAS: ${made.dataset ?? made.credentials}`;
    return {
      outcome: "left-behind",
      message: `${why}. It could not be removed again: ${reasonOf(error)}. ${left}`,
    };
  }
}

/** Removes what an operation on an image has left. */
export function discarding(view: OperationView): OperationSpec<OperationVmView> {
  const { removable } = recoveryOf(view);
  return {
    kind: "undo",
    title: `Roll back: ${view.title}`,
    vms: removable.map(({ name, summary }) => ({ name, steps: ["undo-dataset"], summary })),
    claim: { images: removable.map(({ name }) => name) },
    items: removable,
    work: (context) => ({
      workOn: async (image) => {
        const work = { ...context, vmName: image.name };
        const evidence = image.steps.flatMap((step) => step.evidence ?? []);
        await runVm(work, {
          run: async () => {
            const removed = await undoAcquisition(work, evidence, view.id);
            return removed
              ? { outcome: "rolled-back", message: "Its file is removed" }
              : { outcome: "failed", message: "Nothing was left" };
          },
          onFailure: ({ message }) => ({ outcome: "left-behind", message: `Not rolled back: ${message}` }),
        });
      },
    }),
  };
}
