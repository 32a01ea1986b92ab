/** The program's words: its commands and options, and what is wrong with a call of it. Pure. */
import { ON_FAILURE, type OnFailure } from "./on_failure.ts";
import { ENVIRONMENT_NAMES } from "./environment.ts";
import { UsageError } from "./process.ts";
import { SIMULATED_VERSIONS, type SimulatorOptions } from "./simulator/types.ts";
import { VERSION } from "./version.ts";

/** What `help` says. */
export const USAGE = `TrueNAS VM Manager ${VERSION}

usage: main.ts [serve|demo|simulate|list|plan|create|destroy|validate|version|help] [options]

  serve      serve the dashboard against the NAS named in the environment (the default)
  demo       the same against an embedded simulated NAS; needs no setting at all
  simulate   serve the simulated NAS alone, for rehearsals and scripts
  list       list the VMs of the NAS
  plan       show what create would do: plan [TYPE…]; changes nothing
  create     create the VMs of the configuration: create [TYPE…]
  destroy    destroy VMs and their zvols: destroy [--prefix P]… [--vm NAME]… [--yes]
  validate   check configuration, templates and environment; sends nothing

options
  --config FILE          default config.yaml
  --templates-dir DIR    your own vms/vm.json and devices/*.json
  --env-file FILE        default .env when it exists
  --log-level LEVEL      DEBUG, INFO, WARNING or ERROR
  --json                 answer with one JSON value (list, plan, create, destroy)
  --prefix P             the VMs called P followed by digits; may be repeated (destroy)
  --vm NAME              this VM, whoever created it; may be repeated (destroy)
                         without --prefix and --vm: the VM types of the configuration (destroy)
  --keep-disks           leave the zvols (destroy)
  --shutdown             ask running VMs to shut down before powering them off (destroy)
  --at-a-time N          VMs of each type at a time; default as many as the NAS takes (create)
  --on-failure WHAT      roll-back (default), keep, or stop: what is done when a VM fails (create)
  --yes                  confirmed beforehand (destroy); needed where there is no terminal
  --version RELEASE      24.10, 25.04.2, 25.10 (default), 26.0 or 27.0: what to simulate (demo, simulate)
  --port N               where the simulated NAS listens (simulate); default a free one
  --latency MS           how long each simulated call takes (demo, simulate)
  --vms N                VMs that are there from the start (demo: 5, simulate: 0)

environment
${Object.entries(ENVIRONMENT_NAMES).map(([name, help]) => `  ${name.padEnd(22)} ${help}`).join("\n")}
`;

/** What the command line says. */
export interface Options {
  readonly config: string | undefined;
  readonly templatesDir: string | undefined;
  readonly envFile: string | undefined;
  readonly logLevel: string | undefined;
  readonly simulator: SimulatorOptions;
  readonly json: boolean;
  readonly yes: boolean;
  /** Names before their number; not given: none, or the configuration's types when no VM is named either. */
  readonly prefixes: readonly string[] | undefined;
  /** Whole names; not given: as for the prefixes. */
  readonly vmNames: readonly string[] | undefined;
  readonly keepDisks: boolean;
  readonly shutdown: boolean;
  /** VMs of each type at a time. */
  readonly parallel: number | undefined;
  readonly onFailure: OnFailure | undefined;
  /** The words after the command. */
  readonly types: readonly string[];
}

/** The commands. */
export const COMMANDS = [
  "serve",
  "demo",
  "simulate",
  "list",
  "plan",
  "create",
  "destroy",
  "validate",
  "version",
  "help",
] as const;

/** A command. */
export type Command = (typeof COMMANDS)[number];

/**
 * Reads the words of a call.
 *
 * @returns what rejects with a UsageError saying what is wrong.
 */
export async function readArguments(
  args: readonly string[],
): Promise<{ command: Command; options: Options }> {
  const { values, positionals } = wordsAlone(args) ?? await parse(args);
  const [word = "serve", ...rest] = positionals;
  const command = COMMANDS.find((known) => known === word);
  if (command === undefined) {
    throw new UsageError(`There is no command ${JSON.stringify(word)}; there are ${COMMANDS.join(", ")}`);
  }
  if (rest.length > 0 && command !== "plan" && command !== "create") {
    throw new UsageError(`${command} takes no further words, found ${JSON.stringify(rest.join(" "))}`);
  }
  const options = {
    config: values.config,
    templatesDir: values["templates-dir"],
    envFile: values["env-file"],
    logLevel: values["log-level"],
    simulator: simulatorOptions(values),
    json: values.json ?? false,
    yes: values.yes ?? false,
    prefixes: values.prefix,
    vmNames: values.vm,
    keepDisks: values["keep-disks"] ?? false,
    shutdown: values.shutdown ?? false,
    parallel: atATime(values["at-a-time"]),
    onFailure: onFailure(values["on-failure"]),
    types: rest,
  };
  return { command: values.help ? "help" : command, options };
}

/** A command without options: the parser would take a fifteenth of a start to be loaded. */
function wordsAlone(args: readonly string[]): Awaited<ReturnType<typeof parse>> | null {
  return args.some((word) => word.startsWith("-")) ? null : { values: {}, positionals: [...args] };
}

async function parse(args: readonly string[]) {
  const { parseArgs } = await import("node:util");
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        config: { type: "string" },
        "templates-dir": { type: "string" },
        "env-file": { type: "string" },
        "log-level": { type: "string" },
        version: { type: "string" },
        port: { type: "string" },
        latency: { type: "string" },
        vms: { type: "string" },
        json: { type: "boolean" },
        yes: { type: "boolean" },
        "keep-disks": { type: "boolean" },
        shutdown: { type: "boolean" },
        "at-a-time": { type: "string" },
        "on-failure": { type: "string" },
        prefix: { type: "string", multiple: true },
        vm: { type: "string", multiple: true },
        help: { type: "boolean", short: "h" },
      },
    });
    return { values, positionals };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

function atATime(text: string | undefined): number | undefined {
  const value = wholeNumber("--at-a-time", text, 99);
  if (value === 0) throw new UsageError("--at-a-time must be at least 1");
  return value;
}

function onFailure(text: string | undefined): OnFailure | undefined {
  const choice = ON_FAILURE.find((known) => known === text);
  if (text === undefined || choice !== undefined) return choice;
  throw new UsageError(`--on-failure must be ${ON_FAILURE.join(", ")}; found ${JSON.stringify(text)}`);
}

function simulatorOptions(
  values: { version?: string; port?: string; latency?: string; vms?: string },
): SimulatorOptions {
  const version = SIMULATED_VERSIONS.find((known) => known === (values.version ?? "25.10"));
  if (version === undefined) {
    throw new UsageError(
      `--version must be ${SIMULATED_VERSIONS.join(", ")}; found ${JSON.stringify(values.version)}`,
    );
  }
  const latencyMs = wholeNumber("--latency", values.latency, 60_000);
  const foreignVms = wholeNumber("--vms", values.vms, 10_000);
  const port = wholeNumber("--port", values.port, 65_535);
  return {
    version,
    ...(port === undefined ? {} : { port }),
    ...(latencyMs === undefined ? {} : { times: { callMs: latencyMs } }),
    ...(foreignVms === undefined ? {} : { foreignVms }),
  };
}

function wholeNumber(name: string, text: string | undefined, highest: number): number | undefined {
  if (text === undefined) return undefined;
  const value = Number(text);
  if (/^\d+$/.test(text) && value <= highest) return value;
  throw new UsageError(`${name} must be a whole number from 0 to ${highest}, found ${JSON.stringify(text)}`);
}
