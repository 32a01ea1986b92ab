/** The serial console of a VM, in a terminal. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { Layout } from "../layout.tsx";
import { ViewerNotice } from "../parts/common.tsx";
import { paths } from "../paths.ts";
import type { ConsoleAssetUrls, PageFrame } from "../props.ts";

/** What the page is given. */
export interface SerialPageProps {
  readonly frame: PageFrame;
  readonly vm: Vm;
  /** Lets the terminal's own style in, and no other. */
  readonly nonce: string;
  readonly assets: ConsoleAssetUrls;
}

/** The page. Without a script there is no terminal; the NAS's own page has one too. */
export function SerialPage({ frame, vm, nonce, assets }: SerialPageProps) {
  return (
    <Layout {...frame} title={`Serial console of ${vm.name}`} current="vms">
      <p class="trail">
        <a href={paths.home()}>VMs</a> <a href={paths.vm(vm.id)} dir="auto">{vm.name}</a>
      </p>
      <h1 dir="auto">Serial console of {vm.name}</h1>
      {frame.mayChange ? <Terminal frame={frame} vm={vm} nonce={nonce} assets={assets} /> : <ViewerNotice />}
    </Layout>
  );
}

function Terminal({ frame, vm, nonce, assets }: SerialPageProps) {
  return (
    <>
      <p id="serial-status" role="status">Connecting…</p>
      <noscript>
        <p class="notice tone-warn">
          The terminal needs JavaScript. On the NAS: <code>virsh console</code>.
        </p>
      </noscript>
      <div id="serial" data-socket={paths.vmSerialSocket(vm.id)} data-nonce={nonce}></div>
      <p class="help">
        Press Enter once if nothing shows. Ctrl+Shift+C copies what is selected, Ctrl+Shift+V pastes. One
        console at a time: a second one is refused by the NAS.
      </p>
      <link rel="stylesheet" href={assets.xtermCss} />
      <script src={assets.xterm} defer></script>
      <script src={assets.xtermFit} defer></script>
      <script src={frame.assets.serial} defer></script>
    </>
  );
}
