/** What can be done with one VM: the next steps as buttons, everything else in a menu with the reasons against it. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { VM_ACTIONS, type VmActionName } from "../../../lib/inventory/vm_actions.ts";
import { paths } from "../../paths.ts";
import { Icon, type IconName } from "../icons.tsx";
import { ACTION_ICONS } from "../list/vm_menu.tsx";

/** An action on a VM, available or not. */
export interface OfferedAction {
  readonly name: VmActionName;
  /** Why it is not available now, or null. */
  readonly because: string | null;
  /** The same in a few words, or null. */
  readonly briefly: string | null;
}

/** What the actions depend on. */
export interface VmActionsProps {
  readonly vm: Vm;
  readonly actions: readonly OfferedAction[];
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
}

/** The buttons of each state; all other actions, and what is impossible now, are in the menu. */
const BUTTONS: Readonly<Record<string, readonly VmActionName[]>> = {
  RUNNING: ["restart", "stop"],
  STOPPED: ["start"],
  SUSPENDED: ["resume"],
};

/** The buttons and the menu are one form, whose buttons each lead elsewhere. */
export function VmActions(props: VmActionsProps) {
  const { vm } = props;
  return (
    <form method="post" action={paths.vmAction(vm.id, "start")} class="actions" id="vm-actions">
      <VmButtons {...props} />
      <details class="menu" name="menu" id="vm-more">
        <summary class="btn only-icon" aria-label={`More for ${vm.name}`}>
          <Icon name="more" />
        </summary>
        <VmMenu {...props} />
      </details>
    </form>
  );
}

/** The next steps; live updates replace them. */
export function VmButtons({ vm, actions, mayChange }: VmActionsProps) {
  const isRunning = vm.state === "RUNNING";
  const consolePath = consoleOf(vm, mayChange);
  const offered = mayChange ? actions.filter((action) => isInHead(vm, action)) : [];
  return (
    <span class="actions" id="vm-buttons" tabindex={-1} role="group" aria-label={`Actions for ${vm.name}`}>
      {offered.map((action) => <ActionButton vm={vm} action={action} isPrimary={!isRunning} />)}
      {/* Last, so that it stays where it is while the others come and go. */}
      {isRunning && consolePath !== null
        ? (
          <a class="btn primary" href={consolePath} id="action-console">
            <Icon name="console" />
            Console
          </a>
        )
        : null}
    </span>
  );
}

/** Whether an action is a button in the head: only what can be done now is. */
function isInHead({ state }: Vm, { name, because }: OfferedAction): boolean {
  return because === null && BUTTONS[state]?.includes(name) === true;
}

/** The screen, or without one the serial console. */
function consoleOf({ id, displays }: Vm, mayChange: boolean): string | null {
  if (displays.length > 0) return paths.vmConsole(id);
  return mayChange ? paths.vmSerial(id) : null;
}

function ActionButton(
  { vm, action, isPrimary }: { vm: Vm; action: OfferedAction; isPrimary: boolean },
) {
  const { name } = action;
  const { verb } = VM_ACTIONS[name];
  const kind = isPrimary ? "btn primary" : "btn";
  const sign = <Icon name={ACTION_ICONS[name]} />;
  if (asksFirst(name)) {
    return (
      <a class={kind} href={paths.act(name, [vm.id])} id={`action-${name}`}>
        {sign}
        {verb}…
      </a>
    );
  }
  return (
    <button class={kind} id={`action-${name}`} {...performs(vm, name)}>
      {sign}
      {verb}
    </button>
  );
}

/** Safe actions run at once; those that interrupt the guest ask first. */
function asksFirst(name: VmActionName): boolean {
  return VM_ACTIONS[name].abrupt || name === "restart";
}

/** A button that acts where it is: a script stays on the page and shows what comes of it as a toast. */
function performs(vm: Pick<Vm, "id" | "state">, action: VmActionName) {
  return {
    type: "submit",
    formmethod: "post",
    formaction: paths.vmAction(vm.id, action),
    name: "state",
    value: vm.state,
  } as const;
}

/** Everything else. Live updates replace the items, so an open menu stays open. */
export function VmMenu({ vm, actions, mayChange }: VmActionsProps) {
  const rest = actions.filter((action) => !isInHead(vm, action));
  const isAbrupt = ({ name }: OfferedAction) => VM_ACTIONS[name].abrupt;
  return (
    <div class="panel" id="vm-menu">
      {mayChange ? rest.filter((it) => !isAbrupt(it)).map((it) => <MenuAction vm={vm} action={it} />) : null}
      {mayChange ? <hr /> : null}
      <Consoles vm={vm} mayChange={mayChange} />
      {mayChange
        ? (
          <>
            <MenuLink id="menu-like" href={paths.createOne(vm.id)} icon="plus" label="More like this…" />
            <MenuLink id="menu-clone" href={paths.vm(vm.id, "clone")} icon="copy" label="Clone…" />
            <hr />
            {rest.filter(isAbrupt).map((it) => <MenuAction vm={vm} action={it} />)}
            <a class="item danger" id="menu-destroy" href={paths.vmDestroy(vm.id)}>
              <Icon name="bin" />
              Destroy…
            </a>
          </>
        )
        : null}
    </div>
  );
}

function MenuAction({ vm, action: { name, because, briefly } }: { vm: Vm; action: OfferedAction }) {
  const { verb, abrupt } = VM_ACTIONS[name];
  const kind = abrupt ? "item danger" : "item";
  const sign = <Icon name={ACTION_ICONS[name]} />;
  if (because !== null) {
    return (
      <span class={kind} aria-disabled="true" title={sentenceCase(because)} data-because={because}>
        {sign}
        {verb}
        <small>{briefly ?? sentenceCase(because)}</small>
      </span>
    );
  }
  if (asksFirst(name)) {
    return (
      <a class={kind} id={`menu-${name}`} href={paths.act(name, [vm.id])}>
        {sign}
        {verb}…
      </a>
    );
  }
  return (
    <button class={kind} id={`menu-${name}`} {...performs(vm, name)}>
      {sign}
      {verb}
    </button>
  );
}

/** The ways to the guest's screen and serial port. */
function Consoles({ vm, mayChange }: Pick<VmActionsProps, "vm" | "mayChange">) {
  const isOff = vm.state === "RUNNING" ? {} : { because: "Start it first" };
  const hasScreen = vm.displays.length > 0;
  return (
    <>
      <MenuLink
        id="menu-console"
        href={paths.vmWebConsole(vm.id)}
        icon="external"
        label="Console in TrueNAS"
        {...(hasScreen ? isOff : { because: "No display" })}
      />
      {mayChange
        ? (
          <MenuLink
            id="menu-serial"
            href={paths.vmSerial(vm.id)}
            icon="console"
            label="Serial console"
            {...isOff}
          />
        )
        : null}
      <MenuLink
        id="menu-viewer"
        href={paths.vmViewer(vm.id)}
        icon="export"
        label="Download .vv file"
        {...(hasScreen ? {} : { because: "No display" })}
      />
    </>
  );
}

function MenuLink({ id, href, icon, label, because }: {
  readonly id: string;
  readonly href: string;
  readonly icon: IconName;
  readonly label: string;
  readonly because?: string;
}) {
  if (because === undefined) {
    return (
      <a class="item" id={id} href={href}>
        <Icon name={icon} />
        {label}
      </a>
    );
  }
  return (
    <span class="item" aria-disabled="true" data-because={because}>
      <Icon name={icon} />
      {label}
      <small>{because}</small>
    </span>
  );
}

function sentenceCase(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
