/** Connects the seeds that are served with the NAS, and with the operations that create, start and remove their VMs. */
import { runDetached } from "../../errors/unhandled_errors.ts";
import { isUnreachable } from "../planning/seed_way.ts";
import type { SeedFiles } from "../rendering/seed.ts";
import { SeedKeeper } from "./seed_keeper.ts";
import { seedServerOn } from "./seed_server.ts";
import { serveAgain, type ServingAgain } from "./served_again.ts";
import type { Logger } from "../../observability/logging.ts";
import type { PathServer } from "../../secret_paths/path_server.ts";
import type { Session } from "../../truenas/connection/session.ts";
import type { OperationStore } from "../../operations/record/store.ts";

/** What is connected. */
export interface KeptSeedsOptions {
  readonly paths: PathServer;
  readonly session: Session;
  readonly store: OperationStore;
  readonly files: SeedFiles;
  /** Whether the guests are simulated, or may be. */
  readonly simulated: boolean;
  readonly compare: ServingAgain["compare"];
  readonly logger: Logger;
}

/** The seeds of one NAS's guests. */
export interface KeptSeeds {
  readonly keeper: SeedKeeper;
  /**
   * Serves what an earlier program served, where it is not served yet.
   *
   * @throws {TrueNASError} when the VMs cannot be read.
   */
  readonly serveAgain: () => Promise<void>;
}

/** See the file's comment. */
export function keptSeeds(
  { paths, session, store, files, simulated, compare, logger }: KeptSeedsOptions,
): KeptSeeds {
  const server = seedServerOn(paths, { logger, now: store.now });
  const isReachable = simulated || !isUnreachable(server.host);
  const keeper = new SeedKeeper({ server, isReachable, caller: session, logger });
  store.onEvent((view, event) => keeper.follow(view, event));
  session.onState(({ kind }) => {
    if (kind === "live") runDetached(keeper.forgetLate(), "taking the addresses of seeds from VMs", logger);
  });
  const again = {
    keeper,
    caller: session,
    files,
    views: () => store.list(),
    compare,
    logger,
    now: store.now,
  };
  return { keeper, serveAgain: () => serveAgain(again) };
}
