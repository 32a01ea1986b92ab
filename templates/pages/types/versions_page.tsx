/** The earlier texts of the configuration. */
import { Layout, type PageFrame } from "../../layout.tsx";
import { DateTime, ViewerNotice } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { paths } from "../../paths.ts";
import { ConfigurationTabs } from "./type_parts.tsx";

/** An earlier text in the list. */
export interface VersionRow {
  readonly id: string;
  /** Milliseconds since 1970 (UTC). */
  readonly at: number;
  /** What replaced it: `gpu was added`. */
  readonly words: string;
}

/** The page. */
export function VersionsPage(
  { frame, versions, most }: { frame: PageFrame; versions: readonly VersionRow[]; most: number },
) {
  return (
    <Layout {...frame} title="Earlier versions" current="create">
      <div class="page-head">
        <div class="title">
          <h1>VM types</h1>
        </div>
      </div>
      <ConfigurationTabs current="versions" />
      {frame.mayChange ? null : <ViewerNotice />}
      {versions.length === 0
        ? (
          <section class="empty">
            <h2>No earlier versions yet</h2>
            <p>Each time you save here, the text from before is kept. Edits made elsewhere are not.</p>
          </section>
        )
        : (
          <>
            <section class="card" aria-labelledby="versions-heading">
              <header>
                <h2 id="versions-heading">Kept before each save</h2>
                <span class="sm soft">The latest {most}</span>
              </header>
              <ul class="history">
                {versions.map(({ id, at, words }) => (
                  <li data-version={id}>
                    <Icon name="clock" />
                    <span>
                      <a href={paths.typeVersion(id)}>Before {words}</a>
                    </span>
                    <DateTime at={at} />
                  </li>
                ))}
              </ul>
            </section>
            <p class="help">Open a version to compare it with the present text and to restore it.</p>
          </>
        )}
    </Layout>
  );
}
