/** The container image, and its root as tools for images unpack it, entered without a container engine. */
import { built, succeed, withPublicFolder } from "./packages.ts";

/** User and group "apps" of TrueNAS. */
export const USER = 568;

/** What an image says about itself, as far as it matters here. */
export interface ImageConfiguration {
  readonly User: string;
  readonly Env: readonly string[];
  readonly Entrypoint: readonly string[];
  readonly Cmd: readonly string[];
  readonly WorkingDir: string;
  readonly Labels: Readonly<Record<string, string>>;
  readonly Healthcheck: { readonly Test: readonly string[] };
}

/** Reads an image's configuration by skopeo; `image` begins with how it is stored. */
export async function configurationOf(image: string): Promise<ImageConfiguration> {
  const { config } = JSON.parse(await succeed("skopeo", "inspect", "--config", "--raw", image));
  return config;
}

/** An image that was unpacked, with folders for what is mounted into it. */
export interface UnpackedImage {
  readonly configuration: ImageConfiguration;
  readonly env: Readonly<Record<string, string>>;
  /** Its root. */
  readonly root: string;
  /** Mounted as /config and /state; 568 can write the latter. */
  readonly config: string;
  readonly state: string;
  /** The command that runs what follows it in the image's read-only root, as user 568. */
  readonly enter: readonly string[];
  /** How long unpacking took. */
  readonly unpackMs: number;
}

/** Unpacks the image to a folder, removed in the end. */
export function withImage(test: (image: UnpackedImage) => Promise<void>): Promise<void> {
  return withPublicFolder(async (folder) => {
    const image = built("oci.tar");
    const unpackedAt = performance.now();
    await succeed("skopeo", "copy", "--quiet", `oci-archive:${image}`, `oci:${folder}/layout:test`);
    await succeed("umoci", "unpack", "--image", `${folder}/layout:test`, `${folder}/bundle`);
    const unpackMs = performance.now() - unpackedAt;
    const configuration = await configurationOf(`oci-archive:${image}`);
    const [root, config, state] = [`${folder}/bundle/rootfs`, `${folder}/config`, `${folder}/state`];
    await Promise.all([config, state].map((path) => Deno.mkdir(path)));
    await Deno.chown(state, USER, USER);
    await Deno.chmod(`${folder}/bundle`, 0o755);
    const enter = [
      ...["setpriv", `--reuid=${USER}`, `--regid=${USER}`, "--clear-groups", "bwrap", "--die-with-parent"],
      ...["--ro-bind", root, "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
      ...["--bind", state, "/state", "--ro-bind", config, "/config", "--chdir", configuration.WorkingDir],
    ];
    const env = Object.fromEntries(configuration.Env.map((line) => line.split("=")));
    await test({ configuration, env, root, config, state, enter, unpackMs });
  });
}
