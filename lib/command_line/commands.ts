/** The table of commands and options, from which both parsing and help are built. Pure data. */
import { EXPORT_NAMES, TALOS_VERSION, TALOS_VERSIONS } from "../exports/names.ts";
import { ON_FAILURE } from "../configuration/on_failure.ts";
import { SIMULATED_VERSIONS } from "../simulator/types.ts";

/** The shells that completions are made for. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** The columns of the command list. */
export const LIST_COLUMNS = [
  "name",
  "state",
  "cpu",
  "memory",
  "disks",
  "networks",
  "ip",
  "type",
  "id",
] as const;

/** A column of the command list. */
export type ListColumn = (typeof LIST_COLUMNS)[number];

/** An option of one or more commands. */
export interface OptionSpec {
  /** As typed, with its value's name: `--config <FILE>`. */
  readonly flags: string;
  /** One line of help. */
  readonly help: string;
  /** Whether it can be repeated. */
  readonly repeatable?: boolean;
  /** The values it can have, where they are few. */
  readonly choices?: readonly string[];
  /** Still accepted, but not shown in help. */
  readonly hidden?: boolean;
}

/** A command. */
export interface CommandSpec {
  /** One line of help. */
  readonly help: string;
  /** Arguments after the command, as shown in help: `[TYPE...]`. */
  readonly words?: string;
  /** The words that can come first, where they are few. */
  readonly actions?: readonly string[];
  /** The options it has besides the common ones. */
  readonly options: readonly OptionName[];
  /** Example calls. */
  readonly examples: readonly string[];
}

/** Every option. */
export const OPTIONS = {
  config: { flags: "--config <FILE>", help: "configuration file (default: config.yaml)" },
  templatesDir: {
    flags: "--templates-dir <DIR>",
    help: "folder with your own vms/vm.json and devices/*.json",
  },
  envFile: {
    flags: "--env-file <FILE>",
    help: "file with NAME=value lines (default: .env, if it exists)",
  },
  logLevel: {
    flags: "--log-level <LEVEL>",
    help: "DEBUG, INFO, WARNING or ERROR",
    choices: ["DEBUG", "INFO", "WARNING", "ERROR"],
  },
  json: { flags: "--json", help: "print data as one JSON value" },
  yes: {
    flags: "--yes",
    help: "skip the confirmation, required without a terminal; create also changes stopped VMs that differ",
  },
  prefix: {
    flags: "--prefix <PREFIX>",
    help: "destroy the VMs named PREFIX followed by digits; can be repeated",
    repeatable: true,
  },
  vm: {
    flags: "--vm <NAME>",
    help: "this VM, whoever created it, is destroyed, checkpointed, rolled back or replaced; can be repeated",
    repeatable: true,
  },
  note: { flags: "--note <TEXT>", help: "checkpoint create: a note, shown with the checkpoint" },
  discardNewer: {
    flags: "--discard-newer",
    help: "checkpoint rollback: remove the snapshots that are newer than the checkpoint",
  },
  keepDisks: { flags: "--keep-disks", help: "keep the zvols" },
  shutdown: {
    flags: "--shutdown",
    help: "shut running VMs down first, and power off those that do not respond",
  },
  atATime: {
    flags: "--at-a-time <N>",
    help: "VMs of each type to create in parallel (default: the NAS's limit), or to replace (default: 1)",
  },
  atNextStart: {
    flags: "--at-next-start",
    help:
      "with --yes: also change running VMs, without a restart; most changes take effect at their next start",
  },
  restart: {
    flags: "--restart [N]",
    help: "with --yes: also change running VMs and restart them, N of each type at a time (default: 1)",
  },
  replace: {
    flags: "--replace <NAME>",
    help: "destroy this VM and the disks that cannot be changed, and create it anew; can be repeated",
    repeatable: true,
  },
  drain: {
    flags: "--drain <COMMAND|URL>",
    help: "replace: runs this command, or posts to this URL, before and after each VM",
  },
  force: { flags: "--force", help: "replace: also where fewer than a majority of a quorum type stay" },
  url: { flags: "--url <URL>", help: "images add: address of the image" },
  sha256: {
    flags: "--sha256 <DIGEST>",
    help: "images add and upload: SHA-256 of the file, as its publisher lists it",
  },
  file: { flags: "--file <FILE>", help: "images upload: the image on this computer" },
  promote: {
    flags: "--promote",
    help: "images remove: let one of the image's clones take over its data",
  },
  waitReady: {
    flags: "--wait-ready",
    help: "create: wait until the VMs answer, as ready says in their types; exit with 1 if one does not",
  },
  wait: {
    flags: "--wait <MINUTES>",
    help: "how long to wait while the NAS is away (default: WAIT_MINUTES, or 15)",
  },
  onFailure: {
    flags: "--on-failure <WHAT>",
    choices: ON_FAILURE,
    help: `what to do when a VM cannot be created: ${ON_FAILURE.join(", ")} (default: roll-back)`,
  },
  detailedExitcode: {
    flags: "--detailed-exitcode",
    help: "exit with 0 if every VM is kept, 3 if something is to do, 1 if one is blocked or on errors",
  },
  format: {
    flags: "--format <FORMAT>",
    help: `export format: ${EXPORT_NAMES.join(", ")}`,
    choices: EXPORT_NAMES,
  },
  output: {
    flags: "--output <PATH>",
    help: "output file, or output folder for talos (default: standard output)",
  },
  allow: {
    flags: "--allow <WHAT>",
    choices: ["create"],
    help: "mcp: let the agent create what it has planned, without a person's approval",
  },
  list: { flags: "--list", help: "inventory: print all hosts, as Ansible asks for them" },
  host: { flags: "--host <NAME>", help: "inventory: print the variables of one host" },
  type: { flags: "--type <TYPE>", help: "list: only VMs of this type; can be repeated", repeatable: true },
  state: {
    flags: "--state <STATE>",
    help: "list: only VMs in this state, such as RUNNING",
    choices: ["RUNNING", "STOPPED", "SUSPENDED"],
  },
  columns: {
    flags: "--columns <NAMES>",
    help: `list: these columns, separated by commas: ${LIST_COLUMNS.join(", ")}`,
  },
  planned: {
    flags: "--planned",
    help: "export the configured VMs, created or not, instead of those on the NAS",
  },
  talosVersion: {
    flags: "--talos-version <VERSION>",
    choices: TALOS_VERSIONS,
    help: `Talos version: ${TALOS_VERSIONS.join(", ")} (default: ${TALOS_VERSION})`,
  },
  release: {
    flags: "--release <RELEASE>",
    choices: SIMULATED_VERSIONS,
    help: `TrueNAS release to simulate: ${SIMULATED_VERSIONS.join(", ")} (default: 25.10)`,
  },
  version: { flags: "--version <RELEASE>", help: "former name of --release", hidden: true },
  port: { flags: "--port <N>", help: "port of the simulated NAS (default: a free one)" },
  latency: { flags: "--latency <MS>", help: "duration of each simulated call in milliseconds" },
  story: {
    flags: "--story",
    help: "play a story: slower, under load, with a failure, an outage and a decision to make",
  },
  vms: { flags: "--vms <N>", help: "VMs that exist at the start (default: 5 for demo, 0 for simulate)" },
} as const satisfies Readonly<Record<string, OptionSpec>>;

