/** Runs the commands that need a configuration or a NAS. */
import {
  addImage,
  asksBefore,
  changesImages,
  configurationIn,
  configurationOfImages,
  imagesCommand,
  listImages,
  removeImage,
} from "./image_commands.ts";
import { actionCommand, actOnVms, asksBeforeActing } from "./action_commands.ts";
import { asksFirst, changesCheckpoints, checkpointCommand, runCheckpoint } from "./checkpoint_commands.ts";
import type { Options } from "../arguments.ts";
import { type LiveProgress, liveProgress } from "../terminal/live_progress.ts";
import type { Success, Terminal } from "../terminal/terminal.ts";
import {
  create,
  creationRequest,
  destroy,
  type DestroySelection,
  listVms,
  type PlanOutcome,
  showPlan,
} from "./vm_commands.ts";
import type { ParsedConfiguration } from "../../configuration/configuration.ts";
import type { Settings } from "../../configuration/environment/settings.ts";
import { ConfigurationError } from "../../errors/errors.ts";
import {
  exportNodes,
  plannedNodes,
  presentNodes,
  printInventory,
  readExport,
  readInventoryCall,
} from "./export_command.ts";
import { parseConfigurationFile, readConfiguration } from "../../configuration/configuration_file.ts";
import { type Logger, setupLogging } from "../../observability/logging.ts";
import { Journal } from "../../operations/record/journal.ts";
import {
  askLine,
  EXIT,
  isInteractive,
  openScreen,
  print,
  printError,
  printFile,
  UsageError,
} from "../process.ts";
import { seedProblems } from "../../first_boot/check_seeds.ts";
import { githubKeys } from "../../first_boot/github_keys.ts";
import { seedFolder } from "../../first_boot/seed_folder.ts";
import type { ProbePort } from "../../first_boot/readiness/probe_port.ts";
import type { OpenUrl } from "../../images/acquiring/remote_download.ts";
import type { FetchText } from "../../images/source/fetch_text.ts";
import { offeringOn } from "../../images/offering/offering.ts";
import { pathServerWhenNeeded } from "../../secret_paths/path_server.ts";
import { formatDuration } from "../../units.ts";
import { passesByItself } from "../../errors/outage.ts";
import { logStrayErrors } from "../../errors/unhandled_errors.ts";
import { TemplateManager } from "../../template_manager.ts";
import { trustedCertificatesOf } from "../../configuration/environment/trusted_certificates.ts";
import { replaceCommand, replaceVms } from "./replace_command.ts";
import { VMManager } from "../../vm_manager.ts";
import type { VMManagerOptions } from "../../vm_manager_options.ts";

/** The input of `validate`. */
export interface Validation {
  readonly configFile: string;
  readonly options: Options;
  /** Problems already found in the environment. */
  readonly problems: readonly string[];
}

/** Prints every problem in environment, configuration, files of seeds and templates; contacts nothing. */
export async function validate({ configFile, options, problems: found }: Validation): Promise<number> {
  const attempt = async (check: () => unknown): Promise<string[]> => {
    try {
      await check();
      return [];
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return [error.message];
    }
  };
  const seeds: string[] = [];
  const problems = [
    ...found,
    ...await attempt(async () => {
      const { configuration } = parsedConfiguration(configFile);
      seeds.push(
        ...await seedProblems(configuration, seedFolder({ configFile, keysOf: () => Promise.resolve("") })),
      );
    }),
    ...await attempt(() => new TemplateManager(options.templatesDir)),
    ...seeds,
  ];
  if (options.json) print(JSON.stringify({ problems }, null, 2));
  else if (problems.length > 0) printError(problems.join("\n"));
  else print("Configuration, templates and environment are valid");
  return problems.length > 0 ? EXIT.usage : EXIT.done;
}

/** The input of a command. */
export interface Work {
  readonly command:
    | "list"
    | "plan"
    | "create"
    | "replace"
    | "destroy"
    | "vm"
    | "images"
    | "checkpoint"
    | "export"
    | "inventory";
  readonly options: Options;
  readonly settings: Settings;
  readonly configFile: string;
  /** Sockets for pinned connections; empty without a pin. */
  readonly tunnelSockets: readonly string[];
  /** Downloads images. */
  readonly openUrl: OpenUrl;
  /** Fetches public keys. */
  readonly fetchText: FetchText;
  /** Probes ports of guests. */
  readonly probePort: ProbePort;
  /** Aborts when the user stops the program. */
  readonly signal: AbortSignal;
}

