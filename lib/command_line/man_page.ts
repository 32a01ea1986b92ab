/** The manual page, from the table of commands. Pure. */
import { ENVIRONMENT_NAMES, SECRET_FILES_HELP } from "../configuration/environment/environment.ts";
import { VERSION } from "../version.ts";
import { commandEntries, type OptionSpec } from "./commands.ts";
import { optionsOfCommand } from "./completion.ts";
import { PROGRAM } from "./program_name.ts";

const EXIT_CODES = [
  ["0", "everything is done"],
  ["1", "the work, or a part of it, failed"],
  ["2", "wrong usage, configuration or environment; nothing was changed on the NAS"],
  ["3", "plan \\-\\-detailed\\-exitcode: something is to do"],
] as const;

/** The page in the language of man pages. */
export function manPage(): string {
  return [
    `.TH ${PROGRAM.toUpperCase().replaceAll("-", "\\-")} 1 "" ${
      quoted(`${PROGRAM} ${VERSION}`)
    } "User Commands"`,
    ".SH NAME",
    `${literal(PROGRAM)} \\- create and destroy groups of VMs on a TrueNAS`,
    ".SH SYNOPSIS",
    `.B ${literal(PROGRAM)}`,
    "[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]",
    ".SH DESCRIPTION",
    literal(
      "Creates groups of VMs from config.yaml and JSON templates, shows the plan first and every step as it " +
        "happens, and destroys exactly what was meant. Without a command it serves the dashboard.",
    ),
    ".SH COMMON OPTIONS",
    ...optionsOfCommand(null).flatMap(describeOption),
    ".SH COMMANDS",
    ...commandEntries().flatMap(([name, { help, words, options, examples }]) => [
      `.SS ${quoted(`${name}${words === undefined ? "" : ` ${words}`}`)}`,
      literal(sentence(help)),
      ...optionsOfCommand(name).slice(0, options.length).flatMap(describeOption),
      ".PP",
      examples.length === 1 ? "Example:" : "Examples:",
      ".PP",
      ".RS",
      ".nf",
      ...examples.map((it) => literal(`${PROGRAM} ${it}`)),
      ".fi",
      ".RE",
    ]),
    ".SH ENVIRONMENT",
    ...Object.entries(ENVIRONMENT_NAMES).flatMap(([name, help]) => tagged(name, help)),
    ".PP",
    literal(SECRET_FILES_HELP),
    ".SH EXIT STATUS",
    ...EXIT_CODES.flatMap(([code, meaning]) => [".TP", `.B ${code}`, meaning]),
    ".SH FILES",
    ...tagged("config.yaml", "what VMs there should be"),
    ...tagged(".env", "settings, one NAME=value a line"),
    "",
  ].join("\n");
}

function describeOption({ flags, help }: OptionSpec): readonly string[] {
  return tagged(flags, help);
}

function tagged(tag: string, text: string): readonly string[] {
  return [".TP", `.B ${literal(tag)}`, literal(text)];
}

function sentence(text: string): string {
  return `${text.charAt(0).toUpperCase()}${text.slice(1)}.`;
}

/** Text as it is: hyphens stay hyphens when copied, and no line is taken for a request. */
function literal(text: string): string {
  return text.replaceAll("\\", "\\e").replaceAll("-", "\\-").replace(/^[.']/, "\\&$&");
}

function quoted(text: string): string {
  return `"${literal(text).replaceAll('"', '""')}"`;
}
