/** The images as JSON, identical on the dashboard and the command line; sizes in bytes, times in ISO 8601. */
import { shownAddress } from "../source/shown_address.ts";
import { type ImageList, type ImageUser, type ImageVersion, vmsOf } from "./image_list.ts";

/** The list. */
export function imageListJson({ images, files, dataset, readAt }: ImageList): Record<string, unknown> {
  return {
    readAt: timeOf(readAt),
    dataset,
    images: images.map((image) => {
      const { name, state, declared, file, versions, datasets, copies } = image;
      return {
        name,
        state,
        declared: declared?.url == null ? declared : { ...declared, url: shownAddress(declared.url) },
        file: file === null ? null : { ...file, changedAt: timeOf(file.changedAt) },
        versions: versions.map(versionJson),
        datasets: datasets.map((it) => ({ ...it, createdAt: timeOf(it.createdAt) })),
        copies: copies.map(userJson),
        vms: vmsOf(image).map((vm) => vm?.name),
      };
    }),
    files: files.known
      ? files.value.map((file) => ({ ...file, vms: file.vms.map(({ name }) => name) }))
      : null,
    because: files.known ? null : files.because,
  };
}

function versionJson(version: ImageVersion): Record<string, unknown> {
  return { ...version, createdAt: timeOf(version.createdAt), clones: version.clones.map(userJson) };
}

function userJson({ zvol, origin, vm, isOurs }: ImageUser): Record<string, unknown> {
  return { zvol, origin, vm: vm?.name ?? null, isOurs };
}

function timeOf(at: number | null): string | null {
  return at === null ? null : new Date(at).toISOString();
}
