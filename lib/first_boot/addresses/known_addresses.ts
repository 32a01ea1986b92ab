/** What is known of addresses in use, before VMs get theirs. Plain data. */
import type { Reading } from "../../inventory/inventory.ts";

/** An address of a VM that is not planned now. */
export interface KnownAddress {
  /** IPv4. */
  readonly address: string;
  /** Name of the VM. */
  readonly vm: string;
  /** The bridge or interface of its NIC; null when unknown. */
  readonly attach: string | null;
  /** `creation`: it was given the address; `agent`: its guest reports it. */
  readonly by: "creation" | "agent";
}

/** Addresses that are in use. */
export interface KnownAddresses {
  /** Those of other VMs. */
  readonly vms: readonly KnownAddress[];
  /** MAC addresses by address, of devices that answer the NAS; absent while nobody has asked. */
  readonly neighbours?: Reading<ReadonlyMap<string, string>>;
}
