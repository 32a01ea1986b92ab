/** The examples of docs/first-boot.md, as people copy them. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { parseConfigurationFile } from "../../../lib/configuration/configuration_file.ts";
import type { Configuration } from "../../../lib/configuration/configuration.ts";
import { KEY } from "../../unit/first_boot/seed_samples.ts";

/** An example: its configuration, and the files beside it. */
export interface DocumentedSeed {
  readonly title: string;
  readonly configuration: Configuration;
  readonly files: Readonly<Record<string, string>>;
}

const DOCUMENT = new URL("../../../docs/first-boot.md", import.meta.url);

/** Every section with a config.yaml; a block belongs to the file that the line before it names last. */
export function documentedSeeds(): DocumentedSeed[] {
  const sections = readFileSync(DOCUMENT, "utf8").split(/^## /m);
  return sections.flatMap((section): DocumentedSeed[] => {
    const title = section.split("\n")[0] ?? "";
    const files: Record<string, string> = { "seeds/team.pub": `${KEY}\n` };
    for (
      const [, before = "", text = ""] of section.matchAll(
        /\n\n([^\n]+(?:\n[^\n]+)*):\n\n```\w+\n([\s\S]*?)```/g,
      )
    ) {
      const [, name] = /`([\w./-]+\.(?:yaml|ign))`/.exec(before) ?? [];
      if (name !== undefined) files[name] = text;
    }
    const { "config.yaml": text, ...others } = files;
    if (text === undefined) return [];
    const source = `docs/first-boot.md, ${title}`;
    assert.ok(Object.keys(others).length > 1, source);
    return [{ title, configuration: parseConfigurationFile({ text, source }).configuration, files: others }];
  });
}
