/** Parses the command line with commander, from the table of commands. */
import { Command, CommanderError, Option } from "commander";
import {
  commandEntries,
  type CommandName,
  COMMANDS,
  type CommandSpec,
  commandsWith,
  COMMON_OPTIONS,
  LIST_COLUMNS,
  type ListColumn,
  longName,
  type OptionName,
  OPTIONS,
  type OptionSpec,
} from "./commands.ts";
import { ENVIRONMENT_NAMES, SECRET_FILES_HELP } from "../configuration/environment/environment.ts";
import {
  EXPORT_NAMES,
  type ExportName,
  TALOS_VERSIONS,
  type TalosVersion,
  talosVersionOf,
} from "../exports/names.ts";
import { didYouMean, nearest } from "./nearest.ts";
import { ON_FAILURE, type OnFailure } from "../configuration/on_failure.ts";
import {
  choiceExpected,
  LISTEN_PORTS,
  parseWholeNumber,
  type Range,
  show,
  wholeNumberExpected,
} from "../inputs.ts";
import { WAIT_MINUTES } from "../configuration/environment/settings.ts";
import { UsageError } from "./process.ts";
import { PROGRAM } from "./program_name.ts";
import { SIMULATED_VERSIONS, type SimulatorOptions } from "../simulator/types.ts";
import { VERSION } from "../version.ts";

/** The parsed options. */
export interface Options {
  readonly config: string | undefined;
  readonly templatesDir: string | undefined;
  readonly envFile: string | undefined;
  readonly logLevel: string | undefined;
  readonly simulator: SimulatorOptions;
  /** Whether the demo plays its story. */
  readonly story: boolean;
  readonly json: boolean;
  readonly yes: boolean;
  /** Name prefixes; undefined: none, or the configuration's types when no VM is named either. */
  readonly prefixes: readonly string[] | undefined;
  /** Whole VM names; undefined as for the prefixes. */
  readonly vmNames: readonly string[] | undefined;
  readonly keepDisks: boolean;
  readonly shutdown: boolean;
  /** VMs of each type to create in parallel. */
  readonly parallel: number | undefined;
  /** How long to wait while the NAS is away, in minutes. */
  readonly wait: number | undefined;
  readonly onFailure: OnFailure | undefined;
  /** Whether running VMs are changed for their next start. */
  readonly atNextStart: boolean;
  /** How many running VMs of a type are restarted at a time for their changes; undefined: none is. */
  readonly restart: number | undefined;
  /** Whether a clone takes over the data of an image that is removed. */
  readonly promote: boolean;
  /** Whether `create` waits until the VMs answer. */
  readonly waitReady: boolean;
  /** Address of an image to add. */
  readonly url: string | undefined;
  /** SHA-256 of an image to add or upload. */
  readonly sha256: string | undefined;
  /** File of an image to upload. */
  readonly file: string | undefined;
  /** A note for a checkpoint that is taken. */
  readonly note: string;
  /** Whether a rollback may remove later snapshots. */
  readonly discardNewer: boolean;
  /** Names of VMs to replace. */
  readonly replace: readonly string[];
  /** A command or URL that is called before and after each VM that is replaced. */
  readonly drain: string | undefined;
  /** Whether VMs are replaced even where too few of their type stay. */
  readonly force: boolean;
  /** Whether the exit code of `plan` shows that the NAS differs. */
  readonly detailedExitcode: boolean;
  /** Options of `export`. */
  readonly export: {
    readonly format: ExportName | undefined;
    /** A file or folder; default: standard output. */
    readonly output: string | undefined;
    readonly talosVersion: TalosVersion | undefined;
    /** Export the configured VMs instead of those on the NAS. */
    readonly planned: boolean;
  };
  /** What an agent may do without an approval; undefined: nothing. */
  readonly allow: "create" | undefined;
  /** Options of `inventory`. */
  readonly inventory: { readonly list: boolean; readonly host: string | undefined };
  /** Options of `list`. */
  readonly list: {
    /** TrueNAS's state: `RUNNING`. */
    readonly state: string | undefined;
    readonly columns: readonly ListColumn[];
    /** Only VMs of these types; empty: of any. */
    readonly types: readonly string[];
  };
  /** The arguments after the command. */
  readonly types: readonly string[];
}

/** A command with its options, or text to print (help or version). */
export type Call =
  | { readonly command: CommandName; readonly options: Options }
  | { readonly command: "help"; readonly text: string };

/** Option values as commander returns them. */
type Values = {
  readonly [Name in OptionName]?: (typeof OPTIONS)[Name] extends { readonly repeatable: true } ? string[]
    : (typeof OPTIONS)[Name]["flags"] extends `${string} <${string}>` ? string
    : (typeof OPTIONS)[Name]["flags"] extends `${string} [${string}]` ? string | true
    : boolean;
};

/** Fits the table of options on a terminal of common width. */
const HELP_COLUMNS = 100;

/**
 * Parses the arguments.
 *
 * @throws {UsageError} explaining what is wrong with them.
 */
