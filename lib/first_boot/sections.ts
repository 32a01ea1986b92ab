/** The sections `seed`, `addresses` and `ready` of a VM type. */
import { z } from "../zod.ts";
import type { AddressSection, ReadySection, SeedSection } from "./types.ts";

const text = z.string().min(1);
const texts = z.array(text);

/** Checks the values of `seed`. */
export const seedSection: z.ZodType<SeedSection> = z.strictObject({
  kind: z.enum(["cloud-init", "talos", "ignition"]),
  hostname: text.optional(),
  user: text.optional(),
  ssh_keys: texts.optional(),
  timezone: text.optional(),
  packages: texts.optional(),
  run: texts.optional(),
  user_data: text.optional(),
  network: text.optional(),
  config: text.optional(),
  patches: texts.optional(),
  version: text.optional(),
});

/** Checks `addresses`, by network. */
export const addressesSection: z.ZodType<Readonly<Record<string, AddressSection>>> = z.record(
  z.string(),
  z.union([
    z.literal("dhcp"),
    z.strictObject({
      range: text.optional(),
      list: texts.optional(),
      gateway: text.optional(),
      dns: texts.optional(),
    }),
  ]),
);

const when = z.union([
  z.enum(["phone-home", "talos", "agent", "console", "none"]),
  z.templateLiteral(["tcp:", z.int().min(1).max(65_535)]),
]);

/** Checks `ready`, of which a single word is the short form. */
export const readySection: z.ZodType<ReadySection> = z.preprocess(
  (value) => typeof value === "string" ? { when: value } : value,
  z.strictObject({
    when,
    timeout: text.optional(),
    otherwise: z.enum(["keep", "roll-back", "stop"]).optional(),
  }),
);
