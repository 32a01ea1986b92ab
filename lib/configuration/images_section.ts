/** The section `images` of config.yaml: what disks are made from. */
import { z } from "../zod.ts";
import { show } from "../inputs.ts";

/** An image: a file that is on the NAS, or an address that it is fetched from. */
export interface ImageSource {
  /** `/mnt/tank/images/debian-12.qcow2`; absent for an image with an address. */
  readonly path?: string;
  /** `https://…/debian-12-generic-amd64.qcow2`; absent for an image with a path. */
  readonly url?: string;
  /** SHA-256 of what the address answers; with every address. */
  readonly sha256?: string;
}

/** The images by name. */
export type Images = Readonly<Record<string, ImageSource>>;

/** The name becomes part of a zvol's name. */
const MAX_NAME_CHARS = 64;
const IMAGE_NAME = /^[A-Za-z][A-Za-z0-9_.-]{0,63}$/;
const SHA256 = /^[0-9a-fA-F]{64}$/;
/** Some publishers list only this one. */
const SHA512 = /^[0-9a-f]{128}$/i;

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
    const message =
      "images must be a list of names, each with the path of a file on the NAS, or a url with its sha256";
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
  const wrong = imageNameProblem(name);
  if (wrong !== null) return [{ field, message: wrong }];
  if (typeof image !== "object" || image === null || Array.isArray(image)) {
    return [{
      field,
      message: `${name} must have the path of a file on the NAS, or a url with its sha256, found ${
        show(image)
      }`,
    }];
  }
  const values = image as Readonly<Record<string, unknown>>;
  const unknown = Object.keys(values).filter((key) => !["path", "url", "sha256"].includes(key));
  return [
    ...unknown.map((key) => ({
      field: `${field}.${key}`,
      message: `Unknown key ${show(key)}; the known keys are path, url and sha256`,
    })),
    ...(values.url === undefined ? [] : urlProblems(field, values)),
    ...digestProblems(field, values),
    ...(values.url === undefined ? pathProblems(field, values) : []),
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

/** Why an image cannot have this name; null when it can. */
export function imageNameProblem(name: string): string | null {
  if (IMAGE_NAME.test(name)) return null;
  const allowed = "start with a letter and contain only letters, digits, hyphens, dots and underscores";
  return name.length > MAX_NAME_CHARS
    ? `The name has ${name.length} characters; use at most ${MAX_NAME_CHARS}`
    : `The name ${show(name)} must ${allowed}`;
}

/** Why this is not the address of a file; null when it is. */
export function urlProblem(url: unknown): string | null {
  if (typeof url === "string" && isFileAddress(url.trim())) return null;
  if (typeof url === "string" && hasSecret(url)) {
    return "The address contains a name or a password, which would be stored; use one without";
  }
  return `${show(url)} is not the address of a file; write it like https://example.org/debian.qcow2`;
}

function isFileAddress(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, pathname } = new URL(url);
  return /^https?:$/.test(protocol) && pathname !== "/" && !hasSecret(url);
}

/** It would be in the configuration and in the journal. */
function hasSecret(url: string): boolean {
  const { username = "", password = "" } = URL.canParse(url) ? new URL(url) : {};
  return username !== "" || password !== "";
}

/** Why this is not a SHA-256; null when it is. */
export function sha256Problem(sha256: unknown): string | null {
  if (typeof sha256 === "string" && SHA256.test(sha256.trim())) return null;
  return typeof sha256 === "string" && SHA512.test(sha256.trim())
    ? "The SHA-256 must be 64 hexadecimal digits, and this is a SHA-512; check the file with it, and enter what sha256sum prints"
    : "The SHA-256 must be 64 hexadecimal digits";
}

function urlProblems(field: string, { url, path }: Readonly<Record<string, unknown>>): ImageProblem[] {
  if (path !== undefined) return [{ field, message: "An image has a path or a url; remove one of them" }];
  const message = urlProblem(url);
  return message === null ? [] : [{ field: `${field}.url`, message }];
}

function digestProblems(field: string, { sha256, url }: Readonly<Record<string, unknown>>): ImageProblem[] {
  const wrong = sha256 === undefined ? null : sha256Problem(sha256);
  if (wrong !== null) return [{ field: `${field}.sha256`, message: wrong }];
  if (url === undefined) {
    const message = "Only an image with a url has a sha256; remove it";
    return sha256 === undefined ? [] : [{ field: `${field}.sha256`, message }];
  }
  if (sha256 === undefined) {
    const message =
      "An image with a url needs its sha256, which its publisher lists beside the file (often in SHA256SUMS)";
    return [{ field: `${field}.sha256`, message }];
  }
  return [];
}

/** For the JSON Schema. */
export const imagesSchema = z.record(
  z.string(),
  z.union([
    z.strictObject({ path: z.string() }),
    z.strictObject({ url: z.string(), sha256: z.string() }),
  ]),
);
