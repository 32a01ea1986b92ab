/** Where a guest finds its seed: an address in the serial number of its SMBIOS, or a CD. */
import { splitWords } from "../../first_boot/command_line_args.ts";
import { devicesOf, type Store, type StoredVm } from "../store.ts";
import { readCd } from "./seed_cd.ts";

/** A seed that the guest knows of. */
export type SeedSource =
  | { readonly kind: "url"; readonly url: string }
  | { readonly kind: "cd"; readonly files: ReadonlyMap<string, string> };

/** Of the seed of cloud-init: `cidata` on a CD; a serial number of the kind that is fetched over the network. */
export function seedSourceOf(store: Store, vm: StoredVm): SeedSource | null {
  const serial = smbiosSerial(String(vm.config.command_line_args ?? ""));
  const [kind, ...options] = (serial ?? "").split(";");
  const url = options.find((option) => /^(s|seedfrom)=/.test(option))?.replace(/^\w+=/, "");
  if (kind === "ds=nocloud-net" && url !== undefined) return { kind: "url", url };
  const cds = devicesOf(store, vm.id).filter(({ attributes }) => attributes.dtype === "CDROM");
  for (const { attributes: { path } } of cds) {
    const cd = readCd(store.files.get(String(path))?.head ?? new Uint8Array());
    if (cd === null || !/^(cidata|CIDATA)$/.test(cd.label)) continue;
    // Without both of them it is no seed.
    if (cd.files.has("user-data") && cd.files.has("meta-data")) return { kind: "cd", files: cd.files };
  }
  return null;
}

/** The serial number of SMBIOS type 1 among QEMU's arguments, where the last one wins; null without one. */
function smbiosSerial(args: string): string | null {
  const words = splitWords(args) ?? [];
  const tables = words.flatMap((word, index) => /^--?smbios$/.test(word) ? words[index + 1] ?? [] : [])
    .map((value) => value.split(/(?<!,)(?:,,)*,(?!,)/).map((option) => option.replaceAll(",,", ",")));
  const serials = tables.filter((options) => options.includes("type=1"))
    .flatMap((options) => options.filter((option) => option.startsWith("serial=")));
  return serials.at(-1)?.slice("serial=".length) ?? null;
}
