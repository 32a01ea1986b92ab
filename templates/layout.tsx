/** The frame of every page. */
import type { Child } from "hono/jsx";
import type { OperationView } from "../lib/operations/types.ts";
import {
  ConnectionBadge,
  ConnectionNotice,
  type ConnectionView,
  PageStream,
  StaleNotice,
  TypedNotice,
  UnencryptedNotice,
} from "./parts/frame/connection.tsx";
import { Icon, type IconName, Mark, Patterns } from "./parts/icons.tsx";
import { KeysDialog, OpenPalette, Palette } from "./parts/frame/palette.tsx";
import { COLOR_SCHEMES, SiteMenu, type Theme } from "./parts/frame/site_menu.tsx";
import { Tasks } from "./parts/frame/tasks.tsx";
import { Toasts } from "./parts/frame/toasts.tsx";
import { Undecided } from "./parts/frame/undecided.tsx";
import { paths } from "./paths.ts";

/** URLs of the files that every page may load. */
export interface AssetUrls {
  readonly css: string;
  readonly htmx: string;
  readonly keys: string;
  readonly live: string;
  readonly palette: string;
  readonly list: string;
  readonly menus: string;
  readonly tasks: string;
  readonly toasts: string;
  readonly opening: string;
  readonly times: string;
  readonly typed: string;
  readonly waterfall: string;
  readonly plan: string;
  readonly serial: string;
  readonly upload: string;
  readonly yaml: string;
  readonly favicon: string;
}

/** A section of the site, for the navigation. */
export type Section = "vms" | "create" | "images" | "checkpoints" | "activity" | "connection";

/** What the frame of every page shows. */
export interface PageFrame {
  /** The visitor has not signed in, so nothing about the NAS is shown. */
  readonly closed: boolean;
  readonly connection: ConnectionView;
  /** The connection to the NAS is not encrypted; every page shows a warning. */
  readonly unencrypted: boolean;
  readonly assets: AssetUrls;
  /** The colours chosen in this browser. */
  readonly theme: Theme;
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
  /** How many operations wait for a decision. */
  readonly undecided: number;
  /** Only the content of the frame was requested, by htmx. */
  readonly fragment: boolean;
  /** The running operations, newest first. */
  readonly running: readonly OperationView[];
  /** Milliseconds since 1970 (UTC). */
  readonly now: number;
}

/** What a page passes to its frame. */
export interface LayoutProps extends PageFrame {
  readonly title: string;
  /** The section that the page belongs to, or null. */
  readonly current: Section | null;
  /** The stream of live updates; by default it carries only the state of the connection. */
  readonly stream?: string;
  /** The operation that the page shows itself, or `all`: the tasks leave it out. */
  readonly shows?: string;
  /** Opens the part of the program that starts in place of this one; without a script after some seconds. */
  readonly refresh?: { readonly seconds: number; readonly url: string };
  readonly children?: Child;
}

/** The places of the site, in the order of the navigation. */
const NAVIGATION: readonly {
  readonly section: Section;
  readonly label: string;
  readonly icon: IconName;
  readonly href: () => string;
  /** Viewers do not see it. */
  readonly changes?: boolean;
}[] = [
  { section: "vms", label: "VMs", icon: "vm", href: paths.home },
  { section: "create", label: "Create", icon: "plus", href: paths.create, changes: true },
  { section: "images", label: "Images", icon: "image", href: () => paths.images() },
  { section: "checkpoints", label: "Checkpoints", icon: "clock", href: () => paths.checkpoints() },
  { section: "activity", label: "Activity", icon: "activity", href: () => paths.operations() },
];

/** The content security policy forbids htmx's own styles, and cached pages would show old data. */
const HTMX_CONFIG = JSON.stringify({
  includeIndicatorCSS: false,
  history: false,
  noSwap: [204, 304],
  // Menus and folds stay open when what they are in is updated.
  morphIgnore: ["data-htmx-powered", "open", "hx-morph"],
});

