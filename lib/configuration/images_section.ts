/** The section `images` of config.yaml: what disks are made from. */
import { z } from "../zod.ts";
import { show } from "../inputs.ts";

/** An image, as a file that is on the NAS. */
export interface ImageSource {
  /** `/mnt/tank/images/debian-12.qcow2` */
  readonly path: string;
}

/** The images by name. */
export type Images = Readonly<Record<string, ImageSource>>;

/** The name becomes part of a zvol's name. */
const IMAGE_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const SHA256 = /^[0-9a-fA-F]{64}$/;

/** A problem with an image, by the key it has. */
interface ImageProblem {
  readonly field: string;
  readonly message: string;
}

/** Checks the section as a whole: its images, or every problem, each with its dotted path. */
export function checkImages(
  section: unknown,
): { readonly images: Images; readonly problems: readonly ImageProblem[] } {
  if (section === undefined || section === null) return { images: {}, problems: [] };
  if (typeof section !== "object" || Array.isArray(section)) {
    const message = "images must be a list of names, each with the path of a file on the NAS";
    return { images: {}, problems: [{ field: "images", message }] };
  }
  // A type of this name was possible before images were.
  if ("count" in section || "memory" in section) {
    const message =
      "images is reserved and cannot be a VM type; rename the type, or prefix a section of your own with x-";
    return { images: {}, problems: [{ field: "images", message }] };
  }
  const problems = Object.entries(section).flatMap(([name, image]) => problemsOf(name, image));
  return { images: problems.length === 0 ? section as Images : {}, problems };
}

function problemsOf(name: string, image: unknown): ImageProblem[] {
  const field = `images.${name}`;
  if (!IMAGE_NAME.test(name)) {
    const allowed = "start with a letter and contain only letters, digits, hyphens, dots and underscores";
    return [{ field, message: `The name ${show(name)} must ${allowed}` }];
  }
  if (typeof image !== "object" || image === null || Array.isArray(image)) {
    return [{ field, message: `${name} must have the path of a file on the NAS, found ${show(image)}` }];
  }
  const values = image as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(values).filter((key) => !["path", "url", "sha256"].includes(key));
  return [
    ...unknown.map((key) => ({
      field: `${field}.${key}`,
      message: `Unknown key ${show(key)}; the known key is path`,
    })),
    ...digestProblems(field, values),
    ...(values.url === undefined ? pathProblems(field, values) : urlProblems(field, values)),
  ];
}

function pathProblems(field: string, { path }: Readonly<Record<string, unknown>>): ImageProblem[] {
  if (typeof path !== "string" || path === "") {
    return [{ field: `${field}.path`, message: "The path of the image is missing; enter it" }];
  }
  const message = imagePathProblem(path);
  return message === null ? [] : [{ field: `${field}.path`, message }];
}

function imagePathProblem(path: string): string | null {
  if (!path.startsWith("/mnt/")) {
    return `${show(path)} must be a full path under /mnt/, such as /mnt/tank/images/debian-12.qcow2`;
  }
  if (/[{}]/.test(path)) {
    return `${show(path)} contains a brace, which TrueNAS does not accept in paths; rename the file`;
  }
  return path.endsWith("/") ? `${show(path)} is a folder; enter the path of a file in it` : null;
}

function urlProblems(field: string, { url, path }: Readonly<Record<string, unknown>>): ImageProblem[] {
  if (path !== undefined) return [{ field, message: "An image has a path or a url; remove one of them" }];
  if (typeof url !== "string" || !/^https?:\/\/[^/]+\//.test(url)) {
    const message = `${
      show(url)
    } is not the address of a file; write it like https://example.org/debian.qcow2`;
    return [{ field: `${field}.url`, message }];
  }
  const message =
    "Images cannot be downloaded yet; put the file on the NAS, and write its path instead of its url";
  return [{ field: `${field}.url`, message }];
}

function digestProblems(field: string, { sha256, url }: Readonly<Record<string, unknown>>): ImageProblem[] {
  if (sha256 === undefined) return [];
  if (typeof sha256 !== "string" || !SHA256.test(sha256)) {
    return [{ field: `${field}.sha256`, message: "sha256 must be 64 hexadecimal digits" }];
  }
  if (url !== undefined) return [];
  const message = "Only an image with a url has a sha256; remove it";
  return [{ field: `${field}.sha256`, message }];
}

/** For the JSON Schema. */
export const imagesSchema = z.record(z.string(), z.strictObject({ path: z.string() }));
