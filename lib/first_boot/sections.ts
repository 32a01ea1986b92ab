/** The sections `seed` and `ready` of a VM type; `addresses` is in addresses/address_section.ts. */
import { z } from "../zod.ts";
import { checkedValue, choice, listOf, otherwise, text } from "../configuration/checked_values.ts";
import { TALOS_VERSIONS, talosVersionOf } from "../exports/names.ts";
import { choiceExpected, show } from "../inputs.ts";
import { keySourceOf } from "./rendering/seed_texts.ts";
import { seedPathProblem } from "./seed_paths.ts";
import {
  hostNameProblem,
  packageProblem,
  sshKeyProblem,
  timezoneProblem,
  userProblem,
} from "./seed_values.ts";
import { MAX_TIMEOUT, MIN_TIMEOUT, timeoutMsOf } from "./timeouts.ts";
import type { ReadySection, ReadyWhen, SeedKind, SeedSection } from "./types.ts";

const MAX_KEYS = 64;
const MAX_PACKAGES = 200;
const MAX_COMMANDS = 200;
const MAX_COMMAND_CHARS = 4_096;
const MAX_PATCHES = 32;

const file = (what: string) => text(what, seedPathProblem);

const command = text(
  "The command",
  (text) =>
    text.length <= MAX_COMMAND_CHARS
      ? null
      : `The command has ${text.length} characters; put it into a script under user_data`,
);

/** YAML reads 1.13 as a number. */
const talosVersion = z.unknown().transform((value, context): string => {
  const version = typeof value === "number" || typeof value === "string"
    ? talosVersionOf(String(value))
    : null;
  if (version !== null) return version;
  context.addIssue({
    code: "custom",
    message: choiceExpected("The version of Talos", TALOS_VERSIONS, value),
  });
  return z.NEVER;
}).meta({
  anyOf: [
    { enum: TALOS_VERSIONS.flatMap((version): (string | number)[] => [version, Number(version)]) },
    { type: "string", pattern: `^v?(${TALOS_VERSIONS.join("|").replaceAll(".", "[.]")})([.][0-9]+(-.+)?)?$` },
  ],
});

const seedKeys = z.strictObject({
  kind: choice("kind", ["cloud-init", "talos", "ignition"]),
  hostname: text("The host name", hostNameProblem).optional(),
  user: text("The user", userProblem).optional(),
  ssh_keys: listOf(text("The key", (text) => sshKeyProblem(text, keySourceOf(text))), {
    what: "ssh_keys",
    most: MAX_KEYS,
    example: "[ssh-ed25519 AAAA…, seeds/team.pub, github:NAME]",
  }).optional(),
  timezone: text("The time zone", timezoneProblem).optional(),
  packages: listOf(text("The package", packageProblem), {
    what: "packages",
    most: MAX_PACKAGES,
    example: "[curl, qemu-guest-agent]",
  }).optional(),
  run: listOf(command, { what: "run", most: MAX_COMMANDS, example: "[systemctl enable --now k3s]" })
    .optional(),
  user_data: file("The file of user data").optional(),
  network: file("The file of the network configuration").optional(),
  config: file("The file").optional(),
  patches: listOf(file("The patch"), { what: "patches", most: MAX_PATCHES, example: "[seeds/patch.yaml]" })
    .optional(),
  version: talosVersion.optional(),
}, otherwise("seed must have a kind (cloud-init, talos or ignition) and its values as name: value lines"));

/** Which keys a kind has besides its own. */
const KEYS = {
  "cloud-init": ["hostname", "user", "ssh_keys", "timezone", "packages", "run", "user_data", "network"],
  talos: ["hostname", "config", "patches", "version"],
  ignition: ["hostname", "user", "ssh_keys", "config"],
} as const satisfies Record<SeedKind, readonly (keyof SeedSection)[]>;

/** The keys of a seed besides its kind; none for a kind that does not exist. */
export function keysOfSeed(kind: string): readonly string[] {
  return Object.entries(KEYS).find(([name]) => name === kind)?.[1] ?? [];
}

