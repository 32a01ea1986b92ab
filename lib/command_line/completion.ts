/** Completions of shells, from the table of commands. Pure. */
import {
  commandEntries,
  type CommandName,
  COMMANDS,
  type CommandSpec,
  COMMON_OPTIONS,
  longName,
  OPTIONS,
  type OptionSpec,
  SHELLS,
} from "./commands.ts";
import { choiceExpected } from "../inputs.ts";
import { UsageError } from "./process.ts";
import { PROGRAM } from "./program_name.ts";

/** A shell that completions are made for. */
export type Shell = (typeof SHELLS)[number];

/**
 * The shell that was named.
 *
 * @throws {UsageError} when it is none of them.
 */
export function shellOf([name, ...others]: readonly string[]): Shell {
  const shell = SHELLS.find((known) => known === name);
  if (shell !== undefined && others.length === 0) return shell;
  throw new UsageError(choiceExpected("completion", SHELLS, [name, ...others].join(" ")), "completion");
}

/** The completions of a shell, as a script that it loads. */
export function completionOf(shell: Shell): string {
  return { bash, zsh, fish }[shell]();
}

/** The options that a command shows in its help. */
export function optionsOfCommand(command: CommandName | null): readonly OptionSpec[] {
  const own: CommandSpec["options"] = command === null ? [] : COMMANDS[command].options;
  return [...own, ...COMMON_OPTIONS].map((name): OptionSpec => OPTIONS[name])
    .filter(({ hidden }) => hidden !== true);
}

function commands(): readonly { readonly name: string; readonly spec: CommandSpec }[] {
  const help: CommandSpec = { help: "show the help of a command", options: [], examples: [] };
  return [...commandEntries().map(([name, spec]) => ({ name, spec })), { name: "help", spec: help }];
}

/** Whether an option is followed by a value. */
function takesValue({ flags }: OptionSpec): boolean {
  return flags.includes(" <");
}

const isOfFiles = ({ flags }: OptionSpec) => /<(FILE|PATH)>/.test(flags);
const isOfFolders = ({ flags }: OptionSpec) => flags.includes("<DIR>");

const FUNCTION = `_${PROGRAM.replaceAll("-", "_")}`;

/** bash needs no package for this script. */
function bash(): string {
  const all = Object.values<OptionSpec>(OPTIONS).filter(({ hidden }) => hidden !== true);
  const names = (options: readonly OptionSpec[]) => options.map(longName).join("|");
  const chosen = all.filter(({ choices }) => choices !== undefined);
  const rest = all.filter((it) => takesValue(it) && !chosen.includes(it));
  const [files, folders] = [rest.filter(isOfFiles), rest.filter(isOfFolders)];
  const others = rest.filter((it) => !files.includes(it) && !folders.includes(it));
  const reply = (flags: string) => `COMPREPLY=($(compgen ${flags} -- "$current")); return ;;`;
  return [
    `# Completions of ${PROGRAM} for bash.`,
    `${FUNCTION}() {`,
    "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]}",
    '    local command="" words="" word skip=""',
    '    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do',
    '        if [ -n "$skip" ]; then skip=""; continue; fi',
    "        case $word in",
    `            ${names(all.filter(takesValue))}) skip=yes ;;`,
    "            -*) ;;",
    "            *) command=$word; break ;;",
    "        esac",
    "    done",
    "    case $previous in",
    ...chosen.map((it) => `        ${longName(it)}) ${reply(`-W "${it.choices?.join(" ")}"`)}`),
    `        ${names(files)}) ${reply("-f")}`,
    `        ${names(folders)}) ${reply("-d")}`,
    `        ${names(others)}) return ;;`,
    "    esac",
    "    case $command in",
    `        "") words="${
      [...commands().map(({ name }) => name), ...optionsOfCommand(null).map(longName), "--help", "--version"]
        .join(" ")
    }" ;;`,
    ...commandEntries().map(([name, spec]) =>
      `        ${name}) words="${
        [...spec.actions ?? [], ...optionsOfCommand(name).map(longName), "--help"].join(" ")
      }" ;;`
    ),
    "    esac",
    '    COMPREPLY=($(compgen -W "$words" -- "$current"))',
    "}",
    `complete -F ${FUNCTION} ${PROGRAM}`,
    "",
  ].join("\n");
}

