/** Everything that can be done with one VM, as a menu: what is impossible now stays, with the reason. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import {
  type ActionFacts,
  brieflyAgainst,
  VM_ACTIONS,
  type VmActionName,
} from "../../../lib/inventory/vm_actions.ts";
import { paths } from "../../paths.ts";
import { Icon, type IconName } from "../icons.tsx";

/** The signs of the actions. */
export const ACTION_ICONS = {
  start: "start",
  stop: "power",
  restart: "restart",
  suspend: "pause",
  resume: "start",
  reset: "restart",
  poweroff: "power",
  detach: "image",
} as const satisfies Record<VmActionName, IconName>;

/** Actions that take a moment and can be taken back: they are done at once, and the list stays. */
const INSTANT: readonly VmActionName[] = ["start", "stop", "suspend", "resume"];

const ORDER: readonly VmActionName[] = ["start", "restart", "stop", "suspend", "resume", "detach"];
const DANGER: readonly VmActionName[] = ["reset", "poweroff"];

/** Props of the menu. */
export interface VmMenuProps {
  readonly vm: Vm;
  readonly facts: ActionFacts;
  /** Whether the viewer may make changes. */
  readonly mayChange: boolean;
}

/** The items; whatever holds them is a form. */
export function VmMenuItems({ vm, facts, mayChange }: VmMenuProps) {
  const isRunning = vm.state === "RUNNING";
  return (
    <>
      <MenuLink
        href={paths.vmConsole(vm.id)}
        icon="console"
        label="Open console"
        because={vm.displays.length === 0 ? "No display" : isRunning ? null : "Start it first"}
      />
      {mayChange
        ? (
          <>
            <MenuLink
              href={paths.vmSerial(vm.id)}
              icon="console"
              label="Serial console"
              because={isRunning ? null : "Start it first"}
            />
            <hr />
            {ORDER.map((name) => <ActionItem name={name} vm={vm} facts={facts} />)}
            <hr />
            <MenuLink href={paths.createOne(vm.id)} icon="plus" label="More like this…" because={null} />
            <MenuLink href={paths.vm(vm.id, "clone")} icon="copy" label="Clone…" because={null} />
            <MenuLink
              href={paths.newCheckpoint({ ids: [vm.id] })}
              icon="clock"
              label="Checkpoint…"
              because={vm.disks.some(({ zvol }) => zvol !== null) ? null : "No disk"}
            />
          </>
        )
        : <hr />}
      <MenuLink href={paths.vm(vm.id, "history")} icon="clock" label="History" because={null} />
      {mayChange
        ? (
          <>
            <hr />
            {DANGER.map((name) => <ActionItem name={name} vm={vm} facts={facts} />)}
            <a class="item danger" href={paths.vmDestroy(vm.id)}>
              <Icon name="bin" />
              Destroy…
            </a>
          </>
        )
        : null}
    </>
  );
}

function ActionItem({ name, vm, facts }: Omit<VmMenuProps, "mayChange"> & { readonly name: VmActionName }) {
  const { verb, abrupt } = VM_ACTIONS[name];
  const because = brieflyAgainst(name, vm, facts);
  const kind = abrupt ? "item danger" : "item";
  if (because !== null) {
    return (
      <span class={kind} aria-disabled="true">
        <Icon name={ACTION_ICONS[name]} />
        {verb} <small>{because}</small>
      </span>
    );
  }
  if (!INSTANT.includes(name)) {
    return (
      <a class={kind} href={paths.act(name, [vm.id])}>
        <Icon name={ACTION_ICONS[name]} />
        {verb}…
      </a>
    );
  }
  return (
    <button
      type="submit"
      class={kind}
      formmethod="post"
      formaction={paths.vmAction(vm.id, name)}
      name="state"
      value={vm.state}
    >
      <Icon name={ACTION_ICONS[name]} />
      {verb}
    </button>
  );
}

function MenuLink({ href, icon, label, because }: {
  readonly href: string;
  readonly icon: IconName;
  readonly label: string;
  readonly because: string | null;
}) {
  return because === null
    ? (
      <a class="item" href={href}>
        <Icon name={icon} />
        {label}
      </a>
    )
    : (
      <span class="item" aria-disabled="true">
        <Icon name={icon} />
        {label} <small>{because}</small>
      </span>
    );
}