export function readArguments(args: readonly string[]): Call {
  let call: Call | null = null;
  let text = "";
  const program = describeProgram({
    write: (more) => text += more,
    run: (command, values, words) => call = { command, options: optionsOf(values, words) },
  });
  try {
    program.parse([...args], { from: "user" });
  } catch (error) {
    if (error instanceof UsageError) throw new UsageError(error.message, nameOf(program));
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode !== 0) throw new UsageError(explain(error, program, args), nameOf(program));
  }
  return call ?? { command: "help", text: text.trimEnd() };
}

/** Receives the parsed call. */
interface Sinks {
  readonly write: (text: string) => void;
  readonly run: (command: CommandName, values: Values, words: readonly string[]) => void;
}

function describeProgram({ write, run }: Sinks): Command {
  const program = new Command(PROGRAM)
    .description(`TrueNAS VM Manager ${VERSION}: create and destroy groups of VMs on a TrueNAS.`)
    .version(VERSION, "-V, --version", "print the version")
    .helpOption("-h, --help", "show this help")
    .helpCommand("help [COMMAND]", "show the help of a command")
    .enablePositionalOptions()
    .showSuggestionAfterError(false)
    .configureOutput({ writeOut: write, writeErr: () => {}, getOutHelpWidth: () => HELP_COLUMNS })
    .configureHelp({ subcommandTerm: (command) => `${command.name()} ${argumentsOf(command)}`.trim() })
    .exitOverride()
    .usage("[COMMAND] [options]");
  addOptions(program, COMMON_OPTIONS);
  program.addHelpText(
    "after",
    `\nEnvironment:\n${environmentHelp()}\n\n${SECRET_FILES_HELP}\n\nSee also: ${PROGRAM} COMMAND --help`,
  );
  program.action(() => run("serve", program.opts<Values>(), []));
  for (const [name, spec] of commandEntries()) {
    const command = program.command(spec.words === undefined ? name : `${name} ${spec.words}`);
    command.description(spec.help);
    addOptions(command, [...spec.options, ...COMMON_OPTIONS]);
    command.addHelpText(
      "after",
      `\nExamples:\n${spec.examples.map((it) => `  ${PROGRAM} ${it}`).join("\n")}`,
    );
    command.action(() => run(name, { ...program.opts<Values>(), ...command.opts<Values>() }, command.args));
  }
  return program;
}

function argumentsOf(command: Command): string {
  return command.registeredArguments.map((argument) => `[${argument.name()}...]`).join(" ");
}

function environmentHelp(): string {
  return Object.entries(ENVIRONMENT_NAMES).map(([name, help]) => `  ${name.padEnd(27)} ${help}`).join("\n");
}

function addOptions(command: Command, names: readonly OptionName[]): void {
  for (const spec of names.map((name): OptionSpec => OPTIONS[name])) {
    const option = new Option(spec.flags, spec.help).hideHelp(spec.hidden ?? false);
    if (option.required) option.argParser<string | string[]>((value, before) => valueOf(spec, value, before));
    command.addOption(option);
  }
}

/** Rejects an empty value (an unset shell variable) or an option in place of a value. */
function valueOf(spec: OptionSpec, value: string, before: string | string[] = []): string | string[] {
  if (value.trim() !== "" && !value.startsWith("--")) return spec.repeatable ? [...before, value] : value;
  const found = value.trim() === "" ? ", found an empty one" : `, found ${value}`;
  throw new UsageError(`${longName(spec)} needs a value${found}`);
}

/** Explains commander's errors in this program's words. */
function explain(error: CommanderError, program: Command, args: readonly string[]): string {
  const [, named = ""] = /'(.+?)'/.exec(error.message) ?? [];
  const command = nameOf(program);
  switch (error.code) {
    case "commander.unknownOption":
      return explainOption(named, command);
    case "commander.optionMissingArgument":
      return `${named.split(" ")[0]} needs a value`;
    case "commander.excessArguments":
      return command === null
        ? unknownCommand(program.args[0] ?? "")
        : `${command} takes no further arguments, found ${show(wordsOf(program, command).join(" "))}`;
    case "commander.help":
      return unknownCommand(args[1] ?? "");
    default:
      return error.message.replace(/^error: /, "");
  }
}

/** The typed command, if it exists. */
function nameOf(program: Command): CommandName | null {
  return commandEntries().find(([name]) => name === program.args[0])?.[0] ?? null;
}

function wordsOf(program: Command, command: string): readonly string[] {
  return program.commands.find((it) => it.name() === command)?.args ?? [];
}

function unknownCommand(word: string): string {
  const known = [...Object.keys(COMMANDS), "help"];
  return `Unknown command ${show(word)}${didYouMean(word, known)}\nCommands: ${known.join(", ")}`;
}

