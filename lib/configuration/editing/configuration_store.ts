/** Where config.yaml is kept: what it says, saving it, and what it said before. */
import { ConfigurationError } from "../../errors/errors.ts";
import { isMissing, reasonOf } from "../../errors/system_errors.ts";
import { sha256Hex } from "../../hashes.ts";
import { type ConfigurationFile, readConfiguration, readConfigurationFile } from "../configuration_file.ts";
import { makeFolder, readTextFile, replaceOwnFile } from "../files.ts";
import { HalfWrittenError, namesIn, overwriteFile, removeFile, writeRefusal } from "./overwrite.ts";

/** The configuration as it is stored. */
export interface StoredConfiguration {
  /** null when there is no file yet. */
  readonly text: string | null;
  /** Changes with the text. */
  readonly fingerprint: string;
  /** The file's name in messages. */
  readonly source: string;
  /** Why it cannot be saved here, as the end of a sentence; null when it can. */
  readonly readOnly: string | null;
}

/** An earlier text. */
export interface KeptVersion {
  readonly id: string;
  /** When it was replaced, in milliseconds since 1970 (UTC). */
  readonly at: number;
  /** What replaced it: `add_gpu`. */
  readonly action: string;
}

/** What to save. */
export interface Save {
  readonly text: string;
  /** The fingerprint of the text that it replaces. */
  readonly shown: string;
  /** What it does, in letters, digits and underscores. */
  readonly action: string;
  /** Milliseconds since 1970 (UTC). */
  readonly at: number;
}

/** What became of it. */
export type Saved =
  | { readonly ok: true }
  /** The text is another than the one shown; nothing was written. */
  | { readonly ok: false; readonly changed: true }
  /** Nothing was written, or the message says what was. */
  | { readonly ok: false; readonly changed: false; readonly message: string };

/** Keeps a configuration. */
export interface ConfigurationStore {
  /**
   * Reads it.
   *
   * @throws {ConfigurationError} when it is there and cannot be read.
   */
  read(): StoredConfiguration;
  /** Replaces it, after the present text was kept as a version. */
  save(save: Save): Saved;
  /**
   * The present text.
   *
   * @throws {ConfigurationError} when there is none, or it cannot be read.
   */
  file(): ConfigurationFile;
  /** The earlier texts, latest first. */
  versions(): readonly KeptVersion[];
  /** An earlier text; null when it is not kept any more. */
  version(id: string): string | null;
}

/** More than anybody looks through; a text has a few kilobytes. */
export const MAX_VERSIONS = 50;

