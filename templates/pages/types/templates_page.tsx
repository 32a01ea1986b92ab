/** The JSON templates: everything about a VM that its type does not say. */
import type { TemplateName } from "../../../lib/vm_templates/template_files.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { Notice, ViewerNotice } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";
import { ConfigurationTabs, sentence } from "./type_parts.tsx";

/** What each template is called on pages. */
export const TEMPLATE_WORDS = {
  vm: { title: "VM", of: "The argument of vm.create" },
  DISPLAY: { title: "Display", of: "The argument of vm.device.create for the display" },
  CDROM: { title: "CD-ROM", of: "The argument of vm.device.create for the install image" },
  NIC: { title: "NIC", of: "The argument of vm.device.create for each network" },
  DISK: { title: "Disk", of: "The argument of vm.device.create for each disk" },
} as const satisfies Record<TemplateName, { readonly title: string; readonly of: string }>;

/** A template as it is shown. */
export interface ShownTemplate {
  readonly name: TemplateName;
  /** Its name in addresses: `disk`. */
  readonly slug: string;
  readonly text: string;
  readonly source: string;
  /** Why it cannot be saved here, as the end of a sentence; null when it can. */
  readonly readOnly: string | null;
}

/** The state of the page. */
export interface TemplatesPageProps {
  readonly templates: readonly ShownTemplate[];
  /** Whether they are part of the program. */
  readonly areEmbedded: boolean;
  /** The title of the template that was just saved, or null. */
  readonly saved: string | null;
}

/** The page. */
export function TemplatesPage({ frame, page }: { frame: PageFrame; page: TemplatesPageProps }) {
  const { templates, areEmbedded, saved } = page;
  return (
    <Layout {...frame} title="Templates" current="create">
      <div class="page-head">
        <div class="title">
          <h1>VM types</h1>
          <span class="soft">Templates</span>
        </div>
        <div class="actions">
          <a class="btn" href={paths.downloadTemplates()} id="download-templates">
            <Icon name="export" />Download all
          </a>
        </div>
      </div>
      <ConfigurationTabs current="templates" />
      {saved === null ? null : (
        <Notice tone="good" role="status">
          <p id="saved">
            <strong>The {saved} template was saved.</strong>{" "}
            VMs created from now on use it. Existing VMs stay as they are.
          </p>
        </Notice>
      )}
      {frame.mayChange ? null : <ViewerNotice />}
      {areEmbedded ? <EmbeddedNotice /> : null}
      <p class="soft">
        A VM type says how many VMs there are and how large they are. The templates say everything else. The
        program fills in names, sizes, ports, MAC addresses and passwords. To change a key for one VM type
        only, set <code>template</code> in its <a href={paths.typesYaml()}>YAML</a>.
      </p>
      <div class="template-cards">
        {templates.map((template) => (
          <TemplateCard template={template} canEdit={frame.mayChange && template.readOnly === null} />
        ))}
      </div>
    </Layout>
  );
}

/** How to get templates that can be edited. */
export function EmbeddedNotice() {
  return (
    <Notice tone="quiet" id="embedded">
      <p>
        <strong>These templates are part of the program.</strong> To edit them,{" "}
        <a href={paths.downloadTemplates()}>download them all</a>, unpack the archive on the machine that runs
        the program, and start it with{" "}
        <code class="option">--templates-dir DIR</code>, where DIR is the unpacked folder.
      </p>
    </Notice>
  );
}

function TemplateCard({ template, canEdit }: { template: ShownTemplate; canEdit: boolean }) {
  const { name, slug, text, source, readOnly } = template;
  const { title, of } = TEMPLATE_WORDS[name];
  return (
    <section class="card" aria-labelledby={`template-${slug}`} data-template={slug}>
      <header>
        <div class="row">
          <h2 id={`template-${slug}`}>{title}</h2>
          <span class="soft sm">{of}</span>
        </div>
        <a
          class="btn sm"
          href={paths.template(slug)}
          aria-label={canEdit ? `Edit the ${title} template` : `Keys of the ${title} template`}
        >
          {canEdit ? "Edit" : "Keys"}
        </a>
      </header>
      <div class="body stack">
        <TemplateText source={source} text={text} />
        <p class="help">
          <code>{source}</code>
          {readOnly === null || readOnly === "it is part of the program" ? "" : ` · ${sentence(readOnly)}`}
        </p>
      </div>
    </section>
  );
}

/** A template's text, to be read. */
export function TemplateText({ source, text }: { source: string; text: string }) {
  return <pre class="template-text" role="region" tabindex={0} aria-label={source}><code>{text}</code></pre>;
}
