/** The command palette and the list of keyboard shortcuts: dialogs that only scripts open. */
import type { Child } from "hono/jsx";
import { Icon } from "../icons.tsx";
import { paths } from "../../paths.ts";

/** Opens the palette; without a script it leads to the page that searches. */
export function OpenPalette() {
  return (
    <a
      class="search-open"
      href={paths.search()}
      aria-label="Search"
      data-dialog="palette"
      aria-keyshortcuts="Control+K"
    >
      <Icon name="search" />
      <span>Search</span>
    </a>
  );
}

/** The palette. The server sends the results (static/palette.js). */
export function Palette() {
  return (
    <dialog id="palette" class="palette" aria-label="Search" data-search={paths.search()}>
      <form action={paths.search()} role="search">
        <Icon name="search" />
        <input
          id="palette-q"
          name="q"
          role="combobox"
          aria-label="Search VMs, types, operations and actions"
          aria-expanded="true"
          aria-controls="palette-found"
          aria-autocomplete="list"
          placeholder="VM, type or action"
          autocomplete="off"
          spellcheck={false}
          maxlength={200}
          dir="auto"
        />
        <button type="button" class="close" aria-label="Close the search">
          <Icon name="close" />
        </button>
      </form>
      <div id="palette-found" role="listbox" aria-label="Results" tabindex={-1}></div>
      <p id="palette-status" class="visually-hidden" role="status"></p>
    </dialog>
  );
}

const KEYS: readonly (readonly [string, string])[] = [
  ["Ctrl K", "Search for VMs, pages and actions"],
  ["/", "Filter the list"],
  ["Up Down", "Move between VMs"],
  ["Space", "Select the VM"],
  ["Enter", "Open the link or press the button"],
  ["Esc", "Clear the filter, leave the field, or close a menu or dialog"],
  ["?", "Show keyboard shortcuts"],
];

/** Pressed after `g`. */
const PLACES: readonly {
  readonly key: string;
  readonly label: string;
  readonly href: () => string;
  readonly changes?: boolean;
}[] = [
  { key: "v", label: "VMs", href: () => paths.home() },
  { key: "c", label: "Create", href: paths.create, changes: true },
  { key: "i", label: "Images", href: () => paths.images() },
  { key: "a", label: "Activity", href: () => paths.operations() },
  { key: "d", label: "Destroy", href: paths.destroy, changes: true },
];

/** The keyboard shortcuts. */
export function KeysDialog({ mayChange }: { mayChange: boolean }) {
  return (
    <dialog id="keys" class="dialog" aria-labelledby="keys-heading">
      <h2 id="keys-heading" class="top">Keyboard shortcuts</h2>
      <dl class="lines body">
        {KEYS.map(([key, what]) => <Shortcut keys={key.split(" ")}>{what}</Shortcut>)}
        {PLACES.filter(({ changes }) => mayChange || !changes).map(({ key, label, href }) => (
          <Shortcut keys={["g", key]}>
            <a href={href()} data-go={key}>{label}</a>
          </Shortcut>
        ))}
      </dl>
      <form method="dialog" class="foot">
        <button class="btn" type="submit" autofocus>Close</button>
      </form>
    </dialog>
  );
}

function Shortcut({ keys, children }: { keys: readonly string[]; children: Child }) {
  return (
    <div>
      <dt>{keys.map((key) => <kbd>{key}</kbd>)}</dt>
      <dd>{children}</dd>
    </div>
  );
}
