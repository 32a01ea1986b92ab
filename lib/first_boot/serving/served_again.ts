/**
 * After a restart of this program, seeds whose time is not over are served again where their guests look for them. Which VMs have
 * one is read from the NAS, and what it is made from from the operations that created them. Guests that got theirs by disk are
 * listened to again.
 */
import { vmTypeOf } from "../../configuration/configuration.ts";
import type { Configuration } from "../../configuration/configuration.ts";
import { reasonOf } from "../../errors/system_errors.ts";
import type { Vm } from "../../inventory/inventory.ts";
import type { Logger } from "../../observability/logging.ts";
import type { OperationRequest, OperationView, OperationVmView, PhonesHome } from "../../operations/types.ts";
import type { PlannedVm } from "../../plan/types.ts";
import type { Caller } from "../../truenas/client.ts";
import type { VmRow } from "../../truenas/method_types.ts";
import { vmQuery } from "../../truenas/methods.ts";
import { toVm } from "../../truenas/rows.ts";
import { argumentsOf, type SeedArgument, seedArgumentOf } from "../command_line_args.ts";
import type { SeedFiles } from "../rendering/seed.ts";
import { seedSource } from "../steps/seed_source.ts";
import { hasAnswered } from "../iso/seed_remover.ts";
import type { SeedKeeper } from "./seed_keeper.ts";
import { SERVED_MS } from "./seed_server.ts";
import type { ServedSeed } from "./served_seed.ts";

/** What serving again needs. */
export interface ServingAgain {
  readonly keeper: SeedKeeper;
  readonly caller: Caller;
  readonly files: SeedFiles;
  /** All operations, the newest first. */
  readonly views: () => readonly OperationView[];
  /** What a VM of a type is planned as; null without a connection. */
  readonly compare: (configuration: Configuration, type: string, vm: Vm) => PlannedVm | null;
  readonly logger: Logger;
  /** In milliseconds since 1970 (UTC). */
  readonly now: () => number;
}

/** A VM with the operation that gave it its seed. */
interface Seeded {
  readonly row: VmRow;
  readonly uuid: string;
  readonly vm: OperationVmView;
  readonly request: Extract<OperationRequest, { kind: "create" }>;
  /** The path below which the guest finds its seed, or where one that got it by disk says that it has started. */
  readonly known: SeedArgument | PhonesHome;
}

/**
 * Serves what is not served yet. A seed that cannot be served is told in the log; one whose time is over is taken from its VM.
 *
 * @throws {TrueNASError} when the VMs cannot be read.
 */
export async function serveAgain(again: ServingAgain): Promise<void> {
  const { keeper, caller, views, logger } = again;
  const created = views();
  if (!created.some(({ kind, vms }) => kind === "create" && vms.some(hasSeed))) return;
  const rows = await caller.call("vm.query", vmQuery());
  await Promise.all(rows.map(async (row) => {
    const found = seededBy(created, row);
    if (found === null || keeper.server.find(found.uuid) !== null) return;
    try {
      await serve(again, found);
    } catch (error) {
      logger.warning("The seed of a VM cannot be served again", { vm: row.name, reason: reasonOf(error) });
    }
  }));
}

function hasSeed({ steps }: OperationVmView): boolean {
  return steps.some(({ step, startedAt }) => step === "seed" && startedAt !== null);
}

/** Null for a VM that got no seed, or got it from another program. */
function seededBy(views: readonly OperationView[], row: VmRow): Seeded | null {
  const uuid = row.uuid ?? null;
  if (uuid === null) return null;
  for (const { request, vms } of views) {
    if (request?.kind !== "create") continue;
    const vm = vms.find((it) => it.name === row.name && hasSeed(it) && isOf(it, row, uuid));
    if (vm === undefined) continue;
    const home = hasAnswered(views, uuid) ? null : homeOf(vm);
    const known = seedArgumentOf(argumentsOf(row)) ?? home;
    return known === null ? null : { row, uuid, vm, request, known };
  }
  return null;
}

function homeOf({ steps }: OperationVmView): PhonesHome | null {
  return steps.find(({ step }) => step === "seed")?.evidence?.home ?? null;
}

function isOf({ steps, vmId }: OperationVmView, row: VmRow, uuid: string): boolean {
  const known = steps.flatMap(({ evidence }) => evidence?.uuid ?? []);
  const ids = steps.flatMap(({ evidence }) => evidence?.vmId ?? []);
  return known.length > 0 ? known.includes(uuid) : vmId === row.id || ids.includes(row.id);
}

async function serve(again: ServingAgain, seeded: Seeded): Promise<void> {
  const { keeper, now } = again;
  const { row, uuid, vm, known } = seeded;
  const started = vm.steps.find(({ step, status }) => step === "start" && status === "done")?.finishedAt ??
    null;
  if (started !== null && now() >= started + SERVED_MS) return await keeper.forget(uuid);
  const served = "pathHash" in known
    ? await listen(keeper, seeded, known)
    : await serveFiles(again, seeded, known);
  if (started !== null) served?.endAt(started + SERVED_MS);
  else if (row.status.state === "RUNNING") served?.endAt(now() + SERVED_MS);
}

/** Null where the guest reports at another address than this program's. */
async function listen(
  keeper: SeedKeeper,
  { row, uuid: vm }: Seeded,
  { server, pathHash: hash }: PhonesHome,
): Promise<ServedSeed | null> {
  if (!keeper.isReachable || await keeper.server.listen() !== server) return null;
  return await keeper.serve({ vm, name: row.name, render: null, known: { hash } });
}

async function serveFiles(
  { keeper, files, compare }: ServingAgain,
  { row, uuid, request }: Seeded,
  known: SeedArgument,
): Promise<ServedSeed | null> {
  const wanted = request.types.find(({ type, name }) => row.name.startsWith(name ?? type));
  if (wanted === undefined) return null;
  if (vmTypeOf(request.configuration, wanted.type).seed?.kind === "ignition") return null;
  const planned = compare(request.configuration, wanted.type, toVm(row));
  if (planned === null) return null;
  const render = await seedSource(request.configuration, files).prepare(planned, uuid, null);
  const served = await keeper.serve({
    vm: uuid,
    name: row.name,
    render: (phoneHomeUrl) => Promise.resolve(render(phoneHomeUrl)),
    known,
  });
  if (served.url !== known.url) await keeper.tell(uuid, served.url);
  return served;
}
