/** The serial console of a VM, in a terminal. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { Notice, ViewerNotice } from "../../parts/common.tsx";
import { ConsoleStates } from "../../parts/vm/console/console_states.tsx";
import { ConsoleTabs } from "../../parts/vm/console/console_tabs.tsx";
import { VmHead, type VmHeadProps } from "../../parts/vm/head.tsx";
import { paths } from "../../paths.ts";

/** Where the files of the serial console's terminal are. */
export interface ConsoleAssetUrls {
  readonly xterm: string;
  readonly xtermCss: string;
  readonly xtermFit: string;
}

/** Props of the page. */
export interface SerialPageProps {
  readonly frame: PageFrame;
  readonly vm: Vm;
  readonly head: VmHeadProps;
  /** Allows the terminal's own styles and no others. */
  readonly nonce: string;
  readonly assets: ConsoleAssetUrls;
}

/** The page. The terminal requires JavaScript. */
export function SerialPage(props: SerialPageProps) {
  const { frame, vm, head } = props;
  return (
    <Layout
      {...frame}
      title={`Serial console of ${vm.name}`}
      current="vms"
      stream={paths.vmEvents(vm.id, "console")}
    >
      <VmHead {...head} current="console" />
      {frame.mayChange ? <ConsoleTabs vm={vm} shown={null} /> : null}
      {frame.mayChange ? <Terminal {...props} /> : <ViewerNotice />}
    </Layout>
  );
}

function Terminal({ frame, vm, nonce, assets }: SerialPageProps) {
  return (
    <>
      <p id="serial-status" class="row scripted" role="status">
        <ConsoleStates />
        <span class="soft" id="serial-words"></span>
      </p>
      <noscript>
        <Notice tone="warn">
          <p>
            The terminal requires JavaScript. Without it, run <code>virsh console</code> on the NAS.
          </p>
        </Notice>
      </noscript>
      <div id="serial" class="scripted" data-socket={paths.vmSerialSocket(vm.id)} data-nonce={nonce}></div>
      <p class="help scripted">
        If the screen stays empty, press Enter. Ctrl+Shift+C copies the selection, Ctrl+Shift+V pastes. The
        NAS allows one serial console per VM at a time.
      </p>
      <link rel="stylesheet" href={assets.xtermCss} />
      <script src={assets.xterm} defer></script>
      <script src={assets.xtermFit} defer></script>
      <script src={frame.assets.serial} defer></script>
    </>
  );
}
