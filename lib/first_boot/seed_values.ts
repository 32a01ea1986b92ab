/** What the single values of `seed` can be. Pure. */
import { show } from "../inputs.ts";
import { publicKeyProblem } from "./rendering/ssh_keys.ts";
import { seedPathProblem } from "./seed_paths.ts";

/** Letters that are in no host name, variables aside. */
const HOST_NAME = /^[A-Za-z0-9_-]*$/;

/** The variables are checked where the type's networks are known. */
export function hostNameProblem(text: string): string | null {
  if (HOST_NAME.test(text.replaceAll(/\{\{[^{}]*\}\}/g, ""))) return null;
  return `${show(text)} is not a host name; write it like node-{{ vm.index }}`;
}

/** As useradd accepts it on every distribution. */
export function userProblem(user: string): string | null {
  if (user === "root") return "root exists in every guest; enter a user of your own, who may use sudo";
  if (/^[a-z_][a-z0-9_-]{0,31}$/.test(user)) return null;
  return `${
    show(user)
  } is not a user's name; it has at most 32 small letters, digits, hyphens and underscores`;
}

/** An account at GitHub. */
const ACCOUNT = /^github:[A-Za-z0-9](?:[A-Za-z0-9-]{0,38})$/;

/** An entry of `ssh_keys`, by how it names keys. */
export function sshKeyProblem(entry: string, source: "inline" | "file" | "github"): string | null {
  if (source === "inline") return publicKeyProblem(entry);
  if (source === "file") return seedPathProblem(entry);
  return ACCOUNT.test(entry) ? null : `${show(entry)} is not an account; write it like github:NAME`;
}

/** A name of the time zone database. */
export function timezoneProblem(zone: string): string | null {
  if (/^[A-Za-z_]+(\/[A-Za-z0-9_+-]+)*$/.test(zone) && isTimezone(zone)) return null;
  return `${show(zone)} is not a time zone; write it like Europe/Berlin`;
}

function isTimezone(timeZone: string): boolean {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return true;
  } catch {
    return false;
  }
}

/** A leading hyphen would be an option of the package manager. */
export function packageProblem(name: string): string | null {
  if (/^[A-Za-z0-9][A-Za-z0-9+._:=~@\/-]{0,199}$/.test(name)) return null;
  return `${show(name)} is not the name of a package; write it like qemu-guest-agent`;
}