/** Runs a command that needs a NAS, and returns its exit code. */
export async function runCommand(given: Work): Promise<number> {
  const { command, options } = given;
  const canAsk = isInteractive();
  if (options.replace.length > 0 && !options.yes && !canAsk) {
    throw new UsageError(
      "There is no terminal for the confirmation. Nothing was replaced; add --yes to skip it",
      command,
    );
  }
  if (command === "replace" && !options.yes && !canAsk) {
    throw new UsageError(
      "There is no terminal for the confirmation. Nothing was replaced; add --yes to skip it",
      "replace",
    );
  }
  if (command === "destroy" && !options.yes && !canAsk) {
    throw new UsageError(
      "There is no terminal for the confirmation. Nothing was destroyed; add --yes to skip it",
      command,
    );
  }
  if (
    command === "images" && !options.yes && !canAsk && asksBefore(imagesCommand(options.types, options))
  ) {
    throw new UsageError(
      "There is no terminal for the confirmation. Nothing was removed; add --yes to skip it",
      command,
    );
  }
  if (command === "checkpoint" && !canAsk && asksFirst(checkpointCommand(options.types, options))) {
    throw new UsageError(
      "There is no terminal for the confirmation. Nothing was changed; add --yes to skip it",
      command,
    );
  }
  if (command === "vm" && !canAsk && asksBeforeActing(actionCommand(options.types, options))) {
    throw new UsageError(
      "There is no terminal for the confirmation. Nothing was sent; add --yes to skip it",
      "vm",
    );
  }
  const isPlain = options.json || command === "export" || command === "inventory";
  using live = isPlain ? null : liveProgressOn(given.settings);
  const terminal: Terminal = {
    print,
    printFile,
    // The output of export is a file, and inventory's is for Ansible, so messages go to standard error.
    notify: isPlain ? printError : print,
    ask: canAsk ? (question) => askLine(question, given.signal) : null,
    json: options.json,
    ...(live === null ? {} : { live }),
  };
  return await work(given, terminal);
}

/** Progress that is drawn in place; null where that cannot be, or is not wanted. */
function liveProgressOn({ drawsProgress, colors }: Settings): LiveProgress | null {
  const screen = drawsProgress ? openScreen({ colors }) : null;
  return screen === null ? null : liveProgress(screen);
}

/** Where progress is drawn, information would only repeat it, unless somebody asked for it. */
function quiet(settings: Settings): Settings {
  return settings.isLogLevelSet ? settings : { ...settings, logLevel: "WARNING" };
}

async function work(given: Work, terminal: Terminal): Promise<number> {
  const { command, options, settings, configFile, signal } = given;
  const selection = command === "destroy" ? destroySelection(options, configFile) : null;
  const exporting = command === "export" ? readExport(options) : null;
  const images = command === "images" ? imagesCommand(options.types, options) : null;
  const checkpoint = command === "checkpoint" ? checkpointCommand(options.types, options) : null;
  const replacing = command === "replace" ? replaceCommand(options) : null;
  const action = command === "vm" ? actionCommand(options.types, options) : null;
  const host = command === "inventory" ? readInventoryCall(options) : null;
  const needsPlan = command === "plan" || command === "create" || replacing !== null ||
    exporting?.planned === true;
  const creation = needsPlan ? creationRequest(parsedConfiguration(configFile), options) : null;
  // Only commands that write open the journal, so the others work while a dashboard is running.
  const writes = command === "create" || replacing !== null || command === "destroy" || action !== null ||
    (images !== null && changesImages(images)) ||
    (checkpoint !== null && changesCheckpoints(checkpoint));
  using journal = writes ? Journal.open(settings.stateDir) : undefined;
  const { seed, stateDir } = settings;
  const nas = managerOptions(terminal.live === undefined ? given : { ...given, settings: quiet(settings) });
  const waitMs = writes ? waitMsOf(given) : 0;
  await using paths = seed === null ? null : pathServerWhenNeeded(seed, nas);
  await using manager = new VMManager({
    ...nas,
    ...(waitMs === 0 ? {} : { connectionWaitMs: waitMs }),
    ...(terminal.ask === null ? {} : { askOtp: () => askOtp(signal) }),
    ...(journal === undefined ? {} : { journal }),
    ...(paths === null ? {} : { paths, offering: offeringOn(paths, stateDir) }),
  });
  await connect(manager, waitMs, terminal);
  if (action !== null) return exitOf(await actOnVms(manager, action, terminal, signal));
  if (command === "inventory") {
    printInventory(host, await presentNodes(manager), terminal);
    return EXIT.done;
  }
  if (images !== null) {
    const configuration = configurationIn(configFile);
    switch (images.action) {
      case "list":
        return exitOf(await listImages(manager, configuration, terminal));
      case "remove":
        return exitOf(await removeImage(manager, images, configuration, terminal, signal));
      default:
        return exitOf(await addImage(manager, images, configurationOfImages(configFile), terminal, signal));
    }
  }
  if (checkpoint !== null) {
    const configuration = configurationIn(configFile);
    return exitOf(await runCheckpoint(manager, checkpoint, { configuration, terminal, signal }));
  }
  if (exporting !== null) {
    const nodes = creation === null ? presentNodes(manager) : plannedNodes(manager, creation);
    exportNodes(exporting, await nodes, terminal);
    return EXIT.done;
  }
  if (creation !== null && replacing !== null) {
    return exitOf(await replaceVms(manager, { command: replacing, request: creation }, terminal, signal));
  }
  if (creation !== null) {
    return command === "plan"
      ? exitOfPlan(await showPlan(manager, creation, terminal), options)
      : exitOf(await create(manager, { request: creation, ...options }, terminal, signal));
  }
  if (selection === null) {
    return exitOf(await listVms(manager, configurationIn(configFile), options, terminal));
  }
  const { keepDisks, shutdown, yes: confirmed } = options;
  return exitOf(await destroy(manager, { ...selection, keepDisks, shutdown, confirmed }, terminal, signal));
}

