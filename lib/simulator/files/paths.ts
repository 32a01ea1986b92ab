/** Paths on the simulated NAS: links, folders, and the datasets that they are in. */
import type { Store, StoredDataset } from "../store.ts";

/** Where a path really is, with the first symbolic link followed, as there is one at most. */
export function realPath({ links }: Store, path: string): string {
  for (const [link, target] of links) {
    if (path === link || path.startsWith(`${link}/`)) return `${target}${path.slice(link.length)}`;
  }
  return path;
}

/** The folder that contains a path; empty for the root. */
export function folderOf(path: string): string {
  return path.slice(0, path.lastIndexOf("/"));
}

/** A path is a folder when it is a mounted dataset, was made, or contains a file. */
export function isFolder(store: Store, path: string): boolean {
  if (store.folders.has(path)) return true;
  return mounts(store).includes(path) || [...store.files.keys()].some((file) => file.startsWith(`${path}/`));
}

/** The mount points of all filesystems. */
export function mounts({ datasets }: Store): string[] {
  return [...datasets.values()].filter(({ type }) => type === "FILESYSTEM").map(({ name }) => `/mnt/${name}`);
}

/** The filesystem that a path is in; null outside the pool. */
export function datasetAt(store: Store, path: string): StoredDataset | null {
  const inside = mounts(store).filter((mount) => path === mount || path.startsWith(`${mount}/`));
  const deepest = inside.toSorted((a, b) => b.length - a.length)[0];
  return deepest === undefined ? null : store.datasets.get(deepest.slice("/mnt/".length)) ?? null;
}
