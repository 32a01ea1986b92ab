/** What a destruction would remove, exactly, and the phrase that confirms it. */
import type { DestructionPlan, DestructionVm } from "../../lib/plan/types.ts";
import { formatBytes, formatCount } from "../../lib/units.ts";
import { Layout } from "../layout.tsx";
import { ErrorSummary, Field, Notice } from "../parts/common.tsx";
import { VmState } from "../parts/vm_list.tsx";
import { paths } from "../paths.ts";
import type { DestroyProps, PageFrame } from "../props.ts";

/** The page. */
export function DestroyPage({ frame, destroy }: { frame: PageFrame; destroy: DestroyProps }) {
  const { plan, prefixes, problems, notice } = destroy;
  return (
    <Layout {...frame} title="Destroy VMs" current="destroy">
      <h1>Destroy VMs</h1>
      {notice === null ? null : (
        <Notice tone="warn">
          <p>{notice}</p>
        </Notice>
      )}
      <ErrorSummary problems={problems} />
      <form method="get" action={paths.destroy()} class="filters">
        <div class="field">
          <label for="prefixes">VM types</label>
          <input
            id="prefixes"
            name="prefixes"
            value={prefixes}
            autocomplete="off"
            spellcheck={false}
            aria-describedby="prefixes-help"
          />
        </div>
        {plan?.vms.filter(({ marked }) => !marked).map(({ name }) => (
          <input type="hidden" name="vm" value={name} />
        ))}
        <button type="submit">List them</button>
        <p class="help" id="prefixes-help">
          Names before their number, between commas: worker means worker01 and worker12, not workerold.
        </p>
      </form>
      {plan === null || plan.spared.length === 0 ? null : <Spared plan={plan} prefixes={prefixes} />}
      {plan === null
        ? null
        : plan.vms.length === 0
        ? <NothingToDestroy prefixes={prefixes} />
        : <Confirm {...destroy} plan={plan} />}
    </Layout>
  );
}

/** VMs that only have such a name: each is added by a choice of its own. */
function Spared({ plan, prefixes }: { plan: DestructionPlan; prefixes: string }) {
  const chosen = plan.vms.filter(({ marked }) => !marked).map(({ name }) => name);
  return (
    <Notice tone="warn">
      <p>
        <strong>
          {formatCount(plan.spared.length, "VM")} with such a name {plan.spared.length === 1 ? "was" : "were"}
          {" "}
          not made by this program
        </strong>, so {plan.spared.length === 1 ? "it is" : "they are"} left alone:
      </p>
      <ul>
        {plan.spared.map(({ name, state }) => (
          <li data-spared={name}>
            <strong>{name}</strong> <VmState state={state} />{" "}
            <a href={paths.destroy(prefixes, [...chosen, name])}>Add {name} to the list all the same</a>
          </li>
        ))}
      </ul>
    </Notice>
  );
}

function NothingToDestroy({ prefixes }: { prefixes: string }) {
  return (
    <div class="empty">
      <h2>No VM matches</h2>
      <p>
        No VM on the NAS is called {prefixes === "" ? "so" : prefixes} and a number. Nothing can be destroyed.
      </p>
    </div>
  );
}

function Confirm(
  { plan, prefixes, phrase, problems, token }: DestroyProps & { readonly plan: DestructionPlan },
) {
  const { totals } = plan;
  const zvols = totals.zvols === 0 ? "" : ` and ${formatCount(totals.zvols, "zvol")}`;
  return (
    <form method="post" action={paths.destroy()}>
      <input type="hidden" name="prefixes" value={prefixes} />
      {plan.vms.filter(({ marked }) => !marked).map(({ name }) => (
        <input type="hidden" name="vm" value={name} />
      ))}
      <input type="hidden" name="plan" value={plan.fingerprint} />
      <input type="hidden" name="token" value={token ?? ""} />
      <table class="rows">
        <caption>
          {formatCount(totals.vms, "VM")}
          {zvols} of {formatBytes(totals.zvolBytes)} will be gone for good
        </caption>
        <thead>
          <tr>
            <th scope="col">VM</th>
            <th scope="col">State</th>
            <th scope="col">Zvols that go</th>
            <th scope="col">What stays</th>
          </tr>
        </thead>
        <tbody>{plan.vms.map((vm) => <DoomedRow vm={vm} />)}</tbody>
      </table>
      <Notice tone="bad">
        <p>
          <strong>This cannot be undone.</strong>{" "}
          Running VMs are powered off, and the zvols are destroyed with their data and snapshots.
        </p>
        <Field
          name="phrase"
          label={`Type “${plan.phrase}” to confirm`}
          value={phrase}
          problems={problems}
        />
        <p class="actions">
          <button type="submit" class="danger" id="confirm-destroy">
            Destroy {formatCount(totals.vms, "VM")}
            {zvols}
          </button>
          <a class="button" href={paths.home()}>Cancel</a>
        </p>
      </Notice>
    </form>
  );
}

function DoomedRow({ vm }: { vm: DestructionVm }) {
  return (
    <tr data-vm={vm.name} data-state={vm.state}>
      <th scope="row">
        <a href={paths.vm(vm.id)}>{vm.name}</a>
        <span class="where">id {vm.id}</span>
        {vm.marked ? null : <span class="where tone-warn">not made by this program</span>}
      </th>
      <td data-label="State">
        <VmState state={vm.state} />
      </td>
      <td data-label="Zvols that go">
        {vm.zvols.length === 0 ? <span class="none">none</span> : (
          <ul class="plain">
            {vm.zvols.map(({ name, sizeBytes }) => (
              <li>
                <code>{name}</code> {sizeBytes === null ? "size not known" : formatBytes(sizeBytes)}
              </li>
            ))}
          </ul>
        )}
      </td>
      <td data-label="What stays">
        {vm.keeps.length === 0 ? <span class="none">nothing</span> : (
          <ul class="plain">
            {vm.keeps.map(({ path, because }) => (
              <li>
                <code>{path}</code> {because}
              </li>
            ))}
          </ul>
        )}
      </td>
    </tr>
  );
}
