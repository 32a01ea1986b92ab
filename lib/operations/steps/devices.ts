/** Matches planned devices with those on the NAS. Pure. */
import { zvolOfPath } from "../../inventory/names.ts";
import type { PlannedDevice } from "../../plan/types.ts";
import type { DeviceRow } from "../../truenas/methods.ts";
import { formatBytes } from "../../units.ts";

/** Whether a device on the NAS is the planned one, by its identifying attributes. */
export function isDevice({ attributes }: DeviceRow, device: PlannedDevice): boolean {
  if (attributes.dtype !== device.dtype) return false;
  switch (device.dtype) {
    case "DISPLAY":
      return attributes.port === device.port;
    case "CDROM":
      return attributes.path === device.path;
    case "NIC":
      return attributes.mac === device.mac;
    case "DISK":
      return typeof attributes.path === "string" && zvolOfPath(attributes.path) === device.zvol;
  }
}

/** A short description of a device. */
export function describeDevice(device: PlannedDevice): string {
  switch (device.dtype) {
    case "DISPLAY":
      return `port ${device.port}`;
    case "CDROM":
      return device.path;
    case "NIC":
      return `${device.attach}, ${device.mac}`;
    case "DISK":
      return `${device.zvol}, ${formatBytes(device.sizeBytes)}${device.sparse === true ? " sparse" : ""}`;
  }
}
