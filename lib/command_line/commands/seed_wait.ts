/** What the command line does about seeds: only while it runs can guests fetch them. */
import type { ServedSeed } from "../../first_boot/serving/served_seed.ts";
import type { PlannedSeed, SeedKey } from "../../first_boot/types.ts";
import type { CreationPlan, PlannedVm } from "../../plan/types.ts";
import type { VMManager } from "../../vm_manager.ts";

/** Prints progress. */
interface Notices {
  readonly notify: (text: string) => void;
}

/**
 * Makes sure that guests will be able to fetch their seeds, before anything is created.
 *
 * @throws {ConfigurationError} when SEED_PORT is taken.
 */
export async function prepareSeeds(manager: VMManager, { vms }: CreationPlan): Promise<void> {
  if (vms.some((vm) => vm.seed?.way === "url" && getsSeed(vm))) {
    await manager.seeds?.listen();
  }
  await manager.serveSeedsAgain();
}

/** Stays until all guests have fetched their seeds, or their time is over; false when one has not. */
export async function untilFetched(
  manager: VMManager,
  terminal: Notices,
  signal: AbortSignal,
): Promise<boolean> {
  const { notify } = terminal;
  const served = (manager.seeds?.all ?? []).filter(({ hasFiles }) => hasFiles);
  const awaited = served.filter(({ until }) => until !== null);
  const unstarted = served.filter(({ until }) => until === null);
  if (unstarted.length > 0) {
    const names = unstarted.map(({ name }) => name).join(", ");
    notify(
      `Not started, and without a first configuration (seed) when this ends: ${names}. ` +
        "The dashboard serves it from its next start on, until they have started",
    );
  }
  if (awaited.length === 0) return true;
  const who = awaited.length === 1
    ? "1 guest has fetched its"
    : `${awaited.length} guests have fetched their`;
  notify(`Waiting until ${who} first configuration (seed); Ctrl+C ends this`);
  const fetched = await Promise.all(awaited.map((served) => follow(served, terminal, signal)));
  return fetched.every((isFetched) => isFetched);
}

async function follow(served: ServedSeed, { notify }: Notices, signal: AbortSignal): Promise<boolean> {
  const isLeft = await Promise.race([served.fetched.then(() => false), aborted(signal)]);
  if (isLeft) {
    notify(`${served.name}: not waited for; its guest cannot fetch its seed any longer`);
    return false;
  }
  const [first] = served.signs();
  // Without a sign nobody has fetched it, and its time is over.
  if (first === undefined) {
    notify(
      `${served.name}: its guest did not fetch its seed within an hour; ` +
        `check on its console whether it reaches ${new URL(served.url).host}`,
    );
    return false;
  }
  notify(`${served.name}: seed fetched by ${first.address}`);
  served.close("fetched");
  return true;
}

function aborted(signal: AbortSignal): Promise<true> {
  const { promise, resolve } = Promise.withResolvers<true>();
  if (signal.aborted) resolve(true);
  signal.addEventListener("abort", () => resolve(true), { once: true });
  return promise;
}

/** One line for each type that gets seeds. */
export function describeSeeds({ vms }: CreationPlan): readonly string[] {
  const seeds = new Map<string, PlannedSeed>();
  for (const vm of vms) {
    if (vm.seed !== undefined && getsSeed(vm) && !seeds.has(vm.type)) seeds.set(vm.type, vm.seed);
  }
  return [...seeds].map(([type, { kind, way, reason, files, keys }]) => {
    const from = files.length === 0 ? "" : `; files: ${files.join(", ")}`;
    const known = keys.length === 0 ? "" : `; keys: ${keys.map(describeKey).join(", ")}`;
    const by = way === "url" ? "by URL" : "by disk";
    return `First configuration (seed) of ${type}: ${kind}, ${by}, because ${reason}${from}${known}`;
  });
}

function getsSeed({ steps, replacement }: PlannedVm): boolean {
  return [...steps, ...replacement?.steps ?? []].includes("seed");
}

/** Enough to recognise it: `ssh-ed25519 …OwVNj+ ops (github:ops)`. */
function describeKey({ key, from }: SeedKey): string {
  const [kind = "", body = "", ...comment] = key.split(" ");
  return `${[kind, `…${body.slice(-8)}`, ...comment].join(" ")} (${from})`;
}
