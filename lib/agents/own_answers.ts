/** Answers calls in the process of the command mcp, while no dashboard is running. */
import { prepareSeeds, untilFetched } from "../command_line/commands/seed_wait.ts";
import { parseConfigurationFile, readConfiguration } from "../configuration/configuration_file.ts";
import type { Settings } from "../configuration/environment/settings.ts";
import { ConfigurationError } from "../errors/errors.ts";
import { offeringOn } from "../images/offering/offering.ts";
import { redactor } from "../observability/logging.ts";
import { Journal } from "../operations/record/journal.ts";
import { pathServerWhenNeeded } from "../secret_paths/path_server.ts";
import { VMManager } from "../vm_manager.ts";
import type { VMManagerOptions } from "../vm_manager_options.ts";
import { type Answer, refusal } from "./answer.ts";
import { Approvals } from "./approvals.ts";
import type { AgentContext, Progress } from "./context.ts";
import { dashboardAddress, nasOf } from "./dashboard_address.ts";
import { runTool, TOOLS } from "./tools.ts";

/** What calls are answered with. */
export interface OwnAnswersOptions {
  readonly settings: Settings;
  readonly nas: VMManagerOptions;
  readonly configFile: string;
  readonly isAllowed: boolean;
  /** Aborted when this process has to stop. */
  readonly signal: AbortSignal;
}

/** An open journal and a connection, for one call or for several at the same time. */
interface Opened extends AsyncDisposable {
  readonly context: AgentContext;
}

/** Answers calls. The journal is open only meanwhile, so that a dashboard can start at any time. */
export class OwnAnswers {
  readonly #options: OwnAnswersOptions;
  /** What calls with the journal share while there are any. */
  #shared: { readonly opened: Promise<Opened>; users: number } | null = null;
  #closed: Promise<void> = Promise.resolve();

  constructor(options: OwnAnswersOptions) {
    this.#options = options;
  }

  /** Runs a tool. */
  async run(tool: string, args: unknown, progress: Progress): Promise<Answer> {
    const needs = TOOLS[tool]?.needs ?? "nothing";
    if (needs === "nothing") {
      await using opened = await this.#open(null);
      return await runTool(tool, opened.context, args, progress);
    }
    const shared = this.#shared ??= { opened: this.#openNext(), users: 0 };
    shared.users++;
    try {
      const { context } = await shared.opened;
      const { noJournal } = context;
      if (needs === "journal" && noJournal !== undefined) return refusal(`${noJournal}. Nothing was changed`);
      return await runTool(tool, context, args, progress);
    } finally {
      shared.users--;
      if (shared.users === 0) await this.#close(shared.opened);
    }
  }

  #openNext(): Promise<Opened> {
    return this.#closed.then(() => this.#open(openJournal(this.#options.settings.stateDir)));
  }

  #close(opened: Promise<Opened>): Promise<void> {
    this.#shared = null;
    this.#closed = opened.then((it) => it[Symbol.asyncDispose](), () => {});
    return this.#closed;
  }

  async #open(journal: Journal | string | null): Promise<Opened> {
    const { settings, nas, configFile, isAllowed, signal } = this.#options;
    await using resources = new AsyncDisposableStack();
    const open = typeof journal === "string" ? null : resources.use(journal);
    const paths = resources.use(settings.seed === null ? null : pathServerWhenNeeded(settings.seed, nas));
    const manager = resources.use(
      new VMManager({
        ...nas,
        ...(open === null ? {} : { journal: open }),
        ...(paths === null ? {} : { paths, offering: offeringOn(paths, settings.stateDir) }),
      }),
    );
    await manager.connect();
    const context: AgentContext = {
      manager,
      configuration: () => parseConfigurationFile(readConfiguration(configFile)).configuration,
      approvals: open === null ? null : new Approvals({
        journal: open.approvals,
        audit: manager.audit,
        nas: nasOf(nas.host),
        now: manager.operations.store.now,
      }),
      ...(typeof journal === "string" ? { noJournal: journal } : {}),
      isAllowed,
      isReadOnly: settings.readOnly,
      dashboard: dashboardAddress(settings, settings.listenPort),
      isDashboardRunning: false,
      redact: redactor([nas.password, nas.apiKey, nas.vncPassword].filter((secret) => secret !== undefined)),
      signal,
      prepare: (plan) => prepareSeeds(manager, plan),
      finish: async (progress) => {
        const notify = (message: string) => progress({ done: 0, total: 0, message });
        await untilFetched(manager, { notify }, signal);
      },
    };
    const kept = resources.move();
    return { context, [Symbol.asyncDispose]: () => kept.disposeAsync() };
  }
}

/** The journal, or why it cannot be used now: it is in use, or cannot be written. */
function openJournal(stateDir: string): Journal | string {
  try {
    return Journal.open(stateDir);
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message;
    throw error;
  }
}