/** A whole page, or only the content of its frame. */
export function Layout(props: LayoutProps) {
  const { title, current, connection, unencrypted, assets, version, fragment, closed, children } = props;
  const { mayChange, theme, here, shows, running, now, stream = paths.connectionEvents() } = props;
  if (fragment) return <>{children}</>;
  return (
    <html lang="en" data-theme={theme}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content={COLOR_SCHEMES[theme]} />
        <meta name="htmx-config" content={HTMX_CONFIG} />
        {props.refresh === undefined ? null : (
          <>
            <noscript>
              <meta http-equiv="refresh" content={`${props.refresh.seconds};url=${props.refresh.url}`} />
            </noscript>
            <script src={assets.opening} type="module"></script>
          </>
        )}
        <title>{title} · TrueNAS VM Manager</title>
        <link rel="icon" href={assets.favicon} type="image/svg+xml" />
        <link rel="stylesheet" href={assets.css} />
        {/* A page is shown when it is whole: a half one would move while the rest arrives. */}
        <link rel="expect" href="#live-words" blocking="render" />
        <script src={assets.htmx} defer></script>
        <script src={assets.keys} defer></script>
        <script src={assets.palette} type="module"></script>
        <script src={assets.menus} type="module"></script>
        <script src={assets.times} type="module"></script>
        {/* Loaded by the pages before the one that needs it, because nothing answers then. */}
        {closed || current === "connection" ? <script src={assets.opening} type="module"></script> : null}
        <script src={assets.typed} type="module"></script>
        {closed ? null : <script src={assets.live} type="module"></script>}
        {closed ? null : <script src={assets.toasts} type="module"></script>}
        {current === "vms" ? <script src={assets.list} type="module"></script> : null}
        {closed ? null : <script src={assets.tasks} type="module"></script>}
      </head>
      <body
        data-here={closed ? undefined : here}
        data-login={closed ? undefined : paths.login()}
        data-tasks={closed ? undefined : paths.tasks()}
      >
        <a class="skip" href="#main">Skip to content</a>
        {closed ? null : <PageStream stream={stream} />}
        <Patterns />
        <header class="site">
          <div class="wrap">
            <a class="brand" href={paths.home()} aria-label="TrueNAS VM Manager">
              <Mark />
              <span>TrueNAS VM Manager</span>
            </a>
            {closed
              ? null
              : <Navigation current={current} mayChange={mayChange} undecided={props.undecided} />}
            <div class="end">
              {closed ? null : <OpenPalette />}
              {closed ? null : <ConnectionBadge connection={connection} />}
              <SiteMenu {...props} />
            </div>
          </div>
        </header>
        <main id="main" tabindex={-1}>
          <div class="wrap stack">
            <div class="notices">
              {closed ? null : <ConnectionNotice connection={connection} />}
              {closed ? null : <StaleNotice />}
              {closed ? null : <TypedNotice />}
              {!closed && unencrypted ? <UnencryptedNotice /> : null}
            </div>
            {children}
          </div>
        </main>
        <Toasts />
        <p id="live-words" class="visually-hidden" role="status"></p>
        <footer class="about">
          <p class="wrap">TrueNAS VM Manager {version}</p>
        </footer>
        {closed || shows === "all"
          ? null
          : <Tasks running={running.filter(({ id }) => id !== shows)} now={now} />}
        {closed ? null : <KeysDialog mayChange={mayChange} />}
        {closed ? null : <Palette />}
      </body>
    </html>
  );
}

function Navigation(
  { current, mayChange, undecided }: Pick<LayoutProps, "current" | "mayChange" | "undecided">,
) {
  return (
    <nav class="nav" aria-label="Main">
      <ul>
        {NAVIGATION.filter(({ changes }) => mayChange || !changes).map(({ section, label, icon, href }) => (
          <li>
            <a href={href()} aria-current={section === current ? "page" : undefined}>
              <Icon name={icon} />
              {label}
              {section === "activity" ? <Undecided count={undecided} /> : null}
            </a>
          </li>
        ))}
      </ul>
    </nav>
  );
}
