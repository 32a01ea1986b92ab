/** The step that waits until the guest of a VM answers. */
import { describeSign } from "../../first_boot/readiness/describe_sign.ts";
import {
  type GuestSenses,
  type ServedSigns,
  waitForReady,
} from "../../first_boot/readiness/wait_for_ready.ts";
import type { ProbePort } from "../../first_boot/readiness/probe_port.ts";
import type { WaitingGuest } from "../../first_boot/readiness/strangers.ts";
import type { GuestSign, PlannedReady } from "../../first_boot/types.ts";
import { TrueNASError } from "../../errors/errors.ts";
import type { Vm } from "../../inventory/inventory.ts";
import type { PlannedVm } from "../../plan/types.ts";
import { fetchVm } from "../../truenas/batched_reads.ts";
import type { Caller } from "../../truenas/client.ts";
import { sleepUntilAborted } from "../../truenas/connection/logins.ts";
import type { CreatedResources } from "./created_resources.ts";
import { vmIdOf } from "./device_step.ts";
import { Cancelled, type Step, type StepContext } from "./run_step.ts";

/** What is known about guests beside what the NAS tells of their VMs. */
export interface Guests {
  readonly probe: ProbePort;
  /** What guests show of themselves at the seed server, by the VM's uuid. */
  readonly served: (uuid: string) => ServedSigns | null;
  /** The address that a guest's agent tells; null where TrueNAS does not ask agents. */
  readonly askAgent: ((caller: Caller, vm: Vm) => Promise<string | null>) | null;
  /** The MAC address that answers for an address; null where the account may not ask. */
  readonly macOf: ((caller: Caller, address: string) => Promise<string | null>) | null;
  /** Reads a VM's console until cloud-init has finished; null where consoles are refused. */
  readonly readConsole:
    | ((vmId: number, signal: AbortSignal) => Promise<{ readonly address: string | null }>)
    | null;
  /** The VM that has told a host key before; not the one with this uuid. */
  readonly ownerOfKey: (key: string, uuid: string | null) => string | null;
  /** Milliseconds; never set back. */
  readonly clock: () => number;
  /** Milliseconds since 1970 (UTC). */
  readonly now: () => number;
  /** Waits; default: as long as it says. */
  readonly sleep?: GuestSenses["sleep"];
}

/** What waiting for a guest needs. */
export interface ReadyContext extends StepContext {
  readonly vm: PlannedVm;
  readonly created: CreatedResources;
  readonly guests: () => Guests;
  readonly signal: AbortSignal;
  /** Lets other VMs begin, because waiting for a guest needs nothing of the NAS. */
  readonly release: () => void;
  /** Starts the VM again after a restart of the NAS; false when it did not stop it. */
  readonly startAgain: () => Promise<boolean>;
}

/** Looks are this many times rarer than those for the effect of a call: a guest takes longer. */
const POLLS = 4;

/** Waits until the guest answers. */
export function readyStep(context: ReadyContext, ready: PlannedReady): Step<GuestSign> {
  const { created, log, vmName, release, signal } = context;
  const wasThere = context.vm.vmId !== null && created.uuid !== null;
  return {
    step: "ready",
    method: null,
    awaits: ready,
    // A wait that goes on after a restart of the program is all that its operation does.
    ...(wasThere ? { evidence: () => created.uuid === null ? null : { uuid: created.uuid } } : {}),
    // The uuid of a VM that was only completed, which is not removed.
    ...(created.uuid === null && context.vm.vmUuid !== null
      ? { evidence: () => ({ ofUuid: context.vm.vmUuid ?? "" }) }
      : {}),
    call: async () => {
      release();
      const onSign = (sign: GuestSign) => log.append({ type: "sign", vm: vmName, step: "ready", sign });
      const cancelled = new AbortController();
      // The signal's reason says what becomes of the VM.
      const cancel = () => cancelled.abort(new Cancelled());
      signal.addEventListener("abort", cancel, { once: true });
      if (signal.aborted) cancel();
      try {
        const options = { onSign, signal: cancelled.signal };
        return await waitForReady(guestOf(context), ready, sensesOf(context), options);
      } finally {
        signal.removeEventListener("abort", cancel);
      }
    },
    verify: null,
    detail: describeSign,
  };
}

function guestOf({ vm, created, guests }: ReadyContext): WaitingGuest {
  const uuid = created.uuid ?? vm.vmUuid;
  const nics = vm.devices.flatMap((device) => device.dtype === "NIC" ? [device] : []);
  return {
    name: vm.name,
    uuid,
    macs: nics.map(({ mac }) => mac.toLowerCase()),
    addresses: nics.flatMap(({ ip }) => ip?.address ?? []),
    ownerOfKey: (key) => guests().ownerOfKey(key, uuid),
  };
}

function sensesOf(context: ReadyContext): GuestSenses {
  const { caller, created, settle, outages, startAgain, vm, log } = context;
  const guests = context.guests();
  const uuid = created.uuid ?? vm.vmUuid;
  const { sleep = sleepUntilAborted, clock, now, probe, askAgent, macOf, readConsole } = guests;
  const id = vmIdOf(created);
  /** What the NAS does not tell now it may tell later. */
  const quietly = async <T>(read: () => Promise<T>, otherwise: T): Promise<T> => {
    try {
      return await read();
    } catch (error) {
      if (!(error instanceof TrueNASError) || outages.givenUp !== null) throw error;
      return otherwise;
    }
  };
  return {
    served: uuid === null ? null : guests.served(uuid),
    probe,
    readVm: () => quietly<Vm | "unread" | null>(() => fetchVm(caller, id), "unread"),
    outages: () => log.view.outages.length,
    startAgain: async () => outages.hasRestarted && await startAgain(),
    askAgent: askAgent === null ? null : (seen) => quietly(() => askAgent(caller, seen), null),
    macOf: macOf === null ? null : (address) => quietly(() => macOf(caller, address), null),
    readConsole: readConsole === null ? null : (signal) => readConsole(id, signal),
    clock,
    now,
    sleep,
    pollMs: POLLS * settle.pollMs,
  };
}
