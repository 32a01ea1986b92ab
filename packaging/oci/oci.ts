/**
 * The container image, in the layout of the Open Container Initiative and, for `docker load`, with Docker's list of
 * images beside it. It has no shell: nothing but the program, its runtime and the C library.
 */
import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { createHash } from "node:crypto";
import { compress, EPOCH_S, makeTar } from "../archive.ts";
import { run } from "../command.ts";
import type { Architecture } from "../elf.ts";
import type { PackageParts } from "../parts.ts";
import { sbomOf } from "../third_parties.ts";
import { COMMAND, FLAGS, SBOM } from "../tree.ts";
import { DEBIAN_NAMES, makeBase } from "./debian.ts";

/** User and group "apps" of TrueNAS. */
const USER = 568;
const CREATED = new Date(EPOCH_S * 1000).toISOString().replace(".000Z", "Z");
const FOLDER = `/usr/lib/${COMMAND}`;
const RUNTIME = `${FOLDER}/runtime`;
const SECOND_NS = 1_000_000_000;

/** How often Docker checks, in nanoseconds. Podman and Kubernetes do not read this; compose.yaml has it too. */
const HEALTH_CHECK = {
  Test: [
    ...["CMD", RUNTIME, "run", "--no-prompt", "--no-config", "--no-remote"],
    ...["--allow-env=PORT,BASE_PATH,TLS_CERT_FILE", "--allow-net=127.0.0.1", `${FOLDER}/health.js`],
  ],
  Interval: 30 * SECOND_NS,
  Timeout: 5 * SECOND_NS,
  StartPeriod: 10 * SECOND_NS,
  Retries: 3,
};

