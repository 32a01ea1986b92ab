/** Machine config patches for Talos, one file per node: `talosctl apply-config --config-patch @worker01.yaml`. Pure. */
import { commentsOf, type Exported, type LeftOut } from "./exported.ts";
import { talosDocuments } from "./talos_documents.ts";
import { TALOS_VERSION, type TalosVersion } from "./names.ts";
import type { ClusterNode, InstallDisk } from "./nodes.ts";
import { type HostName, NO_HOST_NAME } from "./values.ts";

/** For Talos. */
export function toTalos(
  nodes: readonly ClusterNode[],
  { version = TALOS_VERSION }: { readonly version?: TalosVersion } = {},
): Exported {
  const leftOut: LeftOut[] = [];
  const texts = new Map<HostName, string>();
  for (const { name, host, nics, installDisk } of nodes) {
    if (host === null) leftOut.push({ name, because: NO_HOST_NAME });
    else if (texts.has(host)) leftOut.push({ name, because: `${host} is already taken by another VM` });
    else {
      const links = nics.flatMap(({ mac, planned = null }) => mac === null ? [] : [{ mac, planned }]);
      const documents = talosDocuments(version, { host, links, installDisk });
      const hints = installHint(version, installDisk).map((line) => `# ${line}\n`).join("");
      texts.set(host, `# ${host}, for Talos ${version}\n${hints}${documents.join("---\n")}`);
    }
  }
  const files = [...texts].map(([host, text]) => ({ name: `${host}.yaml`, text }));
  const note = leftOut.length === 0 ? [] : [{ name: "left-out.txt", text: commentsOf(leftOut) }];
  const disks = new Set(nodes.map(({ installDisk }) => installDisk));
  const notices = [...disks].flatMap((disk) => installHint(version, disk));
  return { files: [...files, ...note], leftOut, notices };
}

/**
 * From 1.14 on the install disk is in machine.install or in an UnattendedInstallConfig, and Talos refuses both together.
 * Which one the patched configuration has is unknown here.
 */
function installHint(version: TalosVersion, installDisk: InstallDisk | null): readonly string[] {
  const isInDocument = version === "1.11" || version === "1.12" || version === "1.13";
  if (isInDocument || installDisk === null) return [];
  return [
    `To install Talos ${version} to ${installDisk}, generate the configuration with: talosctl gen config --install-disk ${installDisk}`,
  ];
}
