/** Names of the files that seeds are made from: relative to config.yaml, in its folder or below it. Pure. */
import { show } from "../inputs.ts";

/** The folder beside config.yaml whose files can be read while the program runs. */
export const SEEDS_FOLDER = "seeds";

/** The operating system's own limit is a few times as long. */
const MAX_PATH_CHARS = 255;

/** Why a file cannot be named like this; null when it can. */
export function seedPathProblem(path: string): string | null {
  if (path.length > MAX_PATH_CHARS) {
    return `The name of the file has ${path.length} characters; the maximum is ${MAX_PATH_CHARS}`;
  }
  const name = path.split("/").at(-1);
  const inFolder =
    `put it into the folder ${SEEDS_FOLDER} beside config.yaml, and write ${SEEDS_FOLDER}/${name}`;
  if (/^(\/|~|[A-Za-z]:)/.test(path)) {
    return `${show(path)} must be below the folder of config.yaml: ${inFolder}`;
  }
  if (/[\\\p{Cc}]/u.test(path)) {
    return `${show(path)} is not the name of a file; write it like seeds/worker.yaml`;
  }
  const parts = path.replace(/^\.\//, "").split("/");
  if (parts.includes("..")) return `${show(path)} leads out of the folder of config.yaml: ${inFolder}`;
  if (parts.includes("") || parts.includes(".")) {
    return `${show(path)} is not the name of a file; write it like seeds/worker.yaml`;
  }
  // Hidden files are settings and secrets of programs: .env, .ssh, .git.
  if (parts.some((part) => part.startsWith("."))) {
    return `${show(path)} is hidden; use a name without a leading dot`;
  }
  return null;
}

/** The files that a configuration may name, found before it is interpreted. More than it names is found, and less is not. */
export function seedPathsIn(text: string): string[] {
  const names = text.matchAll(/[A-Za-z0-9_][\w.+@-]*(?:\/[\w.+@-]+)*/g);
  const plausible = [...names].map(([name]) => name).filter((name) =>
    /[./]/.test(name) && seedPathProblem(name) === null
  );
  return [...new Set(plausible)].slice(0, MAX_NAMES);
}

/** Each is looked up at the start. */
const MAX_NAMES = 1_000;
