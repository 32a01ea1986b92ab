/**
 * What running operations have for themselves until they end, so that two can run at once: the VMs and zvols that they
 * create, change or remove, and ports, MAC addresses and images that are not on the NAS yet.
 */
import type { PortAllocator } from "../../plan/allocation.ts";
import type { ClaimedElsewhere } from "../../plan/creation_input.ts";

/** What one operation has for itself; by default nothing. */
export interface Claim {
  /** Names of the VMs that it creates, changes, removes or acts on. */
  readonly vms?: readonly string[];
  /** Names of VMs that its plan takes as they are. Nobody else may be working on them when it starts. */
  readonly seen?: readonly string[];
  /** The zvols and datasets that it creates, changes or removes. */
  readonly zvols?: readonly string[];
  /** The names of images that it makes, replaces or removes. */
  readonly images?: readonly string[];
  /** The names of images that it only uses, like others at the same time. */
  readonly uses?: readonly string[];
  /** The ports of its displays. */
  readonly ports?: readonly number[];
  /** The VMs of its MAC addresses. */
  readonly macs?: ReadonlyMap<string, string>;
  /** Whether it runs beside no other operation, because it looks for what belongs to none. */
  readonly alone?: boolean;
}

/** Why an operation cannot start yet. */
export interface Overlap {
  /** Id of the operation that has to end first. */
  readonly operation: string;
  /** Its title: `Create 4 VMs`. */
  readonly title: string;
  /** What both need: the name of a VM, a zvol or an image; null when one of them runs beside no other. */
  readonly both: string | null;
}

/** A running operation with its claim. */
export interface Held {
  /** The operation's id. */
  readonly operation: string;
  /** Its title: `Create 4 VMs`. */
  readonly title: string;
  /** What it claimed. */
  readonly claim: Claim;
  /** Resolves when the claim has ended. */
  readonly ended: Promise<void>;
}

/** An operation's own claim. */
export interface OwnClaim {
  /** Hands out ports that no other operation has claimed, and claims them. */
  readonly allocator: (ports: PortAllocator) => PortAllocator;
  /** Ends it. */
  readonly release: () => void;
}

/** Of an operation that claims nothing. */
export const NO_CLAIM: OwnClaim = { allocator: (ports) => ports, release: () => {} };

/** The claims of all running operations; see the file's comment. */
export class Claims {
  readonly #held = new Map<string, Held & { readonly ports: Set<number>; readonly end: () => void }>();

  /** The operations that have claims, the oldest first. */
  held(): readonly Held[] {
    return [...this.#held.values()].map(({ operation, title, claim, ports, ended }) => ({
      operation,
      title,
      claim: { ...claim, ports: [...ports] },
      ended,
    }));
  }

  /** Claims something for an operation until it is released. */
  hold({ operation, title }: Pick<Held, "operation" | "title">, claim: Claim): OwnClaim {
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const ports = new Set(claim.ports);
    const end = () => {
      this.#held.delete(operation);
      resolve();
    };
    this.#held.set(operation, { operation, title, claim, ports, ended, end });
    return { allocator: (allocator) => this.#allocator(operation, ports, allocator), release: end };
  }

  /** Ends all claims, for a program that ends before its operations. */
  releaseAll(): void {
    for (const { end } of [...this.#held.values()]) end();
  }

  #allocator(operation: string, own: Set<number>, { next }: PortAllocator): PortAllocator {
    const isFree = (port: number) =>
      [...this.#held.values()].every((it) => it.operation === operation || !it.ports.has(port));
    return {
      next: (startPort) => {
        for (let from = startPort;;) {
          const found = next(from);
          if (found === null) return null;
          if (isFree(found.port) && isFree(found.webPort)) {
            own.add(found.port).add(found.webPort);
            return found;
          }
          from = found.port + 1;
        }
      },
    };
  }
}

/** The first operation that has claimed what another one needs; null when nothing of it is claimed. */
export function findOverlap(wanted: Claim, held: readonly Held[]): (Held & Overlap) | null {
  for (const other of held) {
    const both = sharedName(wanted, other.claim);
    if (both !== null) return { ...other, both };
    if (wanted.alone === true || other.claim.alone === true) return { ...other, both: null };
  }
  return null;
}

/** Why something cannot start yet: `Another operation is working on worker01: Create 4 VMs`. */
export function describeOverlap({ title, both }: Overlap): string {
  return `Another operation is ${both === null ? "running" : `working on ${both}`}: ${title}`;
}

/** What plans must not give away, because running operations have it although the NAS may not show it yet. */
export function claimedBy(held: readonly Held[]): ClaimedElsewhere {
  return {
    ports: held.flatMap(({ claim }) => claim.ports ?? []),
    macs: new Map(held.flatMap(({ claim }) => [...claim.macs ?? []])),
  };
}

function sharedName(wanted: Claim, other: Claim): string | null {
  const { vms = [], seen = [], zvols = [], images = [], uses = [] } = wanted;
  const find = (names: readonly string[], claimed: readonly string[] = []) => {
    const set = new Set(claimed);
    return names.find((name) => set.has(name)) ?? null;
  };
  return find([...vms, ...seen], other.vms) ?? find(zvols, other.zvols) ??
    find(images, [...other.images ?? [], ...other.uses ?? []]) ?? find(uses, other.images);
}
