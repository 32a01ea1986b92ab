/** The frame of every page. */
import type { Child } from "hono/jsx";
import {
  ConnectionBadge,
  ConnectionNotice,
  type ConnectionView,
  PageStream,
  StaleNotice,
  TypedNotice,
  UnencryptedNotice,
} from "./parts/connection.tsx";
import { paths } from "./paths.ts";

/** URLs of the files that every page may load. */
export interface AssetUrls {
  readonly css: string;
  readonly htmx: string;
  readonly keys: string;
  readonly live: string;
  readonly times: string;
  readonly typed: string;
  readonly serial: string;
  readonly favicon: string;
}

/** A section of the site, for the navigation. */
export type Section = "vms" | "create" | "destroy" | "operations" | "connection";

/** What the frame of every page shows. */
export interface PageFrame {
  /** The visitor has not signed in, so nothing about the NAS is shown. */
  readonly closed: boolean;
  readonly connection: ConnectionView;
  /** The connection to the NAS is not encrypted; every page shows a warning. */
  readonly unencrypted: boolean;
  readonly assets: AssetUrls;
  /** The program's version. */
  readonly version: string;
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
  /** The page to open again after signing in: its path and query, without the base path. */
  readonly here: string;
  /** Whether to offer signing out. */
  readonly signedIn: boolean;
  /** Roles that the account is missing and that every change requires. */
  readonly missingRoles: readonly string[];
  /** Only the content of the frame was requested, by htmx. */
  readonly fragment: boolean;
}

/** What a page passes to its frame. */
export interface LayoutProps extends PageFrame {
  readonly title: string;
  /** The section that the page belongs to, or null. */
  readonly current: Section | null;
  /** The stream of live updates; by default it carries only the state of the connection. */
  readonly stream?: string;
  readonly children?: Child;
}

const NAVIGATION: readonly (readonly [Section, string, () => string])[] = [
  ["vms", "VMs", paths.home],
  ["create", "Create", paths.create],
  ["destroy", "Destroy", paths.destroy],
  ["operations", "Operations", paths.operations],
];

/** Sections that viewers do not see. */
const FOR_CHANGES: readonly Section[] = ["create", "destroy"];

const KEYS: readonly (readonly [string, string])[] = [
  ["/", "Filter the list"],
  ["Up Down", "Move between VMs"],
  ["Space", "Select the VM"],
  ["Enter", "Open the link or press the button"],
  ["Esc", "Leave the field or close this list"],
  ["?", "Show keyboard shortcuts"],
];

/** The content security policy forbids htmx's own styles, and cached pages would show old data. */
const HTMX_CONFIG = JSON.stringify({ includeIndicatorCSS: false, history: false, noSwap: [204, 304] });

/** A whole page, or only the content of its frame. */
export function Layout(props: LayoutProps) {
  const { title, current, connection, unencrypted, assets, version, fragment, closed, children } = props;
  const { mayChange, signedIn, here, stream = paths.connectionEvents() } = props;
  if (fragment) return <>{children}</>;
  return (
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="htmx-config" content={HTMX_CONFIG} />
        <title>{title} · TrueNAS VM Manager</title>
        <link rel="icon" href={assets.favicon} type="image/svg+xml" />
        <link rel="stylesheet" href={assets.css} />
        <script src={assets.htmx} defer></script>
        <script src={assets.keys} defer></script>
        <script src={assets.times} type="module"></script>
        <script src={assets.typed} type="module"></script>
        {closed ? null : <script src={assets.live} type="module"></script>}
      </head>
      <body data-here={closed ? undefined : here} data-login={closed ? undefined : paths.login()}>
        <a class="skip" href="#main">Skip to content</a>
        {closed ? null : <PageStream stream={stream} />}
        <header class="site">
          <a class="brand" href={paths.home()}>TrueNAS VM Manager</a>
          {closed ? null : (
            <>
              <nav aria-label="Site">
                <ul>
                  {NAVIGATION.filter(([section]) => mayChange || !FOR_CHANGES.includes(section)).map((
                    [section, label, href],
                  ) => (
                    <li>
                      {section === current
                        ? <a href={href()} aria-current="page">{label}</a>
                        : <a href={href()}>{label}</a>}
                    </li>
                  ))}
                </ul>
              </nav>
              <ConnectionBadge connection={connection} />
              {signedIn
                ? (
                  <form method="post" action={paths.logout()} class="logout">
                    <button type="submit">Sign out{mayChange ? "" : " (viewer)"}</button>
                  </form>
                )
                : null}
            </>
          )}
        </header>
        <main id="main" tabindex={-1}>
          {closed ? null : <ConnectionNotice connection={connection} />}
          {closed ? null : <StaleNotice />}
          {closed ? null : <TypedNotice />}
          {!closed && unencrypted ? <UnencryptedNotice /> : null}
          {children}
        </main>
        <p id="live-words" class="visually-hidden" role="status"></p>
        <footer class="site">
          <p>TrueNAS VM Manager {version}</p>
        </footer>
        <dialog id="keys" aria-labelledby="keys-heading">
          <h2 id="keys-heading">Keyboard shortcuts</h2>
          <dl class="facts">
            {KEYS.map(([key, what]) => (
              <div>
                <dt>
                  <kbd>{key}</kbd>
                </dt>
                <dd>{what}</dd>
              </div>
            ))}
          </dl>
          <form method="dialog">
            <button type="submit">Close</button>
          </form>
        </dialog>
      </body>
    </html>
  );
}