/** Part of an image: its bytes are in a file that is named by their digest. */
interface Blob {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** A layer, with the digest of its archive before it was compressed. */
interface Layer extends Blob {
  readonly diffId: string;
  readonly history: string;
}

/** Writes the image. */
export async function makeImage(parts: PackageParts, output: string): Promise<void> {
  const folder = await mkdtemp(`${tmpdir()}/${COMMAND}-image-`);
  try {
    const layout = `${folder}/layout`;
    await mkdir(`${layout}/blobs/sha256`, { recursive: true });
    const layers = await makeLayers(parts, { folder, layout });
    const config = await addJson(layout, "application/vnd.oci.image.config.v1+json", configOf(parts, layers));
    const manifest = await addJson(layout, MANIFEST_TYPE, {
      schemaVersion: 2,
      mediaType: MANIFEST_TYPE,
      config,
      layers: layers.map(blobOf),
      annotations: labelsOf(parts.version),
    });
    const names = {
      "org.opencontainers.image.ref.name": parts.version,
      "io.containerd.image.name": `${COMMAND}:${parts.version}`,
    };
    await writeJson(`${layout}/oci-layout`, { imageLayoutVersion: "1.0.0" });
    await writeJson(`${layout}/index.json`, {
      schemaVersion: 2,
      mediaType: "application/vnd.oci.image.index.v1+json",
      manifests: [{ ...manifest, annotations: names, platform: platformOf(parts.architecture) }],
    });
    await writeJson(`${layout}/manifest.json`, [{
      Config: pathOf(config),
      RepoTags: [`${COMMAND}:${parts.version}`],
      Layers: layers.map(pathOf),
    }]);
    await makeTar(layout, `${folder}/image.tar`);
    await copyFile(`${folder}/image.tar`, output);
  } finally {
    await rm(folder, { recursive: true });
  }
}

const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

interface Folders {
  readonly folder: string;
  readonly layout: string;
}

/** One layer a part that changes at its own pace: a new version of the program leaves the others as they are. */
async function makeLayers(parts: PackageParts, folders: Folders): Promise<Layer[]> {
  const { folder } = folders;
  const [base, program, state] = [`${folder}/base`, `${folder}/program`, `${folder}/state-root`];
  await Promise.all([base, program, state].map((path) => mkdir(path)));
  const debian = await makeBase(base, parts.architecture);
  await mkdir(`${program}/usr/lib`, { recursive: true });
  await run("cp", ["-R", parts.tree, `${program}${FOLDER}`]);
  await copyFile(new URL("health.js", import.meta.url), `${program}${FOLDER}/health.js`);
  await writeFile(`${program}${FOLDER}/${SBOM}`, sbomOf([...parts.thirdParties, ...debian]));
  await makeFolders(state);
  const libraries = debian.map(({ name, version }) => `${name} ${version}`).join(", ");
  return [
    await addLayer(base, `Debian: ${libraries}`, folders),
    await addLayer(program, `${COMMAND} ${parts.version}`, folders),
    await addLayer(state, "The folders of the journal, of config.yaml and of temporary files", folders, {
      owner: USER,
      mode: null,
    }),
  ];
}

/** Docker gives the memory that it mounts on /tmp the mode of this folder, and root as its owner. */
async function makeFolders(root: string): Promise<void> {
  await chmod(root, 0o755);
  for (const [name, mode] of [["state", 0o755], ["config", 0o755], ["tmp", 0o1777]] as const) {
    await mkdir(`${root}/${name}`);
    await chmod(`${root}/${name}`, mode);
  }
}

async function addLayer(
  from: string,
  history: string,
  { folder, layout }: Folders,
  options: Parameters<typeof makeTar>[2] = {},
): Promise<Layer> {
  const tar = `${folder}/layer.tar`;
  await makeTar(from, tar, options);
  const diffId = digestOf(await readFile(tar));
  const bytes = await readFile(await compress(tar));
  await rm(`${tar}.gz`);
  return { ...await addBlob(layout, "application/vnd.oci.image.layer.v1.tar+gzip", bytes), diffId, history };
}

function configOf({ architecture, version }: PackageParts, layers: readonly Layer[]): unknown {
  return {
    created: CREATED,
    ...platformOf(architecture),
    config: {
      User: `${USER}:${USER}`,
      ExposedPorts: { "8080/tcp": {} },
      Env: [
        ...["HOST=0.0.0.0", "PORT=8080", "STATE_DIR=/state"],
        ...["DENO_DIR=/nonexistent", "DENO_NO_UPDATE_CHECK=1", "PATH=/usr/bin"],
      ],
      Entrypoint: [RUNTIME, "run", ...FLAGS, `${FOLDER}/program/main.js`],
      Cmd: ["serve"],
      Volumes: { "/state": {} },
      WorkingDir: "/config",
      Labels: labelsOf(version),
      StopSignal: "SIGTERM",
      Healthcheck: HEALTH_CHECK,
    },
    rootfs: { type: "layers", diff_ids: layers.map(({ diffId }) => diffId) },
    history: layers.map(({ history }) => ({ created: CREATED, created_by: history })),
  };
}

function platformOf(architecture: Architecture): { architecture: string; os: string } {
  return { architecture: DEBIAN_NAMES[architecture], os: "linux" };
}

function labelsOf(version: string): Record<string, string> {
  return {
    "org.opencontainers.image.title": "TrueNAS VM Manager",
    "org.opencontainers.image.description": "Creates and destroys groups of VMs on TrueNAS from your browser",
    "org.opencontainers.image.version": version,
    "org.opencontainers.image.licenses": "MIT",
    "org.opencontainers.image.created": CREATED,
  };
}

function addJson(layout: string, mediaType: string, value: unknown): Promise<Blob> {
  return addBlob(layout, mediaType, new TextEncoder().encode(JSON.stringify(value)));
}

async function addBlob(layout: string, mediaType: string, bytes: Uint8Array): Promise<Blob> {
  const blob = { mediaType, digest: digestOf(bytes), size: bytes.length };
  await writeFile(`${layout}/${pathOf(blob)}`, bytes);
  return blob;
}

function blobOf({ mediaType, digest, size }: Blob): Blob {
  return { mediaType, digest, size };
}

function pathOf({ digest }: Blob): string {
  return `blobs/${digest.replace(":", "/")}`;
}

function digestOf(bytes: Uint8Array): string {
  return `sha256:${createHash("sha256").update(bytes).digest("hex")}`;
}

function writeJson(path: string, value: unknown): Promise<void> {
  return writeFile(path, JSON.stringify(value));
}
