/** What is known about guests beside their VMs, for the steps that wait for them. */
import PQueue from "npm:p-queue@10.0.0";
import type { Consoles } from "../../consoles/consoles.ts";
import { readUntilFinished } from "../../first_boot/readiness/read_console.ts";
import type { ProbePort } from "../../first_boot/readiness/probe_port.ts";
import type { ServedSigns } from "../../first_boot/readiness/wait_for_ready.ts";
import { readNeighbours } from "../../truenas/read_neighbours.ts";
import { hasRole } from "../../truenas/roles.ts";
import { readGuestIps } from "../../truenas/read_inventory.ts";
import type { Session } from "../../truenas/connection/session.ts";
import type { OperationStore } from "../record/store.ts";
import type { Guests } from "../steps/ready_step.ts";

/** Where it comes from. */
export interface GuestSources {
  readonly session: Session;
  readonly store: OperationStore;
  readonly consoles: () => Consoles;
  readonly probe: ProbePort;
  /** What guests show of themselves at the seed server, by the VM's uuid. */
  readonly served: (uuid: string) => ServedSigns | null;
  /** Milliseconds; never set back. */
  readonly clock: () => number;
}

/** An agent that is not there keeps the NAS busy for half a minute, so few are asked at a time. */
const AGENTS_AT_ONCE = 3;

/** How long the NAS is asked which network card has an address, in milliseconds. */
const ARP_MS = 3_000;

/** Knows guests; see the file's comment. The result tells what can be found out at the moment. */
export function guestsOf({ session, store, consoles, probe, served, clock }: GuestSources): () => Guests {
  const agents = new PQueue({ concurrency: AGENTS_AT_ONCE });
  const askAgent: NonNullable<Guests["askAgent"]> = async (caller, vm) =>
    await agents.add(async () => [...(await readGuestIps(caller, [vm])).values()][0] ?? null);
  const macOf: NonNullable<Guests["macOf"]> = async (caller, address) => {
    const options = { roles: null, patienceMs: ARP_MS, clock };
    const found = await readNeighbours(caller, [address], options);
    return found.known ? found.value.get(address) ?? null : null;
  };
  return () => {
    const { state } = session;
    return {
      probe,
      served,
      askAgent: state.kind === "live" && state.rules.guestIps ? askAgent : null,
      macOf: hasRole(state.kind === "live" ? state.nas.roles : null, "FULL_ADMIN") === true ? macOf : null,
      readConsole: consoles().readOnly
        ? null
        : (vmId, signal) => readUntilFinished(() => consoles().openSerial(vmId), signal),
      ownerOfKey: (key, uuid) => ownerOfKey(store, key, uuid),
      clock,
      now: store.now,
    };
  };
}

/** The VM that has told a host key, by the operations that waited for it. */
function ownerOfKey(store: OperationStore, key: string, own: string | null): string | null {
  for (const { vms } of store.list()) {
    for (const { name, steps } of vms) {
      const told = steps.some(({ signs = [] }) =>
        signs.some((sign) => sign.kind === "phone-home" && sign.hostKeys?.includes(key))
      );
      if (told && !steps.some(({ evidence }) => evidence?.uuid === own)) return name;
    }
  }
  return null;
}
