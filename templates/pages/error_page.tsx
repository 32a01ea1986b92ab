/** What went wrong, and what to do. */
import { Layout, type PageFrame } from "../layout.tsx";
import { Notice } from "../parts/common.tsx";
import { Shape } from "../parts/icons.tsx";
import { Said } from "../parts/said.tsx";
import { paths } from "../paths.ts";

/** Props of the page. */
export interface ErrorPageProps {
  readonly frame: PageFrame;
  readonly title: string;
  readonly message: string;
  readonly remedy: string | null;
}

/** The page. */
export function ErrorPage({ frame, title, message, remedy }: ErrorPageProps) {
  return (
    <Layout {...frame} title={title} current={null}>
      <section class="card trouble">
        <div class="body">
          <Shape name="bad" />
          <h1>{title}</h1>
          <p>
            <Said text={message} />
          </p>
          {remedy === null ? null : (
            <p class="soft">
              <Said text={remedy} />
            </p>
          )}
          <p class="actions">
            <a class="btn primary" href={paths.home()}>Go to VMs</a>
          </p>
        </div>
      </section>
    </Layout>
  );
}

/** The same for a fragment requested by htmx. */
export function ErrorPart({ message, remedy }: { message: string; remedy: string | null }) {
  return (
    <Notice tone="bad" role="alert">
      <p>
        <strong>
          <Said text={message} />
        </strong>
      </p>
      {remedy === null ? null : (
        <p>
          <Said text={remedy} />
        </p>
      )}
    </Notice>
  );
}
