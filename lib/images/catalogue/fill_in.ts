/** Fills an entry of the catalogue in. Pure. */
import type { Problem } from "../../errors/errors.ts";
import { show } from "../../inputs.ts";
import { CATALOGUE, type CatalogueEntry, type CatalogueField, type PublishedDigest } from "./catalogue.ts";
import { TALOS, wrongExtension } from "./talos.ts";

/** Every entry, Talos included. */
export const ENTRIES: readonly CatalogueEntry[] = [...CATALOGUE, TALOS];

/** An entry with its values. */
export interface FilledIn {
  readonly name: string;
  readonly url: string;
  readonly digest: PublishedDigest;
}

/** The entry of this id. */
export function entryOf(id: string): CatalogueEntry | null {
  return ENTRIES.find((entry) => entry.id === id) ?? null;
}

/** What is wrong with the values, at their fields; what is not given has its usual value. */
export function valueProblems(
  entry: CatalogueEntry,
  given: Readonly<Record<string, string>>,
): readonly Problem[] {
  return entry.fields.flatMap((field) => {
    const message = valueProblem(field, given[field.name] ?? field.value);
    return message === null ? [] : [{ field: field.name, message }];
  });
}

/** Longer values are no version of anything. */
const MAX_CHARS = 500;

function valueProblem({ name, label, choices, pattern, value: usual }: CatalogueField, value: string) {
  if (value.length > MAX_CHARS) return `${label} has ${value.length} characters; the maximum is ${MAX_CHARS}`;
  if (choices !== undefined && !Object.hasOwn(choices, value)) {
    return `${label} must be ${Object.keys(choices).join(" or ")}, found ${show(value)}`;
  }
  if (pattern !== undefined && !pattern.test(value)) {
    return `${show(value)} is not a ${label.toLowerCase()} like ${usual}`;
  }
  const wrong = name === "extensions" ? wrongExtension(value) : null;
  return wrong === null
    ? null
    : `${show(wrong)} is not the name of an extension; write it like siderolabs/qemu-guest-agent`;
}

/** The addresses and the name, for values without problems. */
export function fillIn(entry: CatalogueEntry, given: Readonly<Record<string, string>>): FilledIn {
  const values = Object.fromEntries(entry.fields.map(({ name, value }) => [name, given[name] ?? value]));
  const derived = Object.entries(entry.derived ?? {}).map(([name, derive]) =>
    [name, derive(values)] as const
  );
  const all = new Map([...Object.entries(values), ...derived]);
  const filled = (pattern: string) =>
    pattern.replaceAll(/\{(\w+)\}/g, (_, name: string) => all.get(name) ?? "");
  const { name, url, digest } = entry;
  return {
    name: filled(name),
    url: filled(url),
    digest: { ...digest, url: digest.url === null ? null : filled(digest.url) },
  };
}
