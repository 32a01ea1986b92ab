/** The network cards of one VM, and a form to add one. */
import type { Nic } from "../../../../lib/inventory/inventory.ts";
import { paths } from "../../../paths.ts";
import { Icon } from "../../icons.tsx";
import { FormField, FormPick, type VmFormProps } from "../vm_forms.tsx";
import { NicAddresses } from "../../list/vm_row.tsx";
import { DeviceFold, DeviceList, REMOVE, RemoveButton } from "./device.tsx";
import { deviceFactsId } from "./disks.tsx";

/** The tab; viewers see the facts only. */
export function VmNetwork({ form, mayChange }: { form: VmFormProps; mayChange: boolean }) {
  const { vm } = form;
  return (
    <div class="stack">
      <DeviceList title="Network cards" empty="This VM has no network card.">
        {vm.nics.map((nic) => (
          <li class="device" data-device={nic.deviceId}>
            <NicFacts nic={nic} />
            {mayChange
              ? (
                <div class="ways">
                  <DeviceFold label="Remove…" of={`the NIC on ${nic.attach ?? "default"}`}>
                    <RemoveButton vm={vm} tab="network" deviceId={nic.deviceId} label={REMOVE.nic} />
                  </DeviceFold>
                </div>
              )
              : null}
          </li>
        ))}
      </DeviceList>
      {mayChange ? <AddNic {...form} /> : null}
    </div>
  );
}

/** One network card's facts. */
export function NicFacts({ nic }: { nic: Nic }) {
  return (
    <div class="what" id={deviceFactsId(nic.deviceId)}>
      <Icon name="network" />
      <div>
        <b dir="auto">{nic.attach ?? "default"}</b>
        <div>
          <NicAddresses nic={nic} />
        </div>
      </div>
    </div>
  );
}

function AddNic({ vm, choices, problems, typed }: VmFormProps) {
  const entries = { problems, typed };
  return (
    <section class="card" aria-labelledby="add-nic-head">
      <header>
        <h2 id="add-nic-head">Add a network card</h2>
      </header>
      <form method="post" action={paths.vmForm(vm.id, "nics")} class="body stack">
        <div class="fields">
          <FormPick
            {...entries}
            form="nics"
            name="attach"
            label="Bridge"
            choices={choices.bridges}
            example="For example br0"
            icon="network"
          />
          <FormField
            {...entries}
            form="nics"
            name="mac"
            label="MAC"
            help="For example 02:00:5e:10:00:01. Leave empty to derive it from the VM's name."
          />
        </div>
        <p>
          <button class="btn" type="submit" id="add-nic">Add network card</button>
        </p>
      </form>
    </section>
  );
}
