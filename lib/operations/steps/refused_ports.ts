/** Display ports that the NAS refused because a service uses them or they are reserved. */
import { TrueNASCallError } from "../../errors/errors.ts";
import { type PortAllocator, portAllocator } from "../../plan/allocation.ts";
import type { PlannedDevice, PlannedVm } from "../../plan/types.ts";

/** A display of a plan. */
export type PlannedDisplay = Extract<PlannedDevice, { dtype: "DISPLAY" }>;

/** Ports refused since the program started; later plans skip them. */
export class RefusedPorts implements Iterable<number> {
  readonly #refused = new Set<number>();

  /** Remembers the ports named in a refusal; returns whether one of the display's ports is in use. */
  learn(error: unknown, { port, webPort }: PlannedDisplay): boolean {
    const used = usedPorts(error);
    if (used.includes("port")) this.#refused.add(port);
    if (used.includes("web_port") && webPort !== null) this.#refused.add(webPort);
    return used.length > 0;
  }

  /** Replacement ports for displays of these VMs: neither planned nor refused. */
  allocatorFor(vms: readonly PlannedVm[]): PortAllocator {
    const planned = vms.flatMap(({ devices }) => devices).flatMap((device) =>
      device.dtype === "DISPLAY" ? [device.port, device.webPort ?? 0] : []
    );
    return portAllocator([...planned, ...this]);
  }

  [Symbol.iterator](): Iterator<number> {
    return this.#refused.values();
  }
}

/** TrueNAS: "… is already in use by another Display device", "The port is being used by following services: …". */
function usedPorts(error: unknown): string[] {
  if (!(error instanceof TrueNASCallError)) return [];
  return error.refusal.fields.flatMap(({ attribute, message }) => {
    const [, key] = /(?:^|\.)(port|web_port)$/.exec(attribute ?? "") ?? [];
    return key !== undefined && /in use|being used/i.test(message) ? [key] : [];
  });
}
