/** The VMs and devices that have changed on the NAS since they were read. */
export class StaleVms {
  /** Whether all VMs must be read. */
  all: boolean;
  /** Ids of changed VMs. */
  readonly vms = new Set<number>();
  /** Ids of changed devices; true where the NAS must be asked which VM they belong to. */
  readonly devices = new Map<number, boolean>();

  /** Empty, unless `all` VMs must be read. */
  constructor(all = false) {
    this.all = all;
  }

  /** Whether nothing has changed. */
  get isEmpty(): boolean {
    return !this.all && this.vms.size === 0 && this.devices.size === 0;
  }

  /** Adds a changed device. */
  addDevice(id: number, isOwnerUnknown: boolean): void {
    this.devices.set(id, isOwnerUnknown || this.devices.get(id) === true);
  }

  /** Adds what could not be read. */
  addAll({ all, vms, devices }: StaleVms): void {
    this.all ||= all;
    for (const id of vms) this.vms.add(id);
    for (const [id, isOwnerUnknown] of devices) this.addDevice(id, isOwnerUnknown);
  }
}
