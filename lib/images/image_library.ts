/** Makes the golden zvols of one operation: each once, whichever VM needs it first; the others wait for it. */
import { TrueNASError } from "../errors/errors.ts";
import { parentOf } from "../inventory/names.ts";
import { createZvol } from "../operations/steps/zvol_creation.ts";
import { Cancelled, type StepCalls, type StepContext } from "../operations/steps/run_step.ts";
import type { Caller } from "../truenas/client.ts";
import { expectKnown, fetchDatasets } from "../truenas/batched_reads.ts";
import { ZVOL_PROPERTIES } from "../inventory/marks.ts";
import { isTransient } from "../errors/refusals.ts";
import type { Acquirer } from "./acquiring/acquirer.ts";
import type { HeaderChecks } from "./acquiring/header_checks.ts";
import { headerProblem } from "./acquiring/header_verdict.ts";
import type { Made } from "./acquiring/transfer.ts";
import type { ConversionContext, ConversionQueue } from "./conversion_queue.ts";
import { IMAGE_PROPERTY } from "./image_property.ts";
import { type PlannedImage, READY, wholeMib } from "./planned_image.ts";
import { hasSnapshot, readDisks, readGolden } from "./read_images.ts";

/** The step that makes or fills a zvol. */
export interface ImageWork {
  readonly context: StepContext;
  readonly step: string;
  readonly calls: StepCalls;
  /** uuid of the VM for which it is done, which owns a zvol until it is whole. */
  readonly owner: string;
  /** Notes that a zvol is being created, or is nobody's to undo any longer, before the next call is journalled. */
  readonly note: (zvol: string, state: "requested" | "created" | "finished", isImage?: boolean) => void;
}

/** What the images of an operation share. */
export interface ImageLibraryOptions {
  /** Goes on when the user cancels. */
  readonly caller: Caller;
  readonly signal: AbortSignal;
  readonly conversions: ConversionQueue;
  readonly acquirer: Acquirer;
  readonly headers: HeaderChecks;
}

/** A file that an operation has fetched. */
interface Fetched {
  readonly path: string;
  readonly virtualBytes: number | null;
}

/** See the file's comment. */
export class ImageLibrary {
  readonly #options: ImageLibraryOptions;
  readonly #making = new Map<string, Promise<void>>();
  readonly #fetching = new Map<string, Promise<Fetched>>();

  constructor(options: ImageLibraryOptions) {
    this.#options = options;
  }

  /** Fetches an image's file, once for all VMs; resolves with where it is. */
  fetch(work: ImageWork, image: PlannedImage, made: Made, diskBytes: number): Promise<Fetched> {
    const fetching = this.#fetching.get(image.name) ?? this.#fetch(work, image, made, diskBytes);
    this.#fetching.set(image.name, fetching);
    return fetching;
  }

  /** Resolves when the golden zvol can be cloned. */
  golden(work: ImageWork, image: PlannedImage, golden: string): Promise<void> {
    const making = this.#making.get(golden) ?? this.#make(work, image, golden);
    this.#making.set(golden, making);
    return making;
  }

  /** Converts an image onto a zvol that belongs to the VM, and notes in its properties that it is whole. */
  async fill(work: ImageWork, image: PlannedImage, zvol: string): Promise<void> {
    const { method } = image;
    const { path } = await this.#fileOf(image);
    if (await this.#isWhole(zvol, path)) return;
    await this.#expectGoodHeader(image);
    await this.#options.conversions.convert(this.#conversionContext(work), { path, zvol, method });
    await this.#markWhole(work, path, zvol, []);
  }

  async #make(work: ImageWork, image: PlannedImage, golden: string): Promise<void> {
    const { caller, conversions } = this.#options;
    const { method } = image;
    const { path, virtualBytes } = await this.#fileOf(image);
    const found = await readGolden(caller, golden);
    if (found?.isReady === true) return;
    if (found !== null && !found.isOurs) {
      throw new TrueNASError(`${golden} exists, and this program did not make it; rename it on the NAS`);
    }
    if (!await this.#isWhole(golden, path)) {
      if (found !== null) this.#expectLeft(work, golden, found.operation);
      const context = this.#conversionContext(work);
      const conversion = { path, zvol: golden, method };
      // An interrupted operation may have left a conversion that still runs.
      if (found === null || !await conversions.resume(context, conversion)) {
        if (found === null) await this.#ensureParent(work, parentOf(golden));
        else await this.#removeUnfinished(work, golden);
        const sizeBytes = virtualBytes === null ? image.goldenBytes : wholeMib(virtualBytes);
        await this.#createGolden(work, golden, sizeBytes);
        await this.#expectGoodHeader(image);
        await conversions.convert(context, conversion);
      }
      await this.#markWhole(work, path, golden, Object.values(ZVOL_PROPERTIES));
    }
    await this.#snapshot(work, golden);
  }