function explainOption(flag: string, command: CommandName | null): string {
  const name = flag.split("=")[0] ?? flag;
  const { options }: CommandSpec = COMMANDS[command ?? "serve"];
  const own = [...options, ...COMMON_OPTIONS].map((it) => longName(OPTIONS[it]));
  if (own.includes(name)) return `The option ${name} takes no value, found ${show(flag)}`;
  const takenBy = commandsWith(name).join(", ");
  if (takenBy !== "") {
    return command === null
      ? `The option ${name} is for ${takenBy}; place it after the command`
      : `${command} does not have the option ${name}; it is for ${takenBy}`;
  }
  // All begin with dashes, which would bring short names close.
  const near = nearest(name.slice(2), own.map((known) => known.slice(2)));
  const question = near === null ? "" : `. Did you mean --${near}?`;
  return `${command ?? "serve"} does not have the option ${name}${question}`;
}

function optionsOf(values: Values, words: readonly string[]): Options {
  expectCompatible(values);
  return {
    config: values.config,
    templatesDir: values.templatesDir,
    envFile: values.envFile,
    logLevel: values.logLevel,
    simulator: simulatorOptions(values),
    story: values.story ?? false,
    json: values.json ?? false,
    yes: values.yes ?? false,
    prefixes: values.prefix,
    vmNames: values.vm,
    keepDisks: values.keepDisks ?? false,
    shutdown: values.shutdown ?? false,
    wait: wholeNumber("--wait", values.wait, WAIT_MINUTES),
    parallel: wholeNumber("--at-a-time", values.atATime, { lowest: 1, highest: 99 }),
    onFailure: choiceOf("--on-failure", ON_FAILURE, values.onFailure),
    atNextStart: values.atNextStart ?? false,
    restart: values.restart === true
      ? 1
      : wholeNumber("--restart", values.restart, { lowest: 1, highest: 99 }),
    promote: values.promote ?? false,
    waitReady: values.waitReady ?? false,
    url: values.url,
    sha256: values.sha256,
    file: values.file,
    note: values.note ?? "",
    discardNewer: values.discardNewer ?? false,
    replace: values.replace ?? [],
    drain: values.drain,
    force: values.force ?? false,
    detailedExitcode: values.detailedExitcode ?? false,
    export: {
      format: choiceOf("--format", EXPORT_NAMES, values.format),
      output: values.output,
      talosVersion: values.talosVersion === undefined ? undefined : talosVersionOf(values.talosVersion) ??
        choiceOf("--talos-version", TALOS_VERSIONS, values.talosVersion),
      planned: values.planned ?? false,
    },
    allow: choiceOf("--allow", ["create"], values.allow),
    inventory: { list: values.list ?? false, host: values.host },
    list: {
      state: values.state?.toUpperCase(),
      columns: columnsOf(values.columns),
      types: values.type ?? [],
    },
    types: words,
  };
}

const DEFAULT_COLUMNS = ["name", "state", "cpu", "memory", "disks", "networks"] satisfies ListColumn[];

function columnsOf(text: string | undefined): readonly ListColumn[] {
  if (text === undefined) return DEFAULT_COLUMNS;
  return text.split(",").flatMap((name) => choiceOf("--columns", LIST_COLUMNS, name.trim()) ?? []);
}

/** What is done about running VMs is one thing, and only what --yes confirms. */
function expectCompatible({ atNextStart, restart, yes }: Values): void {
  if (atNextStart === true && restart !== undefined) {
    throw new UsageError(
      "--at-next-start and --restart exclude each other; running VMs are either restarted or not",
    );
  }
  const [given] = [
    ...(atNextStart === true ? ["--at-next-start"] : []),
    ...(restart !== undefined ? ["--restart"] : []),
  ];
  if (given !== undefined && yes !== true) {
    throw new UsageError(`${given} changes VMs that exist, so it requires --yes`);
  }
}

function simulatorOptions(values: Values): SimulatorOptions {
  const version = choiceOf("--release", SIMULATED_VERSIONS, values.release ?? values.version) ?? "25.10";
  const latencyMs = wholeNumber("--latency", values.latency, { lowest: 0, highest: 60_000 });
  const foreignVms = wholeNumber("--vms", values.vms, { lowest: 0, highest: 10_000 });
  const port = wholeNumber("--port", values.port, LISTEN_PORTS);
  return {
    version,
    ...(port === undefined ? {} : { port }),
    ...(latencyMs === undefined ? {} : { times: { callMs: latencyMs } }),
    ...(foreignVms === undefined ? {} : { foreignVms }),
  };
}

function wholeNumber(name: string, text: string | undefined, range: Range): number | undefined {
  if (text === undefined) return undefined;
  const value = parseWholeNumber(text, range);
  if (value === null) throw new UsageError(wholeNumberExpected(name, range, text));
  return value;
}

function choiceOf<T extends string>(
  option: string,
  choices: readonly T[],
  text: string | undefined,
): T | undefined {
  const chosen = choices.find((choice) => choice === text);
  if (text === undefined || chosen !== undefined) return chosen;
  throw new UsageError(choiceExpected(option, choices, text));
}
