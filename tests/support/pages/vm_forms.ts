/** The forms of a VM's page, as browsers without JavaScript send them, on several releases. */
import type { SimulatedVersion } from "../../../lib/simulator/types.ts";
import { idOf, startDashboard, type TestDashboard } from "./dashboard.ts";
import { until } from "../deadline.ts";
import { post, text } from "./http.ts";

/** A dashboard, and a VM whose page is tested. */
export interface Lab {
  readonly dashboard: TestDashboard;
  readonly version: SimulatedVersion;
  /** Of a VM made here, stopped, with one disk and one NIC. */
  readonly id: number;
  /** Sends a form of the VM's page; the status, and the page when it comes back. */
  readonly send: (form: string, fields: Record<string, string>) => Promise<{ status: number; html: string }>;
}

/** A test with a VM of its own, on each release. */
export function onEach(
  name: string,
  test: (lab: Lab) => Promise<void>,
  versions: readonly SimulatedVersion[] = ["25.10", "27.0"],
): void {
  for (const version of versions) {
    Deno.test(`${name} (${version})`, async () => {
      await using dashboard = await startDashboard({ simulator: { version, foreignVms: 1 } });
      const id = await stoppedVm(dashboard);
      const send: Lab["send"] = async (form, fields) => {
        const response = await post(dashboard, `/vms/${id}/${form}`, fields);
        return { status: response.status, html: await text(response) };
      };
      await test({ dashboard, version, id, send });
    });
  }
}

/** Makes the VM, and waits until the dashboard knows all of it. */
async function stoppedVm(dashboard: TestDashboard): Promise<number> {
  const { manager } = dashboard;
  const { configuration } = dashboard.configuration();
  await manager.create(
    {
      configuration: { ...configuration, controlplane: { ...configuration.controlplane, start: false } },
      types: [{ type: "controlplane", startPort: 5910 }],
    } as Parameters<typeof manager.create>[0],
  );
  const id = idOf(dashboard, "controlplane01");
  const { live } = manager.inventory;
  live.refresh(id);
  // The disk is the last that is made of it: a reading from before would name the next one wrongly.
  const isKnown = () => live.snapshot.vms?.some((vm) => vm.id === id && vm.disks.length === 1) ?? false;
  await until("the dashboard knows the VM and its disk", isKnown, (look) => live.onChange(look));
  return id;
}

/** The devices of a kind that a VM has. */
export function devices({ simulator }: TestDashboard, id: number, dtype: string) {
  return [...simulator.store.devices.values()].filter(({ vm, attributes }) =>
    vm === id && attributes.dtype === dtype
  );
}
