/** The menu at the end of the header: who is signed in, the theme, keyboard shortcuts, and signing out. */
import { Icon } from "../icons.tsx";
import { paths } from "../../paths.ts";

const THEMES = {
  system: "Same as the system",
  light: "Light",
  dark: "Dark",
} as const satisfies Record<string, string>;

/** The colours of the pages. */
export type Theme = keyof typeof THEMES;

/** Whether a text names a theme. */
export function isTheme(text: string | null | undefined): text is Theme {
  return Object.keys(THEMES).includes(text ?? "");
}

/** What browsers are told about the colours of a page. */
export const COLOR_SCHEMES = {
  system: "light dark",
  light: "light",
  dark: "dark",
} as const satisfies Record<Theme, string>;

/** Props of the menu. */
export interface SiteMenuProps {
  readonly theme: Theme;
  /** The page to return to. */
  readonly here: string;
  readonly mayChange: boolean;
  readonly signedIn: boolean;
  /** Nobody has signed in yet. */
  readonly closed: boolean;
}

/** The menu. */
export function SiteMenu({ theme, here, mayChange, signedIn, closed }: SiteMenuProps) {
  const role = mayChange ? "administrator" : "viewer";
  return (
    <details class="menu" name="menu" id="site-menu">
      {signedIn
        ? <summary class="avatar" aria-label={`Signed in as ${role}`}>{mayChange ? "AD" : "VW"}</summary>
        : (
          <summary class="avatar" aria-label="Theme and shortcuts">
            <Icon name="theme" />
          </summary>
        )}
      <div class="panel">
        {signedIn ? <p class="group">Signed in as {role}</p> : null}
        <form method="post" action={paths.theme()} class="themes" aria-label="Theme">
          <p class="group">Theme</p>
          <input type="hidden" name="to" value={here} />
          {Object.entries(THEMES).map(([name, label]) => (
            <button
              type="submit"
              class="item"
              name="theme"
              value={name}
              aria-pressed={name === theme ? "true" : "false"}
            >
              {label}
              {name === theme ? <Icon name="check" class="mark" /> : null}
            </button>
          ))}
        </form>
        {closed ? null : (
          <>
            <hr class="scripted for-keys" />
            <button type="button" class="item scripted for-keys" data-dialog="keys">
              Keyboard shortcuts <small>?</small>
            </button>
          </>
        )}
        {signedIn
          ? (
            <>
              <hr />
              <form method="post" action={paths.logout()} class="logout">
                <button type="submit" class="item">Sign out</button>
              </form>
            </>
          )
          : null}
      </div>
    </details>
  );
}
