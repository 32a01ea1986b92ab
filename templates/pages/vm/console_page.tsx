/** A VM's graphical console: its screen, the keys that a browser keeps for itself, and other ways to see it. */
import type { FoundTarget } from "../../../lib/consoles/display_target.ts";
import type { Display, Vm } from "../../../lib/inventory/inventory.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { Notice, ViewerNotice, Warning } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { ConsoleStates } from "../../parts/vm/console/console_states.tsx";
import { ConsoleTabs } from "../../parts/vm/console/console_tabs.tsx";
import { DisplayCloses } from "../../parts/vm/console/display_closes.tsx";
import { VmHead, type VmHeadProps } from "../../parts/vm/head.tsx";
import { paths } from "../../paths.ts";

/** Props of the page. */
export interface ConsolePageProps {
  readonly frame: PageFrame;
  readonly vm: Vm;
  readonly head: VmHeadProps;
  /** The display that is shown; null where the VM has none. */
  readonly display: Display | null;
  /** Where the dashboard reaches it; null without a display. */
  readonly found: FoundTarget | null;
  /** READ_ONLY refuses consoles. */
  readonly readOnly: boolean;
  /** URL of the page's script. */
  readonly script: string;
}

/** The page. */
export function ConsolePage(props: ConsolePageProps) {
  const { frame, vm, head, display } = props;
  return (
    <Layout
      {...frame}
      title={`Console of ${vm.name}`}
      current="vms"
      stream={paths.vmEvents(vm.id, "console")}
    >
      <VmHead {...head} current="console" />
      {frame.mayChange ? <ConsoleTabs vm={vm} shown={display} /> : null}
      <Content {...props} />
      {display === null ? null : <OtherWays vm={vm} mayChange={frame.mayChange} display={display} />}
    </Layout>
  );
}

/** The screen, or why there is none. */
function Content({ frame, vm, display, found, readOnly, script }: ConsolePageProps) {
  if (display === null || found === null) return <p class="empty">This VM has no display.</p>;
  if (!frame.mayChange) return <ViewerNotice />;
  if (readOnly) {
    return <Warning text="The dashboard is read-only (READ_ONLY), so screens cannot be opened." />;
  }
  if (!found.ok) return <Warning text={`${found.message}.`} />;
  if (vm.state !== "RUNNING") return <NotRunning vm={vm} />;
  return (
    <>
      <noscript>
        <Notice tone="warn">
          <p>The screen requires JavaScript. Without it, open the .vv file below with remote-viewer.</p>
        </Notice>
      </noscript>
      <div id="console" class="scripted stack">
        <Toolbar />
        <div class="screen-frame">
          <Screen vm={vm} display={display} />
          <Cover />
        </div>
        <KeyboardField />
        <p class="help" id="screen-keys">
          <span class="on-mouse">
            Click the screen, or press Enter on it, to type into the VM. To leave it with the keyboard, press
            and release the left <kbd>Ctrl</kbd> and <kbd>Alt</kbd> together.
          </span>
          <span class="on-touch">
            Tap the screen to click there. To type into the VM, tap Keyboard. More keys has Esc, Tab and the
            arrows.
          </span>
        </p>
        <PasteAsKeys />
      </div>
      <DisplayCloses vm={vm.name} type={display.type} {...found.target} />
      <script src={script} type="module"></script>
    </>
  );
}

function NotRunning({ vm }: { readonly vm: Vm }) {
  return (
    <div class="empty">
      <p>{vm.name} is {vm.state.toLowerCase()}. It has a screen while it is running.</p>
      {vm.state === "STOPPED"
        ? (
          <form method="post" action={paths.vmAction(vm.id, "start")}>
            <input type="hidden" name="state" value={vm.state} />
            <button type="submit" class="btn">
              <Icon name="start" />
              Start {vm.name}
            </button>
          </form>
        )
        : null}
    </div>
  );
}

/** What happens, in words, while there is no picture, and what to do about it. */
function Cover() {
  return (
    <div class="screen-cover stack">
      <p id="screen-status" role="status">Connecting…</p>
      <form id="screen-password" hidden>
        <div class="field">
          <label for="screen-password-field">Display password</label>
          <input id="screen-password-field" type="password" class="input" autocomplete="off" required />
        </div>
        <button type="submit" class="btn">Connect</button>
      </form>
      <button type="button" id="screen-reconnect" class="btn" hidden>
        <Icon name="restart" />
        Reconnect
      </button>
    </div>
  );
}

function Screen({ vm, display }: { readonly vm: Vm; readonly display: Display }) {
  return (
    <div
      id="screen"
      tabindex={0}
      role="application"
      aria-label={`Screen of ${vm.name}`}
      aria-describedby="screen-keys"
      data-state="connecting"
      data-device={display.deviceId}
      data-protocol={display.type}
      data-socket={paths.vmDisplaySocket(vm.id, display.deviceId)}
      data-password={paths.vmPassword(vm.id)}
    >
      <div id="screen-place"></div>
    </div>
  );
}

/** A key as the script presses it: its place on the keyboard, and X11's number for it. */
interface Key {
  readonly code: string;
  readonly keysym: number;
}

