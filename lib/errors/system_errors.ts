/** Explains errors of the operating system and the runtime in plain words. Pure. */
import { type ErrnoName, errnoName } from "./errno.ts";

/** What each error means, as the end of a sentence that names the file or address. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: "no such file or folder",
  EACCES: "this program's user does not have permission; check the owner and mode",
  EPERM: "the operating system does not permit it; check the owner, mode and mount options",
  EROFS: "the file system is read-only; choose a writable folder",
  EISDIR: "this is a folder; name a file",
  ENOTDIR: "part of the path is a file, not a folder",
  EEXIST: "it already exists",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "its symbolic links form a loop",
  ENOSPC: "the disk is full; free some space",
  EDQUOT: "the disk quota is exhausted; free some space",
  EFBIG: "the file is too large",
  EIO: "reading or writing the disk failed; check the disk's health",
  EMFILE: "this program has too many open files and connections; raise the limit (ulimit -n)",
  ENFILE: "this machine has too many open files and connections",
  EBUSY: "something else is using it",
  EADDRINUSE: "another program is already listening on this address and port",
  EADDRNOTAVAIL: "this machine does not have this address",
  ENOTFOUND: "this host name has no address in DNS; check its spelling, or use an IP address",
  ECONNREFUSED: "nothing is listening there; check the address and port, and that the service is running",
  ECONNRESET: "the other side closed the connection",
  EHOSTUNREACH: "there is no route to the host; check the address and the network",
  ENETUNREACH: "the network is unreachable; check this machine's network",
  EHOSTDOWN: "the host is down",
  ETIMEDOUT: "no answer arrived in time; check the address, and that no firewall blocks the connection",
  EPIPE: "the other side closed the connection",
  EINVAL: "the operating system rejected it as invalid",
};

/** The runtime's error classes, for errors that carry no code. */
const CODES_BY_CLASS: Readonly<Record<string, string>> = {
  NotFound: "ENOENT",
  PermissionDenied: "EACCES",
  IsADirectory: "EISDIR",
  NotADirectory: "ENOTDIR",
  AlreadyExists: "EEXIST",
  FilesystemLoop: "ELOOP",
  Busy: "EBUSY",
  AddrInUse: "EADDRINUSE",
  AddrNotAvailable: "EADDRNOTAVAIL",
  ConnectionRefused: "ECONNREFUSED",
  ConnectionReset: "ECONNRESET",
  ConnectionAborted: "ECONNRESET",
  HostUnreachable: "EHOSTUNREACH",
  NetworkUnreachable: "ENETUNREACH",
  TimedOut: "ETIMEDOUT",
  BrokenPipe: "EPIPE",
};

/** Messages of the resolver and SQLite, whose errors carry no code. */
const WORDS: readonly (readonly [says: RegExp, code: string])[] = [
  [/failed to lookup address information/i, "ENOTFOUND"],
  [/database or disk is full/i, "ENOSPC"],
  [/readonly database/i, "EROFS"],
  [/disk I\/O error/i, "EIO"],
  [/unable to open database file/i, "EACCES"],
];

/** The operating system's name for an error (`ENOENT`), or null when the error is not the system's. */
export function systemErrorCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ("code" in error && typeof error.code === "string" && Object.hasOwn(MEANINGS, error.code)) {
    return error.code;
  }
  const said = WORDS.find(([says]) => says.test(error.message));
  if (said !== undefined) return said[1];
  // The runtime appends the number: `(os error 111)`.
  const [, number = ""] = /\(os error (\d+)\)/.exec(error.message) ?? [];
  return errnoName(Number(number)) ?? CODES_BY_CLASS[error.name] ?? null;
}

/** Whether a file, or the folder it should be in, does not exist. */
export function isMissing(error: unknown): boolean {
  return systemErrorCode(error) === "ENOENT";
}

/** Whether the runtime refused it, because the program was started without that permission. */
export function isNotPermitted(error: unknown): boolean {
  return error instanceof Error && error.name === "NotCapable";
}

/** An error of the operating system. */
export function systemError(code: ErrnoName, message: string): Error {
  return Object.assign(new Error(message), { code });
}

/** What an error of the system or the runtime means, as the end of a sentence; null for any other error. */
export function describeSystemError(error: unknown): string | null {
  const code = systemErrorCode(error);
  if (code !== null) return MEANINGS[code] ?? null;
  if (!(error instanceof Error)) return null;
  if (isNotPermitted(error)) {
    const [, what = "more"] = /^Requires (.+?),? run again/.exec(error.message) ?? [];
    return `this program was started without the required permission (${what}); start it as the README shows`;
  }
  return error.name === "InvalidData" ? "it is not UTF-8 text" : null;
}

/** The meaning of a system error, or the message of any other error. */
export function reasonOf(error: unknown): string {
  return describeSystemError(error) ?? (error instanceof Error ? error.message : String(error));
}
