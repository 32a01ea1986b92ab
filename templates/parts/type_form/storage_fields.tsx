/** The fields of storage: where disks go, and what VMs are installed from. */
import type { Problem } from "../../../lib/errors/errors.ts";
import type { CreateChoices } from "../vm/vm_forms.tsx";
import { Pick } from "./inputs.tsx";

/** What the fields are given. */
export interface StorageFieldsProps {
  readonly storage: { readonly pool_path: string; readonly cdrom_path: string };
  readonly choices: CreateChoices;
  readonly problems: readonly Problem[];
  /** Who else uses what is chosen; by default nobody, or whom the heading names. */
  readonly help?: string;
}

/** Both fields. */
export function StorageFields(props: StorageFieldsProps) {
  return (
    <>
      <ImageField {...props} />
      <DatasetField {...props} />
    </>
  );
}

/** Said where no heading says it. */
export const SHARED_HELP = "Used by all VM types";

/** What VMs are installed from. */
export function ImageField({ storage, choices, ...props }: StorageFieldsProps) {
  return (
    <Pick
      {...props}
      name="storage.cdrom_path"
      label="Install image"
      value={storage.cdrom_path}
      choices={choices.isos}
      example="A full path, for example /mnt/tank/iso/debian.iso"
      other="Another file…"
      icon="image"
    />
  );
}

/** Where disks go. */
export function DatasetField({ storage, choices, ...props }: StorageFieldsProps) {
  return (
    <Pick
      {...props}
      name="storage.pool_path"
      label="Disks go to"
      value={storage.pool_path}
      choices={choices.datasets}
      example="A dataset, for example tank/vms"
      other="Another dataset…"
      icon="disk"
    />
  );
}