/** The name of an option in the parser's result. */
export type OptionName = keyof typeof OPTIONS;

/** The options of every command. */
export const COMMON_OPTIONS: readonly OptionName[] = [
  "config",
  "templatesDir",
  "envFile",
  "logLevel",
  "json",
];

/** Every command; the parser adds `help` and `--help`. */
export const COMMANDS = {
  serve: {
    help: "serve the dashboard against the NAS named in the environment (the default)",
    options: [],
    examples: ["serve", "serve --config cluster.yaml --env-file nas.env"],
  },
  demo: {
    help: "serve the dashboard against an embedded simulated NAS; needs no settings",
    options: ["release", "version", "latency", "vms", "story"],
    examples: ["demo", "demo --story", "demo --release 27.0 --vms 20"],
  },
  simulate: {
    help: "serve the simulated NAS alone, for rehearsals and scripts",
    options: ["release", "version", "port", "latency", "vms"],
    examples: ["simulate --release 27.0 --vms 20"],
  },
  list: {
    help: "list the VMs on the NAS",
    options: ["type", "state", "columns"],
    examples: ["list", "list --type worker --state RUNNING --columns name,ip", "list --json"],
  },
  plan: {
    help: "show what create would do; changes nothing",
    words: "[TYPE...]",
    options: ["detailedExitcode"],
    examples: ["plan", "plan worker --detailed-exitcode"],
  },
  create: {
    help: "create the configured VMs; with --yes, also change those that exist and differ",
    words: "[TYPE...]",
    options: ["atATime", "onFailure", "wait", "waitReady", "yes", "atNextStart", "restart", "replace"],
    examples: [
      "create",
      "create worker --at-a-time 2 --on-failure keep",
      "create --yes --restart 2",
      "create worker --wait-ready --json",
      "create --replace worker02",
    ],
  },
  replace: {
    help: "make the VMs of a type anew, one after another, each once the one before answers",
    words: "<TYPE>",
    options: ["atATime", "drain", "vm", "force", "wait", "yes"],
    examples: [
      "replace worker",
      'replace worker --drain \'[ "$PHASE" = after ] || kubectl drain "$VM"\' --yes',
      "replace worker --vm worker02 --vm worker03",
    ],
  },
  destroy: {
    help: "destroy VMs and their zvols (default: the VMs of the configured types)",
    options: ["prefix", "vm", "keepDisks", "shutdown", "wait", "yes"],
    examples: ["destroy --prefix worker", "destroy --vm worker02 --keep-disks --yes"],
  },
  vm: {
    help: "start, shut down, restart or power off VMs: vm start|stop|restart|poweroff NAME...",
    words: "<start|stop|restart|poweroff> [NAME...]",
    actions: ["start", "stop", "restart", "poweroff"],
    options: ["wait", "yes"],
    examples: ["vm start worker01 worker02", "vm restart worker01", "vm poweroff worker03 --yes"],
  },
  checkpoint: {
    help: "take, list, roll back to or remove checkpoints of VMs' disks (default: the configured types)",
    words: "<create|list|rollback|remove> [NAME] [TYPE...]",
    actions: ["create", "list", "rollback", "remove"],
    options: ["note", "shutdown", "discardNewer", "vm", "wait", "yes"],
    examples: [
      'checkpoint create before-upgrade worker --note "v1.13, all well"',
      "checkpoint list --json",
      "checkpoint rollback before-upgrade --vm worker02 --discard-newer",
      "checkpoint remove before-upgrade --yes",
    ],
  },
  images: {
    help: "list images and the VMs made from them, add one or remove one: images list|add|upload|remove",
    words: "[ACTION...]",
    actions: ["list", "add", "upload", "remove"],
    options: ["url", "sha256", "file", "promote", "wait", "yes"],
    examples: [
      "images list --json",
      "images add debian12 --url https://example.org/debian-12.qcow2 --sha256 <DIGEST>",
      "images upload debian12 --file debian-12.qcow2",
      "images remove debian12 --promote --yes",
    ],
  },
  export: {
    help: "export VMs for other tools: DHCP reservations, an Ansible inventory, Talos patches",
    words: "[TYPE...]",
    options: ["format", "output", "planned", "talosVersion"],
    examples: [
      "export --format kea --output kea-dhcp4.json",
      "export worker --format talos --output patches --talos-version 1.13",
    ],
  },
  inventory: {
    help: "answer Ansible as a dynamic inventory: hosts by VM type, with address and MAC",
    options: ["list", "host"],
    examples: ["inventory --list", "inventory --host worker01"],
  },
  mcp: {
    help: "serve an AI agent by the Model Context Protocol on standard input and output",
    options: ["allow"],
    examples: ["mcp", "mcp --config cluster.yaml", "mcp --allow create"],
  },
  validate: {
    help: "check configuration, templates and environment without contacting the NAS",
    options: [],
    examples: ["validate --config cluster.yaml"],
  },
  completion: {
    help: `print completions of a shell: ${SHELLS.join(", ")}`,
    words: "[SHELL]",
    actions: SHELLS,
    options: [],
    examples: ["completion bash > /etc/bash_completion.d/truenas-vm-manager"],
  },
  man: { help: "print the manual page", options: [], examples: ["man > truenas-vm-manager.1"] },
  version: { help: "print the version", options: [], examples: ["version"] },
} as const satisfies Readonly<Record<string, CommandSpec>>;

/** The name of a command. */
export type CommandName = keyof typeof COMMANDS;

/** The commands and their names. */
export function commandEntries(): [CommandName, CommandSpec][] {
  return Object.entries(COMMANDS) as [CommandName, CommandSpec][];
}

/** The commands that have an option, given as typed (`--prefix`); empty for a common or unknown option. */
export function commandsWith(flag: string): CommandName[] {
  const takes = ({ options }: CommandSpec) => options.some((name) => longName(OPTIONS[name]) === flag);
  return commandEntries().filter(([, spec]) => takes(spec)).map(([command]) => command);
}

/** An option as typed, without its value: `--config`. */
export function longName({ flags }: OptionSpec): string {
  return flags.split(" ")[0] ?? flags;
}
