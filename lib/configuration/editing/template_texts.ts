/** The templates as text: where each is kept, saving it, and what it said before. */
import { EMBEDDED, FILES, folderOf, type TemplateName } from "../../vm_templates/template_files.ts";
import type { ConfigurationFile } from "../configuration_file.ts";
import { readTextFile } from "../files.ts";
import {
  type ConfigurationStore,
  FileStore,
  fingerprintOf,
  type KeptVersion,
  type Saved,
  type StoredConfiguration,
} from "./configuration_store.ts";

/** A template's text, as far as pages need it. */
export type TemplateText = Pick<ConfigurationStore, "read" | "save" | "versions" | "version">;

/** Where the templates are kept. */
export interface TemplateTextsOptions {
  /** The folder that was given; undefined for the templates that are part of the program. */
  readonly templatesDir: string | undefined;
  /** Where the earlier texts are kept. */
  readonly versionsFolder: string;
  /** Whether nothing is saved, as in the demo. */
  readonly isDemo?: boolean;
}

/** Keeps the texts of all templates. */
export class TemplateTexts {
  /** Whether the templates are those that are part of the program. */
  readonly areEmbedded: boolean;
  readonly #of: (name: TemplateName) => TemplateText;

  /** Reads nothing yet. */
  constructor({ templatesDir, versionsFolder, isDemo = false }: TemplateTextsOptions) {
    this.areEmbedded = templatesDir === undefined;
    this.#of = (name) => {
      if (templatesDir === undefined) return new FixedText(() => embedded(name), "it is part of the program");
      const path = `${folderOf(templatesDir)}/${FILES[name]}`;
      if (isDemo) {
        return new FixedText(
          () => ({ text: readTextFile(path), source: path }),
          "the demo does not save templates",
        );
      }
      return new FileStore({ path, folder: `${versionsFolder}/${name.toLowerCase()}`, extension: "json" });
    };
  }

  /** One template's text. */
  of(name: TemplateName): TemplateText {
    return this.#of(name);
  }
}

function embedded(name: TemplateName): FixedFile {
  return { text: `${JSON.stringify(EMBEDDED[name], null, 2)}\n`, source: `templates/${FILES[name]}` };
}

type FixedFile = Pick<ConfigurationFile, "text" | "source">;

/** A template that is not saved here. */
class FixedText implements TemplateText {
  readonly #file: () => FixedFile;
  readonly #because: string;

  constructor(file: () => FixedFile, because: string) {
    this.#file = file;
    this.#because = because;
  }

  read(): StoredConfiguration {
    const { text, source } = this.#file();
    return { text, fingerprint: fingerprintOf(text), source, readOnly: this.#because };
  }

  save(): Saved {
    return {
      ok: false,
      changed: false,
      message: `The template cannot be saved: ${this.#because}. Nothing was saved`,
    };
  }

  versions(): readonly KeptVersion[] {
    return [];
  }

  version(): string | null {
    return null;
  }
}
