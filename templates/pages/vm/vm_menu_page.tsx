/** Everything that can be done with one VM, on a page of its own: long lists lead here, and a script shows it in place. */
import { Layout, type PageFrame } from "../../layout.tsx";
import { VmTrail } from "../../parts/common.tsx";
import { Icon } from "../../parts/icons.tsx";
import { VmMenuItems, type VmMenuProps } from "../../parts/list/vm_menu.tsx";
import { VmState } from "../../parts/list/vm_row.tsx";
import { paths } from "../../paths.ts";

/** The page. */
export function VmMenuPage({ frame, menu }: { frame: PageFrame; menu: VmMenuProps }) {
  const { vm } = menu;
  if (frame.fragment) return <VmMenu {...menu} />;
  return (
    <Layout {...frame} title={vm.name} current="vms">
      <VmTrail vm={vm} />
      <h1 dir="auto">{vm.name}</h1>
      <p>
        <VmState state={vm.state} />
      </p>
      <form method="get" action={paths.vm(vm.id)} class="menu still" data-vm={vm.name} data-state={vm.state}>
        <div class="panel">
          <VmMenuItems {...menu} />
        </div>
      </form>
    </Layout>
  );
}

/** The menu as part of a row, in place of the link to it. */
function VmMenu(menu: VmMenuProps) {
  return (
    <details class="menu" name="menu" id={`more-${menu.vm.id}`} open>
      <summary class="btn only-icon" aria-label={`More for ${menu.vm.name}`}>
        <Icon name="more" />
      </summary>
      <div class="panel">
        <VmMenuItems {...menu} />
      </div>
    </details>
  );
}