const CTRL: Key = { code: "ControlLeft", keysym: 0xffe3 };
const ALT: Key = { code: "AltLeft", keysym: 0xffe9 };
const DELETE: Key = { code: "Delete", keysym: 0xffff };

/** For phones, and for keys that the browser or the desktop keeps. */
const MORE_KEYS: readonly (readonly [label: string, keys: readonly Key[]])[] = [
  ["Esc", [{ code: "Escape", keysym: 0xff1b }]],
  ["Tab", [{ code: "Tab", keysym: 0xff09 }]],
  ["Enter", [{ code: "Enter", keysym: 0xff0d }]],
  ["Up", [{ code: "ArrowUp", keysym: 0xff52 }]],
  ["Down", [{ code: "ArrowDown", keysym: 0xff54 }]],
  ["Left", [{ code: "ArrowLeft", keysym: 0xff51 }]],
  ["Right", [{ code: "ArrowRight", keysym: 0xff53 }]],
  ["Del", [DELETE]],
  ["F2", [{ code: "F2", keysym: 0xffbf }]],
  ["F10", [{ code: "F10", keysym: 0xffc7 }]],
  ["F12", [{ code: "F12", keysym: 0xffc9 }]],
  ["Ctrl+Alt+F1", [CTRL, ALT, { code: "F1", keysym: 0xffbe }]],
  ["Ctrl+Alt+F2", [CTRL, ALT, { code: "F2", keysym: 0xffbf }]],
];

function Toolbar() {
  return (
    <div class="actions" role="group" aria-label="Screen">
      <button type="button" class="btn" id="screen-full">Full screen</button>
      <KeyButton label="Ctrl+Alt+Del" keys={[CTRL, ALT, DELETE]} class="btn" />
      <details class="menu" name="menu">
        <summary class="btn">
          More keys
          <Icon name="chevron" class="caret" />
        </summary>
        <div class="panel key-grid">
          {MORE_KEYS.map(([label, keys]) => <KeyButton label={label} keys={keys} class="btn sm" />)}
        </div>
      </details>
      <button type="button" class="btn on-touch" id="screen-keyboard" disabled data-needs-screen>
        Keyboard
      </button>
      <ConsoleStates />
    </div>
  );
}

interface KeyButtonProps {
  readonly label: string;
  /** Pressed in this order. */
  readonly keys: readonly Key[];
  readonly class: string;
}

function KeyButton({ label, keys, class: look }: KeyButtonProps) {
  return (
    <button type="button" class={look} disabled data-needs-screen data-keys={JSON.stringify(keys)}>
      {label}
    </button>
  );
}

/** Has the focus while an on-screen keyboard types into the VM: a keyboard opens only for a field. */
function KeyboardField() {
  return (
    <>
      <textarea
        id="screen-typed"
        class="visually-hidden"
        tabindex={-1}
        aria-label="Typed into the VM"
        autocomplete="off"
        autocapitalize="off"
        autocorrect="off"
        spellcheck={false}
      >
      </textarea>
      <p class="error" id="screen-typed-error" role="alert"></p>
    </>
  );
}

function PasteAsKeys() {
  return (
    <details class="card fold">
      <summary>
        <Icon name="chevron" />
        <b>Paste as keys</b>
        <span>Types text into the VM</span>
      </summary>
      <form id="screen-paste" class="body">
        <div class="field">
          <label for="screen-paste-text">Text to type</label>
          <textarea
            id="screen-paste-text"
            class="input"
            rows={3}
            autocomplete="off"
            spellcheck={false}
            aria-describedby="screen-paste-help screen-paste-error"
          >
          </textarea>
          <p class="help" id="screen-paste-help">
            It is typed as on a US keyboard; a guest with another layout shows other characters for some keys.
          </p>
          <p class="error" id="screen-paste-error" role="alert"></p>
        </div>
        <div class="actions">
          <button type="submit" class="btn" disabled data-needs-screen>Type the text</button>
          <span id="screen-paste-status" role="status"></span>
        </div>
      </form>
    </details>
  );
}

interface OtherWaysProps {
  readonly vm: Vm;
  readonly display: Display;
  readonly mayChange: boolean;
}

/** What else shows the screen: a viewer on the desktop, and the NAS's own page. */
function OtherWays({ vm, display, mayChange }: OtherWaysProps) {
  return (
    <>
      <h2>Other ways to see the screen</h2>
      <div class="actions">
        <a class="btn" href={paths.vmViewer(vm.id)} download>Download .vv file</a>
        {vm.state === "RUNNING" && display.type === "SPICE"
          ? <a class="btn" href={paths.vmWebConsole(vm.id)}>Open the console of TrueNAS</a>
          : null}
        {mayChange
          ? (
            <form method="post" action={paths.vmPassword(vm.id)}>
              <button type="submit" class="btn">Show display password</button>
            </form>
          )
          : null}
      </div>
      <p class="help">
        remote-viewer opens the .vv file. It and the console of TrueNAS ask for the display password.
      </p>
    </>
  );
}
