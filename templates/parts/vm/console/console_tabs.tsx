/** Leads from one console of a VM to another: its screens, and the serial one. */
import type { Display, Vm } from "../../../../lib/inventory/inventory.ts";
import { paths } from "../../../paths.ts";

/** Props: `shown` is the display that the page shows, null for the serial console. */
export function ConsoleTabs({ vm, shown }: { readonly vm: Vm; readonly shown: Display | null }) {
  return (
    <nav class="chips" aria-label="Consoles">
      {vm.displays.map((display) => (
        <a
          class="chip"
          href={paths.vmConsole(vm.id, display.deviceId)}
          aria-current={display.deviceId === shown?.deviceId ? "page" : undefined}
        >
          {vm.displays.length === 1 ? "Screen" : `Screen (${display.type})`}
        </a>
      ))}
      <a class="chip" href={paths.vmSerial(vm.id)} aria-current={shown === null ? "page" : undefined}>
        Serial
      </a>
    </nav>
  );
}
