/** Parts that the pages of VM types share: their tabs, rows of a form, and choices from the NAS. */
import type { Child } from "hono/jsx";
import { Notice } from "../../parts/common.tsx";
import type { FormPlace } from "../../parts/type_form/inputs.tsx";
import { paths } from "../../paths.ts";

const TABS = [
  { tab: "types", label: "VM types", href: () => paths.types() },
  { tab: "yaml", label: "YAML", href: () => paths.typesYaml() },
  { tab: "templates", label: "Templates", href: () => paths.templates() },
  { tab: "versions", label: "Earlier versions", href: () => paths.typeVersions() },
] as const;

/** A tab of the configuration. */
export type ConfigurationTab = (typeof TABS)[number]["tab"];

/** The tabs of the configuration. */
export function ConfigurationTabs({ current }: { current: ConfigurationTab }) {
  return (
    <nav class="tabs" aria-label="Configuration">
      {TABS.map(({ tab, label, href }) => (
        <a href={href()} aria-current={tab === current ? "page" : undefined}>{label}</a>
      ))}
    </nav>
  );
}

/** The way back from a page below the list of types. */
export function TypeTrail({ children }: { children?: Child }) {
  return (
    <p class="trail">
      <a href={paths.types()}>VM types</a> <span aria-hidden="true">/</span> {children}
    </p>
  );
}

/** Says that the file cannot be saved here, and what to do. */
export function ReadOnlyNotice({ source, readOnly }: { source: string; readOnly: string | null }) {
  if (readOnly === null) return null;
  return (
    <Notice tone="warn">
      <p>
        <strong>{source} is read-only.</strong> {sentence(readOnly)}{" "}
        You can still edit here, then download the new file and put it in its place.
      </p>
    </Notice>
  );
}

/** The end of a sentence as a sentence of its own. */
export function sentence(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}.`;
}

/** Where the buttons of a type's form lead; its fields stand alone. */
export const TYPE_FORM: FormPlace = { prefix: "", id: "type-form", action: paths.typeForm };
