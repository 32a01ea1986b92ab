/** The commands that work with a configuration and a NAS, put together from what was read of the call and the environment. */
import type { Options } from "./arguments.ts";
import {
  create,
  type CreationWish,
  destroy,
  type DestroySelection,
  expectTypes,
  listVms,
  type PlanOutcome,
  showPlan,
  type Success,
  type Terminal,
} from "./command_line.ts";
import { vmTypes } from "./config.ts";
import type { Settings } from "./environment.ts";
import { ConfigurationError } from "./errors.ts";
import { loadParsedConfiguration } from "./load_configuration.ts";
import { setupLogging } from "./logging.ts";
import { Journal } from "./operations/journal.ts";
import { EXIT, UsageError } from "./process.ts";
import { TemplateManager } from "./template_manager.ts";
import { trustOf } from "./trust.ts";
import { VMManager, type VMManagerOptions } from "./vm_manager.ts";

/** All that is wrong with configuration, templates and environment; nothing is sent. */
export async function validate(
  configFile: string,
  { templatesDir }: Options,
  readSettings: () => Promise<Settings>,
): Promise<string[]> {
  const attempt = async (check: () => unknown): Promise<string[]> => {
    try {
      await check();
      return [];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return [error.message];
    }
  };
  return [
    ...await attempt(readSettings),
    ...await attempt(() => loadParsedConfiguration(configFile)),
    ...await attempt(() => new TemplateManager(templatesDir)),
  ];
}

/** What a command works with. */
export interface Work {
  readonly command: "list" | "plan" | "create" | "destroy";
  readonly options: Options;
  readonly settings: Settings;
  readonly configFile: string;
  readonly terminal: Terminal;
  /** Asks for a one-time password; null when nobody is there to answer. */
  readonly askOtp: (() => Promise<string>) | null;
  /** Ends with the person's patience. */
  readonly signal: AbortSignal;
}

/** list, plan, create and destroy; returns the exit code. */
export async function work(
  { command, options, settings, configFile, terminal, askOtp, signal }: Work,
): Promise<number> {
  const selection = command === "destroy" ? destroySelection(options, configFile) : null;
  const wish = command === "plan" || command === "create" ? creationWish(options, configFile) : null;
  // Only what writes is written down: while a dashboard keeps the journal, the command line may still look.
  const writes = command === "create" || command === "destroy";
  using journal = writes ? Journal.open(settings.stateDir) : undefined;
  await using manager = new VMManager({
    ...managerOptions(options, settings),
    ...(askOtp === null ? {} : { askOtp }),
    ...(journal === undefined ? {} : { journal }),
  });
  await manager.connect();
  if (wish !== null) {
    return command === "plan"
      ? exitOfPlan(await showPlan(manager, wish, terminal), options)
      : exitOf(await create(manager, wish, terminal, signal));
  }
  if (selection === null) return exitOf(await listVms(manager, terminal));
  const { keepDisks, shutdown, yes: confirmed } = options;
  return exitOf(await destroy(manager, { ...selection, keepDisks, shutdown, confirmed }, terminal, signal));
}

function exitOf(success: Success): number {
  return success ? EXIT.done : EXIT.failed;
}

function exitOfPlan(outcome: PlanOutcome, { detailedExitcode }: Options): number {
  switch (outcome) {
    case "as-planned":
      return EXIT.done;
    case "changes":
      return detailedExitcode ? EXIT.differs : EXIT.done;
    case "differs":
      return detailedExitcode ? EXIT.differs : EXIT.failed;
    case "blocked":
      return EXIT.failed;
  }
}

/** What the call names; when it names nothing, the types of the configuration. */
function destroySelection({ prefixes, vmNames }: Options, configFile: string): DestroySelection {
  if (prefixes !== undefined || vmNames !== undefined) {
    return { prefixes: prefixes ?? [], names: vmNames ?? [], isExplicit: true };
  }
  const { configuration } = loadParsedConfiguration(configFile);
  return { prefixes: vmTypes(configuration), names: [], isExplicit: false };
}

function creationWish({ types, parallel, onFailure }: Options, configFile: string): CreationWish {
  const parsed = loadParsedConfiguration(configFile);
  expectTypes(parsed.configuration, types);
  return {
    ...parsed,
    types,
    ...(parallel === undefined ? {} : { parallel }),
    ...(onFailure === undefined ? {} : { onFailure }),
  };
}

/** What the environment says of the NAS, with a log whose secrets are blanked out. */
function managerOptions({ templatesDir }: Options, settings: Settings): VMManagerOptions {
  const { nas, readOnly, noDestroy, logLevel, logFormat } = settings;
  if (nas === null) throw new UsageError("The environment names no NAS");
  const secrets = [nas.password, nas.apiKey, nas.vncPassword].filter((secret) => secret !== undefined);
  const logger = setupLogging(logLevel, { format: logFormat, secrets });
  const templateManager = new TemplateManager(templatesDir);
  return { ...nas, ...trustOf(settings), templateManager, readOnly, noDestroy, logger };
}
