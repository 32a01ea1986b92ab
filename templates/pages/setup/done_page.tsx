/** The end of set-up: what was written, and the way to the dashboard. */
import type { Problem } from "../../../lib/errors/errors.ts";
import { isSecret } from "../../../lib/configuration/environment/environment.ts";
import { CopyButton, ErrorSummary, Notice } from "../../parts/common.tsx";
import { Shape } from "../../parts/icons.tsx";
import { Layout, type PageFrame } from "../../layout.tsx";
import { paths } from "../../paths.ts";

/** Props of the page. */
export interface DoneProps {
  readonly frame: PageFrame;
  readonly settingsFile: string;
  /** Every stored setting; the values of secrets are not shown. */
  readonly settings: readonly (readonly [name: string, value: string])[];
  /** The new display password, the first time that the page is shown. */
  readonly displayPassword: string | null;
  readonly configuration:
    | { readonly kind: "written"; readonly file: string }
    /** An existing file, and the lines that would have to change. */
    | { readonly kind: "kept"; readonly file: string; readonly lines: readonly string[] };
  readonly problems: readonly Problem[];
}

const DOTS = "••••••••";

/** The page. */
export function DonePage(props: DoneProps) {
  const { frame, settingsFile, settings, displayPassword, configuration, problems } = props;
  return (
    <Layout {...frame} title="Your NAS is connected" current={null} closed>
      <div class="calm" id="setup" data-setup="done">
        <header>
          <h1>Your NAS is connected</h1>
          <p class="soft">The settings are stored on this machine. Nothing on the NAS was changed.</p>
        </header>
        <ErrorSummary problems={problems} />
        {displayPassword === null ? null : <DisplayPassword password={displayPassword} />}
        <section class="sheet">
          <h2 class="label">
            <Shape name="done" />
            <code>{settingsFile}</code>
          </h2>
          <p class="help">Readable by its owner only. The environment and .env take precedence over it.</p>
          <dl class="written">
            {settings.map(([name, value]) => (
              <div>
                <dt>
                  <code>{name}</code>
                </dt>
                <dd>
                  {isSecret(name) ? <span aria-label="hidden">{DOTS}</span> : <code dir="auto">{value}</code>}
                </dd>
              </div>
            ))}
          </dl>
        </section>
        <Configuration configuration={configuration} />
        <form method="post" action={paths.setupStep("open")}>
          <p class="actions">
            <button class="btn primary" type="submit">
              Open the dashboard
            </button>
          </p>
        </form>
      </div>
    </Layout>
  );
}

function DisplayPassword({ password }: { password: string }) {
  return (
    <Notice tone="quiet">
      <p>
        <strong>Password for the displays of new VMs</strong>
      </p>
      <p class="actions">
        <code id="display-password" class="secret">{password}</code>
        <CopyButton of="display-password" label="Copy" />
      </p>
      <p class="help">
        Shown once. It is stored as VNC_PASSWORD, and the console page shows it to you again.
      </p>
    </Notice>
  );
}

function Configuration({ configuration }: Pick<DoneProps, "configuration">) {
  const { file } = configuration;
  if (configuration.kind === "written") {
    return (
      <section class="sheet">
        <h2 class="label">
          <Shape name="done" />
          <code>{file}</code>
        </h2>
        <p class="help">Where disks go, what VMs boot from, and an example VM type called worker.</p>
      </section>
    );
  }
  const { lines } = configuration;
  return (
    <section class="sheet">
      <h2 class="label">
        <code>{file}</code> was left as it is
      </h2>
      {lines.length === 0 ? <p class="help">It already says what you chose.</p> : (
        <>
          <p class="help">To use what you chose, change these lines:</p>
          <pre class="log" tabindex={0}>{["storage:", ...lines].join("\n")}</pre>
        </>
      )}
    </section>
  );
}