const CONFIG = {
  talos:
    "A Talos seed needs the machine configuration that talosctl gen config writes: config: seeds/worker.yaml",
  ignition: "An Ignition seed needs the file that butane writes: config: seeds/node.ign",
} as const;

/** Checks the values of `seed`. */
export const seedSection = seedKeys.superRefine((section, context) => {
  const { kind, config } = section;
  const own: readonly string[] = ["kind", ...KEYS[kind]];
  for (const key of Object.keys(section).filter((key) => !own.includes(key))) {
    const kinds = Object.entries(KEYS).flatMap(([kind, keys]) => keys.some((it) => it === key) ? [kind] : []);
    const message = `A seed of kind ${kind} has no ${key}, only ${kinds.join(" and ")} has; remove it`;
    context.addIssue({ code: "custom", path: [key], message });
  }
  if (kind !== "cloud-init" && config === undefined) {
    context.addIssue({ code: "custom", path: ["config"], message: CONFIG[kind] });
  }
});

/** A value in one of two forms, with the problems of the one that it has. */
function inForm<T>(formOf: (value: unknown) => z.ZodType<T>, expected: string) {
  return z.unknown().transform((value, context): T => {
    const form = formOf(value);
    const read = form.safeParse(value);
    if (read.success) return read.data;
    for (const issue of read.error.issues) {
      const { path, message } = issue;
      if (issue.code === "unrecognized_keys") {
        for (const key of issue.keys) {
          context.addIssue({
            code: "custom",
            path: [...path, key],
            message: `Unknown key ${show(key)}; ${expected}`,
          });
        }
      } else {context.addIssue({
          code: "custom",
          path,
          message: issue.code === "custom" ? message : expected,
        });}
    }
    return z.NEVER;
  });
}

const WHEN = ["phone-home", "talos", "agent", "console", "none"] as const;
const MAX_PORT = 65_535;

function isWhen(value: unknown): value is ReadyWhen {
  if (typeof value !== "string") return false;
  const [, port = ""] = /^tcp:(\d{1,5})$/.exec(value) ?? [];
  return WHEN.some((word) => word === value) || Number(port) >= 1 && Number(port) <= MAX_PORT;
}

/** Also read beside a field in which only the number is typed. */
function portProblem(port: string): string {
  return port === ""
    ? `The port is missing; it is a number from 1 to ${MAX_PORT}, such as 22`
    : `The port must be a number from 1 to ${MAX_PORT}, such as 22; found ${show(port)}`;
}

const when = checkedValue(
  isWhen,
  (value) =>
    typeof value === "string" && value.startsWith("tcp:")
      ? portProblem(value.slice("tcp:".length))
      : choiceExpected("when", ["phone-home", "tcp:PORT", "talos", "agent", "console", "none"], value),
)
  .meta({ type: "string", pattern: `^(${WHEN.join("|")}|tcp:[0-9]{1,5})$` });

const readyKeys = z.strictObject({
  when: when.optional(),
  timeout: checkedValue(
    (value): value is string => typeof value === "string" && timeoutMsOf(value) !== null,
    (value) =>
      `The timeout must be from ${MIN_TIMEOUT} to ${MAX_TIMEOUT}, written like 90s, 10m or 1h; found ${
        show(value)
      }`,
  ).meta({ type: "string", pattern: "^[0-9]+[smh]$" }).optional(),
  otherwise: choice("otherwise", ["keep", "roll-back", "stop"]).optional(),
});

const readyWord = when.transform((when): ReadySection => ({ when }));

/** Checks `ready`, of which a single word is the short form. */
export const readySection = inForm<ReadySection>(
  (value) => typeof value === "string" ? readyWord : readyKeys,
  "ready has when, timeout and otherwise, or is a single word such as phone-home",
).meta({ anyOf: [schemaOf(when), schemaOf(readyKeys)] });

function schemaOf(form: z.ZodType): Record<string, unknown> {
  const { $schema: _, ...schema } = z.toJSONSchema(form, { unrepresentable: "any" });
  return schema;
}
