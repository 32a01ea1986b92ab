/** The self-extracting file: a script, followed by the compressed tree of the program. */
import { appendFile, chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createHash } from "node:crypto";
import { compress, makeTar, sizeOf } from "../archive.ts";
import type { PackageParts } from "../parts.ts";
import { COMMAND, fill, readPackagingFile } from "../tree.ts";

/** Space beside the files themselves: blocks that are not full, and compiled code of the first start. */
const SPARE_BYTES = 24 * 1024 * 1024;

/** Where the script names the place at which the archive begins. */
const OWN_SIZE = "%SCRIPT_BYTES%";

/** Digits of the digest in the folder's name, so that two builds of one version do not share a folder. */
const NAME_DIGITS = 8;

/** Writes the self-extracting file. */
export async function makeRunFile(
  { architecture, version, libc, tree }: Omit<PackageParts, "thirdParties">,
  output: string,
): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/truenas-vm-manager-run-`);
  try {
    await makeTar(tree, `${folder}/tree.tar`);
    const digest = sha256(await readFile(`${folder}/tree.tar`)).slice(0, NAME_DIGITS);
    const name = `${COMMAND}-${version}-${digest}`;
    await makeTar(tree, `${folder}/archive.tar`, { prefix: name });
    const archive = await readFile(await compress(`${folder}/archive.tar`));
    const script = withOwnSize(
      fill(await readPackagingFile("run/stub.sh"), {
        VERSION: version,
        ARCHITECTURE: architecture,
        NAME: name,
        ARCHIVE_BYTES: String(archive.length),
        ARCHIVE_SHA256: sha256(archive),
        EXTRACTED_KIB: String(Math.ceil((await sizeOf(tree) + SPARE_BYTES) / 1024)),
        OLDEST_LIBC: String(libc),
      }),
    );
    await writeFile(output, script);
    await appendFile(output, archive);
    await chmod(output, 0o755);
  } finally {
    await rm(folder, { recursive: true });
  }
}

/** Names a script's own size in it, which changes the size by the digits of the name. */
function withOwnSize(script: string): string {
  const bytes = new TextEncoder().encode(script.replace(OWN_SIZE, "")).length;
  let digits = 1;
  while (String(bytes + digits).length > digits) digits++;
  return script.replace(OWN_SIZE, String(bytes + digits));
}

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}
