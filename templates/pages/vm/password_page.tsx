/** The password of a VM's display. */
import type { Vm } from "../../../lib/inventory/inventory.ts";
import { Layout, type PageFrame } from "../../layout.tsx";
import { CopyButton, Fact, VmTrail } from "../../parts/common.tsx";
import { paths } from "../../paths.ts";

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
      {passwords.length === 0
        ? (
          <div class="empty">
            <h2>No display</h2>
            <p>This VM has no display, so it has no display password.</p>
          </div>
        )
        : (
          <section class="card narrow" aria-label="Passwords">
            <dl class="lines body">
              {passwords.map((password, index) => (
                <Fact label={passwords.length === 1 ? "Password" : `Display ${index + 1}`}>
                  {password === null
                    ? "The NAS does not show this password to the account."
                    : (
                      <span class="row">
                        <output id={`password-${index}`} class="secret">{password}</output>{" "}
                        <CopyButton of={`password-${index}`} label="Copy" />
                      </span>
                    )}
                </Fact>
              ))}
            </dl>
          </section>
        )}
      <p class="help">Viewing the password was recorded in the audit log. The dashboard does not store it.</p>
      <p>
        <a class="btn" href={paths.vm(vm.id)}>Back to {vm.name}</a>
      </p>
    </Layout>
  );
}