  async #fetch(work: ImageWork, image: PlannedImage, made: Made, diskBytes: number): Promise<Fetched> {
    const { name, source } = image;
    const { acquirer, caller, signal } = this.#options;
    if (source === undefined) return { path: image.path, virtualBytes: null };
    const { dataset, url, sha256 } = source;
    const wanted = { dataset, name, origin: { kind: "url", url, sha256 } as const, diskBytes };
    const { context, step, calls } = work;
    const acquiring = { context, caller, signal, step, calls, made };
    return await acquirer.inTurn(wanted, () => acquirer.bring(acquiring, wanted));
  }

  /** Where the file is that was fetched, or that was there. */
  async #fileOf({ name, path }: PlannedImage): Promise<Fetched> {
    return await (this.#fetching.get(name) ?? Promise.resolve({ path, virtualBytes: null }));
  }

  /** People can have changed their file since the plan; a fetched one was checked before it was written. */
  async #expectGoodHeader({ name, path, source }: PlannedImage): Promise<void> {
    if (source !== undefined) return;
    const { headers, caller, signal } = this.#options;
    const verdict = await headers.checkAgain(caller, path, signal);
    if (signal.aborted) throw new Cancelled();
    const problem = headerProblem({ name, path }, verdict);
    if (problem !== null) throw new TrueNASError(problem);
  }

  async #isWhole(zvol: string, path: string): Promise<boolean> {
    return (await readDisks(this.#options.caller, [zvol])).get(zvol)?.image === path;
  }

  #conversionContext({ context: { settle, log, vmName: vm }, step, calls }: ImageWork): ConversionContext {
    const onProgress = (percent: number) => log.append({ type: "progress", vm, step, percent });
    return { caller: this.#options.caller, settle, calls, onProgress };
  }

  /** `drop`: properties that no longer apply. */
  async #markWhole(
    { calls, note }: ImageWork,
    path: string,
    zvol: string,
    drop: readonly string[],
  ): Promise<void> {
    const { caller, signal } = this.#options;
    if (signal.aborted) throw new Cancelled();
    await calls.next("pool.dataset.update");
    const change = [
      { key: IMAGE_PROPERTY, value: path },
      ...drop.map((key) => ({ key, remove: true as const })),
    ];
    const isWhole = async () => await this.#isWhole(zvol, path) || null;
    try {
      await calls.send(
        () => caller.call("pool.dataset.update", [zvol, { user_properties_update: change }]),
        isWhole,
      );
    } catch (error) {
      // From then on it is nobody's to undo, so what the NAS has counts more than what it answered.
      if (await isWhole().catch(() => null) === null) throw error;
    }
    if (drop.length > 0) note(zvol, "finished");
  }

  async #ensureParent({ calls }: ImageWork, name: string): Promise<void> {
    const { caller } = this.#options;
    const exists = async () =>
      expectKnown(await fetchDatasets(caller, [name])).length > 0 ? { id: name } : null;
    if (await exists() !== null) return;
    await calls.next("pool.dataset.create");
    try {
      await calls.send(() => caller.call("pool.dataset.create", [{ name, type: "FILESYSTEM" }]), exists);
    } catch (error) {
      // Another operation, or a person, may just have created it.
      if (await exists() === null) throw error;
    }
  }

  /** An unfinished zvol is taken over only from an operation that has ended; that of another program may still fill it. */
  #expectLeft({ context: { log } }: ImageWork, golden: string, operation: string | null): void {
    if (operation !== null && (operation === log.id || this.#options.acquirer.hasEnded(operation))) return;
    if (operation === null) {
      throw new TrueNASError(
        `${golden} exists, and does not say which operation makes it; rename or delete it on the NAS`,
      );
    }
    throw new TrueNASError(
      `${golden} is being made by the operation ${operation} of another program; if that has ended, delete ${golden} on the NAS`,
    );
  }

  /** One that was left by an interrupted operation; a conversion that still runs keeps it busy for a while. */
  async #removeUnfinished({ calls }: ImageWork, golden: string): Promise<void> {
    const { caller } = this.#options;
    await calls.next("pool.dataset.delete");
    const verify = async () => expectKnown(await fetchDatasets(caller, [golden])).length === 0 || null;
    const passes = isTransient;
    await calls.send(() => caller.call("pool.dataset.delete", [golden, { recursive: false }]), verify, {
      passes,
    });
  }

  async #createGolden(work: ImageWork, zvol: string, sizeBytes: number): Promise<void> {
    const { context, calls, owner, note } = work;
    note(zvol, "requested", true);
    await calls.next("pool.dataset.create");
    const steady = { ...context, caller: this.#options.caller };
    await createZvol(steady, calls, { zvol, sizeBytes, sparse: true, force: true }, owner);
    note(zvol, "created", true);
  }

  async #snapshot({ calls }: ImageWork, golden: string): Promise<void> {
    const { caller } = this.#options;
    const name = `${golden}@${READY}`;
    await calls.next("pool.snapshot.create");
    const verify = async () => await hasSnapshot(caller, name) ? { name } : null;
    await calls.send(() => caller.call("pool.snapshot.create", [{ dataset: golden, name: READY }]), verify);
  }
}
