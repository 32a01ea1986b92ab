/** The password of a VM's display. */
import type { Vm } from "../../lib/inventory/inventory.ts";
import { Layout, type PageFrame } from "../layout.tsx";
import { CopyButton, VmTrail } from "../parts/common.tsx";
import { paths } from "../paths.ts";

/** Props of the page. */
export interface PasswordPageProps {
  readonly frame: PageFrame;
  readonly vm: Vm;
  /** In the order of the displays; null where the NAS does not show it. */
  readonly passwords: readonly (string | null)[];
}

/** The page. */
export function PasswordPage({ frame, vm, passwords }: PasswordPageProps) {
  return (
    <Layout {...frame} title={`Display password of ${vm.name}`} current="vms">
      <VmTrail vm={vm} />
      <h1 dir="auto">Display password of {vm.name}</h1>
      {passwords.length === 0 ? <p class="empty">This VM has no display.</p> : (
        <ul class="plain">
          {passwords.map((password, index) => (
            <li>
              {password === null ? "The NAS does not show this password to the account." : (
                <>
                  <output id={`password-${index}`} class="secret">{password}</output>{" "}
                  <CopyButton of={`password-${index}`} label="Copy" />
                </>
              )}
            </li>
          ))}
        </ul>
      )}
      <p class="help">Viewing the password was recorded in the audit log. The dashboard does not store it.</p>
      <p>
        <a class="btn" href={paths.vm(vm.id)}>Back to {vm.name}</a>
      </p>
    </Layout>
  );
}