/** Whether a text has nothing but comments, or is not there. */
export function isUnwritten(text: string | null): boolean {
  return text === null || text.split("\n").every((line) => /^\s*(#.*|---\s*)?$/.test(line));
}

/** Fits into a form's field; a chance equality is as good as impossible. */
const FINGERPRINT_CHARS = 32;

/** The fingerprint of a text, or of none. */
export function fingerprintOf(text: string | null): string {
  return text === null ? "none" : sha256Hex(text).slice(0, FINGERPRINT_CHARS);
}

/** What a {@link FileStore} is given. */
export interface FileStoreOptions {
  readonly path: string;
  /** Where the earlier texts are kept. */
  readonly folder: string;
  /** What the earlier texts are called after their dot; default `yaml`. */
  readonly extension?: string;
  /** Default: as the file system does. */
  readonly overwrite?: (path: string, text: string) => void;
  /** Why the file cannot be written, or null; default: as the file system says. */
  readonly refusal?: (path: string) => unknown;
}

/** Keeps it in its file, which is written in place, and its versions in a folder. */
export class FileStore implements ConfigurationStore {
  readonly #path: string;
  readonly #folder: string;
  readonly #extension: string;
  readonly #overwrite: (path: string, text: string) => void;
  readonly #refusal: (path: string) => unknown;

  /** Reads nothing yet. */
  constructor(
    { path, folder, extension = "yaml", overwrite = overwriteFile, refusal = writeRefusal }: FileStoreOptions,
  ) {
    this.#extension = extension;
    this.#path = path;
    this.#folder = folder;
    this.#overwrite = overwrite;
    this.#refusal = refusal;
  }

  read(): StoredConfiguration {
    const text = this.#text();
    const refusal = text === null ? null : this.#refusal(this.#path);
    return {
      text,
      fingerprint: fingerprintOf(text),
      source: this.#path,
      readOnly: refusal === null ? null : reasonOf(refusal),
    };
  }

  file(): ConfigurationFile {
    return readConfiguration(this.#path);
  }

  save({ text, shown, action, at }: Save): Saved {
    const present = this.#text();
    if (fingerprintOf(present) !== shown) return { ok: false, changed: true };
    if (present === text) return { ok: true };
    const refuse = (message: string): Saved => ({ ok: false, changed: false, message });
    try {
      if (present !== null) this.#keep(present, { action, at });
    } catch (error) {
      return refuse(
        `The present text cannot be kept in ${this.#folder}: ${reasonOf(error)}. Nothing was saved`,
      );
    }
    try {
      this.#overwrite(this.#path, text);
      return { ok: true };
    } catch (error) {
      if (error instanceof HalfWrittenError) {
        return refuse(
          `${this.#path} was written only in part and could not be put back: ${reasonOf(error.cause)}. ` +
            `Its text from before is kept in ${this.#folder}`,
        );
      }
      return refuse(`${this.#path} cannot be written: ${reasonOf(error)}. It is unchanged`);
    }
  }

  versions(): readonly KeptVersion[] {
    return namesIn(this.#folder).flatMap((name) => versionOf(name, this.#extension) ?? []).toReversed();
  }

  version(id: string): string | null {
    if (!this.versions().some((version) => version.id === id)) return null;
    return readTextFile(this.#pathOf(id));
  }

  #text(): string | null {
    try {
      return readConfigurationFile(this.#path);
    } catch (error) {
      if (error instanceof ConfigurationError && isMissing(error.cause)) return null;
      throw error;
    }
  }

  #keep(text: string, { action, at }: Pick<Save, "action" | "at">): void {
    makeFolder(this.#folder);
    replaceOwnFile(this.#pathOf(versionId(at, action)), text);
    for (const { id } of this.versions().slice(MAX_VERSIONS)) removeFile(this.#pathOf(id));
  }

  #pathOf(id: string): string {
    return `${this.#folder}/${id}.${this.#extension}`;
  }
}

function versionId(at: number, action: string): string {
  return `${new Date(at).toISOString().replaceAll(/[-:.]/g, "")}-${action}`;
}

/** What a file's name says of its version; null for other files. */
function versionOf(name: string, extension: string): KeptVersion | null {
  if (!name.endsWith(`.${extension}`)) return null;
  const match = /^((\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)(\d{3})Z-(\w+))\.\w+$/.exec(name);
  if (match === null) return null;
  const [, id = "", ...parts] = match;
  const [year = 0, month = 1, day = 1, ...time] = parts.slice(0, -1).map(Number);
  return { id, at: Date.UTC(year, month - 1, day, ...time), action: parts.at(-1) ?? "" };
}

/** Keeps it in memory: a copy to try things with. */
export class MemoryStore implements ConfigurationStore {
  readonly #original: () => ConfigurationFile;
  #saved: string | null = null;
  #kept: readonly (KeptVersion & { readonly text: string })[] = [];

  /** `original` reads the text that it begins with, until it is saved. */
  constructor(original: () => ConfigurationFile) {
    this.#original = original;
  }

  file(): ConfigurationFile {
    return this.#saved === null ? this.#original() : { text: this.#saved, source: "config.yaml" };
  }

  read(): StoredConfiguration {
    const { text, source } = this.file();
    return { text, fingerprint: fingerprintOf(text), source, readOnly: null };
  }

  save({ text, shown, action, at }: Save): Saved {
    const present = this.file().text;
    if (fingerprintOf(present) !== shown) return { ok: false, changed: true };
    if (present !== text) {
      const version = { id: versionId(at, action), at, action, text: present };
      this.#kept = [version, ...this.#kept].slice(0, MAX_VERSIONS);
      this.#saved = text;
    }
    return { ok: true };
  }

  versions(): readonly KeptVersion[] {
    return this.#kept;
  }

  version(id: string): string | null {
    return this.#kept.find((version) => version.id === id)?.text ?? null;
  }
}
