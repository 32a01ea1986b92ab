/**
 * What running VMs were started with. TrueNAS tells only their settings, and a changed size waits for the next start.
 */
import type { Vm, VmSize } from "./inventory.ts";

/** A VM's size when it was started, or when it was first seen. */
interface Started extends VmSize {
  readonly uuid: string | null;
  /** Its start was seen, so nothing was changed before. */
  readonly isCertain: boolean;
}

/** The sizes by VM; see the file's comment. */
export class RunningSizes {
  /** null for a VM that was stopped when it was last seen. */
  readonly #byId = new Map<number, Started | null>();
  /** Whether every VM has been seen, so that another one is new. */
  #hasAll = false;

  /** A VM with what it runs with, where that is not its present size. */
  addTo(vm: Vm): Vm {
    const { runsWith: _earlier, ...plain } = vm;
    const { id, state, uuid, vcpus, memoryMib } = plain;
    if (state === "STOPPED") {
      this.#byId.set(id, null);
      return plain;
    }
    const known = this.#byId.get(id);
    if (known === undefined || known === null || known.uuid !== uuid) {
      this.#byId.set(id, { uuid, vcpus, memoryMib, isCertain: known === null || this.#hasAll });
      return plain;
    }
    if (known.vcpus === vcpus && known.memoryMib === memoryMib) return plain;
    const size = { vcpus: known.vcpus, memoryMib: known.memoryMib };
    return { ...plain, runsWith: known.isCertain ? size : null };
  }

  /** From now on a VM that was not seen yet is new. */
  sawAll(): void {
    this.#hasAll = true;
  }

  /** The VM was removed or started again. */
  forget(id: number): void {
    this.#byId.delete(id);
  }

  /** Without a connection any VM can have been started again. */
  forgetAll(): void {
    this.#byId.clear();
    this.#hasAll = false;
  }
}