function zsh(): string {
  const argument = (it: OptionSpec) => {
    const what = it.choices !== undefined
      ? `:value:(${it.choices.join(" ")})`
      : isOfFolders(it)
      ? ":folder:_files -/"
      : isOfFiles(it)
      ? ":file:_files"
      : takesValue(it)
      ? ":value: "
      : "";
    const times = it.repeatable === true ? "*" : "";
    // Brackets and colons have a meaning in these descriptions.
    return quoted(`${times}${longName(it)}[${it.help.replaceAll(/[[\]:\\]/g, "\\$&")}]${what}`);
  };
  const words = (spec: CommandSpec) =>
    spec.actions !== undefined
      ? [`1:action:(${spec.actions.join(" ")})`, "*: : "]
      : spec.words === undefined
      ? []
      : ["*: : "];
  const described = commands().map(({ name, spec }) =>
    `        ${quoted(`${name}:${spec.help.replaceAll(":", "\\:")}`)}`
  );
  return [
    `#compdef ${PROGRAM}`,
    `# Completions of ${PROGRAM} for zsh.`,
    `${FUNCTION}() {`,
    "    local -a commands",
    "    commands=(",
    ...described,
    "    )",
    "    if (( CURRENT == 2 )); then",
    "        _describe command commands",
    "        return",
    "    fi",
    "    local command=$words[2]",
    "    shift words",
    "    (( CURRENT-- ))",
    "    case $command in",
    ...commandEntries().flatMap(([name, spec]) => [
      `        ${name})`,
      `            _arguments ${
        [...optionsOfCommand(name).map(argument), ...words(spec).map(quoted)].join(" \\\n                ")
      } ;;`,
    ]),
    "    esac",
    "}",
    // Loaded from a folder of completions, the file itself is the function.
    `if [ "$funcstack[1]" = "${FUNCTION}" ]; then ${FUNCTION} "$@"; else compdef ${FUNCTION} ${PROGRAM}; fi`,
    "",
  ].join("\n");
}

/** A text in single quotes, for bash and zsh. */
function quoted(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function fish(): string {
  const text = (it: string) => `'${it.replaceAll(/['\\]/g, "\\$&")}'`;
  const line = (condition: string, rest: string) => `complete -c ${PROGRAM} -n ${text(condition)} ${rest}`;
  const option = (condition: string, it: OptionSpec) => {
    const value = it.choices !== undefined
      ? ` -x -a ${text(it.choices.join(" "))}`
      : isOfFiles(it) || isOfFolders(it)
      ? " -r -F"
      : takesValue(it)
      ? " -x"
      : "";
    return line(condition, `-l ${longName(it).slice(2)} -d ${text(it.help)}${value}`);
  };
  return [
    `# Completions of ${PROGRAM} for fish.`,
    `complete -c ${PROGRAM} -f`,
    ...commands().map(({ name, spec }) => line("__fish_use_subcommand", `-a ${name} -d ${text(spec.help)}`)),
    ...optionsOfCommand(null).map((it) => option("__fish_use_subcommand", it)),
    ...commandEntries().flatMap(([name, spec]) => {
      const condition = `__fish_seen_subcommand_from ${name}`;
      const actions = spec.actions ?? [];
      const first = `${condition}; and not __fish_seen_subcommand_from ${actions.join(" ")}`;
      return [
        ...(actions.length === 0 ? [] : [line(first, `-a ${text(actions.join(" "))}`)]),
        ...optionsOfCommand(name).map((it) => option(condition, it)),
      ];
    }),
    "",
  ].join("\n");
}