const MINUTE_MS = 60_000;

function waitMsOf({ options, settings }: Pick<Work, "options" | "settings">): number {
  return (options.wait ?? settings.waitMinutes) * MINUTE_MS;
}

/** Connects; while the NAS is away, as it is while it starts, this is tried again for so many milliseconds. */
async function connect(manager: VMManager, waitMs: number, { notify }: Terminal): Promise<void> {
  try {
    await manager.connect();
  } catch (error) {
    if (waitMs === 0 || !passesByItself(error)) throw error;
    notify(`${error.message}. Waiting up to ${formatDuration(waitMs)} for the NAS; Ctrl+C ends this`);
    await manager.connectWithin(waitMs);
    notify("The NAS answers now");
  }
}

function exitOf(success: Success): number {
  return success ? EXIT.done : EXIT.failed;
}

function exitOfPlan(outcome: PlanOutcome, { detailedExitcode }: Options): number {
  if (outcome === "changes" && detailedExitcode) return EXIT.differs;
  return exitOf(outcome !== "blocked");
}

/** The VMs the call names, or else the VMs of the configured types. */
function destroySelection({ prefixes, vmNames }: Options, configFile: string): DestroySelection {
  if (prefixes !== undefined || vmNames !== undefined) {
    return { prefixes: prefixes ?? [], names: vmNames ?? [], isExplicit: true };
  }
  const { configuration } = parsedConfiguration(configFile);
  return { prefixes: Object.keys(configuration.types), names: [], isExplicit: false };
}

function parsedConfiguration(path: string): ParsedConfiguration {
  return parseConfigurationFile(readConfiguration(path));
}

/** Asks for a one-time password on the terminal. */
async function askOtp(signal: AbortSignal): Promise<string> {
  const typed = await askLine("The NAS requires a one-time password:", signal);
  if (typed === null) {
    throw new UsageError("No one-time password was entered. Nothing was sent; run the command again");
  }
  return typed.trim();
}

/** The NAS settings from the environment, with a logger that redacts their secrets. */
export function managerOptions(given: Omit<Work, "command">): VMManagerOptions & { readonly logger: Logger } {
  const { options: { templatesDir }, settings, tunnelSockets } = given;
  const { nas, readOnly, noDestroy, logLevel, logFormat } = settings;
  if (nas === null) throw new UsageError("No NAS is configured; set TRUENAS_HOST");
  const { vncPassword, ...account } = nas;
  const secrets = [nas.password, nas.apiKey, vncPassword].filter((secret) => secret !== undefined);
  const logger = setupLogging(logLevel, { format: logFormat, secrets });
  logStrayErrors(logger);
  return {
    ...account,
    // An empty one would be a mistake in the plan; commands that create no display have none.
    ...(vncPassword === "" ? {} : { vncPassword }),
    ...trustedCertificatesOf(settings),
    ...(tunnelSockets.length === 0 ? {} : { tunnelSockets }),
    templateManager: new TemplateManager(templatesDir),
    readOnly,
    noDestroy,
    logger,
    openUrl: given.openUrl,
    seedFiles: seedFolder({
      configFile: given.configFile,
      keysOf: githubKeys({ fetchText: given.fetchText }),
    }),
    probePort: given.probePort,
    waitMs: waitMsOf(given),
  };
}
