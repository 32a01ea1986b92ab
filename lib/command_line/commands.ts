/** The commands and their options: the one table from which parsing and help are made. Pure data. */
import { EXPORT_NAMES } from "../exports/formats.ts";
import { TALOS_VERSION, TALOS_VERSIONS } from "../exports/talos.ts";
import { ON_FAILURE } from "../configuration/on_failure.ts";
import { SIMULATED_VERSIONS } from "../simulator/types.ts";

/** An option of one or more commands. */
export interface OptionSpec {
  /** As it is typed, with the name of its value: `--config <FILE>`. */
  readonly flags: string;
  /** One line of help. */
  readonly help: string;
  /** It may be given several times. */
  readonly repeatable?: boolean;
  /** It still works, but help does not show it. */
  readonly hidden?: boolean;
}

/** A command. */
export interface CommandSpec {
  /** One line of help. */
  readonly help: string;
  /** The words that may follow the command, as help shows them: `[TYPE...]`. */
  readonly words?: string;
  /** Its own options, beside the common ones. */
  readonly options: readonly OptionName[];
  /** Calls as a person would type them. */
  readonly examples: readonly string[];
}

/** Every option. */
export const OPTIONS = {
  config: { flags: "--config <FILE>", help: "configuration file (default: config.yaml)" },
  templatesDir: {
    flags: "--templates-dir <DIR>",
    help: "directory with your own vms/vm.json and devices/*.json",
  },
  envFile: {
    flags: "--env-file <FILE>",
    help: "file with NAME=value lines (default: .env, where there is one)",
  },
  logLevel: { flags: "--log-level <LEVEL>", help: "DEBUG, INFO, WARNING or ERROR" },
  json: { flags: "--json", help: "answer with one JSON value where the command answers with data" },
  yes: { flags: "--yes", help: "do not ask for confirmation; required where there is no terminal" },
  prefix: {
    flags: "--prefix <PREFIX>",
    help: "destroy the VMs called PREFIX followed by digits; may be repeated",
    repeatable: true,
  },
  vm: {
    flags: "--vm <NAME>",
    help: "destroy this VM, whoever created it; may be repeated",
    repeatable: true,
  },
  keepDisks: { flags: "--keep-disks", help: "keep the zvols" },
  shutdown: { flags: "--shutdown", help: "ask running VMs to shut down before powering them off" },
  atATime: {
    flags: "--at-a-time <N>",
    help: "VMs of each type to create at once (default: as many as the NAS takes)",
  },
  onFailure: {
    flags: "--on-failure <WHAT>",
    help: `when a VM cannot be created: ${ON_FAILURE.join(", ")} (default: roll-back)`,
  },
  detailedExitcode: {
    flags: "--detailed-exitcode",
    help: "exit with 3 when the NAS differs from the plan, 0 when it does not, 1 on errors",
  },
  format: { flags: "--format <FORMAT>", help: `format of the export: ${EXPORT_NAMES.join(", ")}` },
  output: {
    flags: "--output <PATH>",
    help: "file to write, or the folder for talos (default: standard output)",
  },
  planned: {
    flags: "--planned",
    help: "export the VMs of the configuration, created or not, instead of those on the NAS",
  },
  talosVersion: {
    flags: "--talos-version <VERSION>",
    help: `version of Talos: ${TALOS_VERSIONS.join(", ")} (default: ${TALOS_VERSION})`,
  },
  release: {
    flags: "--release <RELEASE>",
    help: `TrueNAS release to simulate: ${SIMULATED_VERSIONS.join(", ")} (default: 25.10)`,
  },
  version: { flags: "--version <RELEASE>", help: "the former name of --release", hidden: true },
  port: { flags: "--port <N>", help: "port of the simulated NAS (default: a free one)" },
  latency: { flags: "--latency <MS>", help: "milliseconds that each simulated call takes" },
  vms: { flags: "--vms <N>", help: "VMs that exist from the start (default: 5 for demo, 0 for simulate)" },
} as const satisfies Readonly<Record<string, OptionSpec>>;

/** The name of an option, as the parser gives it. */
export type OptionName = keyof typeof OPTIONS;

/** What every command takes. */
export const COMMON_OPTIONS: readonly OptionName[] = [
  "config",
  "templatesDir",
  "envFile",
  "logLevel",
  "json",
];

/** Every command; `help` and `--help` are the parser's own. */
export const COMMANDS = {
  serve: {
    help: "serve the dashboard against the NAS named in the environment (the default)",
    options: [],
    examples: ["serve", "serve --config cluster.yaml --env-file nas.env"],
  },
  demo: {
    help: "serve the dashboard against an embedded simulated NAS; needs no settings",
    options: ["release", "version", "latency", "vms"],
    examples: ["demo", "demo --release 27.0 --vms 20"],
  },
  simulate: {
    help: "serve the simulated NAS alone, for rehearsals and scripts",
    options: ["release", "version", "port", "latency", "vms"],
    examples: ["simulate --release 27.0 --vms 20"],
  },
  list: {
    help: "list the VMs of the NAS",
    options: [],
    examples: ["list", "list --json"],
  },
  plan: {
    help: "show what create would do; changes nothing",
    words: "[TYPE...]",
    options: ["detailedExitcode"],
    examples: ["plan", "plan worker --detailed-exitcode"],
  },
  create: {
    help: "create the VMs of the configuration",
    words: "[TYPE...]",
    options: ["atATime", "onFailure", "yes"],
    examples: ["create", "create worker --at-a-time 2 --on-failure keep"],
  },
  destroy: {
    help: "destroy VMs and their zvols; without --prefix and --vm those of the configuration's types",
    options: ["prefix", "vm", "keepDisks", "shutdown", "yes"],
    examples: ["destroy --prefix worker", "destroy --vm worker02 --keep-disks --yes"],
  },
  export: {
    help: "write what other tools need of the VMs: DHCP reservations, an inventory, Talos patches",
    words: "[TYPE...]",
    options: ["format", "output", "planned", "talosVersion"],
    examples: [
      "export --format kea --output kea-dhcp4.json",
      "export worker --format talos --output patches --talos-version 1.13",
    ],
  },
  validate: {
    help: "check configuration, templates and environment; sends nothing to the NAS",
    options: [],
    examples: ["validate --config cluster.yaml"],
  },
  version: { help: "print the version", options: [], examples: ["version"] },
} as const satisfies Readonly<Record<string, CommandSpec>>;

/** The name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** The commands, by name. */
export function commandEntries(): [CommandName, CommandSpec][] {
  return Object.entries(COMMANDS) as [CommandName, CommandSpec][];
}

/** The commands that take an option, as it is typed (`--prefix`); none for a common or an unknown one. */
export function commandsWith(flag: string): CommandName[] {
  const takes = ({ options }: CommandSpec) => options.some((name) => longName(OPTIONS[name]) === flag);
  return commandEntries().filter(([, spec]) => takes(spec)).map(([command]) => command);
}

/** An option as it is typed, without its value: `--config`. */
export function longName({ flags }: OptionSpec): string {
  return flags.split(" ")[0] ?? flags;
}
