/** The fields of storage: where disks go, and what VMs are installed from. */
import type { Problem } from "../../../lib/errors/errors.ts";
import type { CreateChoices } from "../vm/vm_forms.tsx";
import { Pick } from "./inputs.tsx";

/** What the fields are given. */
export interface StorageFieldsProps {
  readonly storage: { readonly pool_path: string; readonly cdrom_path: string };
  readonly choices: CreateChoices;
  readonly problems: readonly Problem[];
}

/** The fields of storage, which the form of a VM type has as well. */
export function StorageFields(
  { storage, choices, problems }: StorageFieldsProps,
) {
  return (
    <>
      <Pick
        name="storage.cdrom_path"
        label="Install image"
        value={storage.cdrom_path}
        choices={choices.isos}
        problems={problems}
        help="Used by all VM types"
        example="A full path, for example /mnt/tank/iso/debian.iso"
        other="Another file…"
        icon="image"
      />
      <Pick
        name="storage.pool_path"
        label="Disks go to"
        value={storage.pool_path}
        choices={choices.datasets}
        problems={problems}
        help="Used by all VM types"
        example="A dataset, for example tank/vms"
        other="Another dataset…"
        icon="disk"
      />
    </>
  );
}
