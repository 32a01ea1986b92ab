/** Changes the boot order of a VM's disks and CD-ROMs, device by device. */
import { TrueNASError } from "../../../errors/errors.ts";
import type { PlannedChange } from "../../../plan/changes.ts";
import { type ChangeContext, type Effect, readOwnVm } from "./effect.ts";

type OrderChange = Extract<PlannedChange, { kind: "order" }>;

/** A device with the order it gets. */
interface Target {
  readonly deviceId: number;
  readonly order: number;
}

/** Changes the order, or restores it. Where it was interrupted, it goes on. */
export function orderEffect(context: ChangeContext, { devices }: OrderChange): Effect {
  const before = devices.map(({ deviceId, was }) => ({ deviceId, order: was }));
  return {
    method: "vm.device.update",
    read: async () => {
      const orders = await readOrders(context, devices);
      const isIn = (targets: readonly Target[]) =>
        sequenceOf(targets) === sequenceOf(devices.map(
          ({ deviceId }) => ({ deviceId, order: orders.get(deviceId) ?? 0 }),
        ));
      return isIn(devices) ? "new" : isIn(before) ? "old" : "partly";
    },
    apply: () => move(context, devices),
    revert: () => move(context, before),
  };
}

function sequenceOf(targets: readonly Target[]): string {
  return targets.toSorted((a, b) => a.order - b.order || a.deviceId - b.deviceId)
    .map(({ deviceId }) => deviceId).join();
}

/** The orders of all devices of the VM. */
async function readOrders(
  context: ChangeContext,
  needed: readonly Pick<Target, "deviceId">[],
): Promise<ReadonlyMap<number, number>> {
  const { devices } = await readOwnVm(context);
  const orders = new Map(devices.map(({ id, order }) => [id, order ?? 0]));
  if (needed.every(({ deviceId }) => orders.has(deviceId))) return orders;
  throw new TrueNASError(
    `${context.existing.name} no longer has all its disks. It was not changed; plan again`,
  );
}

/** TrueNAS moves another device whose order is given away, so devices go where no other one is. */
async function move(context: ChangeContext, targets: readonly Target[]): Promise<void> {
  const orders = new Map(await readOrders(context, targets));
  const set = async (deviceId: number, order: number) => {
    await context.caller.call("vm.device.update", [deviceId, { order }]);
    orders.set(deviceId, order);
  };
  for (;;) {
    const waiting = targets.filter(({ deviceId, order }) => orders.get(deviceId) !== order);
    const [first] = waiting;
    if (first === undefined) return;
    const taken = new Set(orders.values());
    const free = waiting.find(({ order }) => !taken.has(order));
    const isStranger = ({ order }: Target) => !waiting.some(({ deviceId }) => orders.get(deviceId) === order);
    const next = free ?? waiting.find(isStranger);
    if (next !== undefined) await set(next.deviceId, next.order);
    // They exchange theirs, so one stands aside.
    else await set(first.deviceId, Math.max(...taken) + 1);
  }
}
