/**
 * Keeps the seeds of one NAS's guests: each is served from the moment its VM is told where, for an hour after the VM's first start,
 * and ends when the guest has answered or the VM is gone. A VM whose seed has ended is told nothing any longer: at a later boot its
 * guest would wait for an address that does not answer, as Talos does without end after a reset.
 */
import { reasonOf } from "../../errors/system_errors.ts";
import type { Logger } from "../../observability/logging.ts";
import type { OperationEvent, OperationView } from "../../operations/types.ts";
import type { Caller } from "../../truenas/client.ts";
import { vmQuery } from "../../truenas/methods.ts";
import { argumentsOf, seedArgumentOf, withoutSeedArgument, withSeedArgument } from "../command_line_args.ts";
import type { ServedSigns } from "../readiness/wait_for_ready.ts";
import { SERVED_MS } from "./seed_server.ts";
import type { SeedServer, SeedToServe, ServedSeed } from "./served_seed.ts";

/** What keeping seeds needs. */
export interface SeedKeeperOptions {
  readonly server: SeedServer;
  /** Whether guests can reach the server at its address. */
  readonly isReachable: boolean;
  readonly caller: Caller;
  readonly logger: Logger;
}

/** Outcomes after which a VM of an operation is no longer there. */
const GONE: readonly string[] = ["rolled-back", "destroyed", "already-gone"];

/** As many guests as are created at a time, and more. */
const MAX_LATELY = 500;

/** See the file's comment. */
export class SeedKeeper {
  readonly #options: SeedKeeperOptions;
  readonly #ending = new Set<Promise<void>>();
  /** VMs whose seeds have ended while the NAS could not be told. */
  readonly #late = new Map<string, string>();
  /** By the VM's uuid, also those that have ended: a guest can answer before anybody waits for it. */
  readonly #lately = new Map<string, ServedSeed>();

  constructor(options: SeedKeeperOptions) {
    this.#options = options;
  }

  /** Serves guests. */
  get server(): SeedServer {
    return this.#options.server;
  }

  /** Whether guests can reach this program, so that it makes sense to let them phone home. */
  get isReachable(): boolean {
    return this.#options.isReachable;
  }

  /**
   * Serves a seed until it ends.
   *
   * @throws {ConfigurationError} when SEED_PORT is taken.
   */
  async serve(seed: SeedToServe): Promise<ServedSeed> {
    const served = await this.server.serve(seed);
    this.#lately.delete(served.vm);
    this.#lately.set(served.vm, served);
    const [oldest] = this.#lately.keys();
    if (this.#lately.size > MAX_LATELY && oldest !== undefined) this.#lately.delete(oldest);
    const ending = this.#conclude(served).finally(() => this.#ending.delete(ending));
    this.#ending.add(ending);
    return served;
  }

  /** What a guest shows of itself, by the VM's uuid; null when nothing was served to it. */
  signsOf(uuid: string): ServedSigns | null {
    return this.#lately.get(uuid) ?? null;
  }

  /** Follows what operations do to the VMs. */
  follow({ vms }: OperationView, event: OperationEvent): void {
    if (event.type === "step" && event.step === "start" && event.status === "done") {
      this.#of(event.vm)?.endAt(event.at + SERVED_MS);
    }
    if (event.type === "step" && event.step === "ready" && event.status === "done") {
      this.#of(event.vm)?.answered();
    }
    if (event.type !== "vm" || !GONE.includes(event.outcome)) return;
    const { steps = [] } = vms.find(({ name }) => name === event.vm) ?? {};
    const uuids = steps.flatMap(({ evidence }) => evidence?.uuid ?? []);
    const served = this.#of(event.vm);
    // A VM that was made again has the name of the one that is gone.
    if (served !== null && (uuids.length === 0 || uuids.includes(served.vm))) served.close();
  }

  /** Ends all, and resolves when what has ended before is off the NAS. */
  async close(): Promise<void> {
    this.server.close();
    await Promise.all(this.#ending);
  }

  #of(name: string): ServedSeed | null {
    return this.server.all.find((served) => served.name === name) ?? null;
  }

  async #conclude(served: ServedSeed): Promise<void> {
    const end = await served.ended;
    const { logger } = this.#options;
    if (end === "closed") return;
    logger.info("A seed is no longer served", { vm: served.name, because: end });
    await this.forget(served.vm).catch((error) => {
      this.#late.set(served.vm, served.name);
      logger.warning("The address of a seed that has ended could not be taken from a VM yet", {
        vm: served.name,
        reason: reasonOf(error).replaceAll(served.url, ""),
      });
    });
  }

  /** Takes the addresses from VMs that could not be told before; called when the NAS answers again. */
  async forgetLate(): Promise<void> {
    for (const [uuid, name] of [...this.#late]) {
      this.#late.delete(uuid);
      await this.forget(uuid).catch((error) => {
        this.#late.set(uuid, name);
        this.#options.logger.debug("The address of a seed is still on a VM", {
          vm: name,
          reason: reasonOf(error),
        });
      });
    }
  }

  /**
   * Takes the seed's address from a VM; its other arguments stay.
   *
   * @throws {TrueNASError} when the NAS refuses it, or is away.
   */
  async forget(uuid: string): Promise<void> {
    await this.#change(uuid, (args) => seedArgumentOf(args) === null ? null : withoutSeedArgument(args));
  }

  /**
   * Tells a VM another address, which its guest sees after the next start.
   *
   * @throws {TrueNASError} when the NAS refuses it, or is away.
   */
  async tell(uuid: string, url: string): Promise<void> {
    await this.#change(uuid, (args) => withSeedArgument(args, url));
  }

  async #change(uuid: string, changed: (args: string) => string | null): Promise<void> {
    const { caller } = this.#options;
    const [row] = await caller.call("vm.query", vmQuery(["uuid", "=", uuid]));
    const args = row === undefined ? null : changed(argumentsOf(row));
    if (row !== undefined && args !== null) {
      await caller.call("vm.update", [row.id, { command_line_args: args }]);
    }
  }
}
