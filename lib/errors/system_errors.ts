/** The operating system's and the runtime's errors in words for people: raw ones never stand alone. Pure. */

/** What each means, as the end of a sentence that names the file or address. */
const MEANINGS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "this program's user has no permission for it; check its owner and mode",
  EPERM: "the operating system does not permit it; check its owner, its mode and the mount",
  EROFS: "the file system is read-only; choose a folder that can be written",
  EISDIR: "it is a folder, and a file is needed",
  ENOTDIR: "a part of its path is a file, and a folder is needed",
  EEXIST: "it exists already",
  ENAMETOOLONG: "its name is too long",
  ELOOP: "its symbolic links lead in a circle",
  ENOSPC: "the disk is full; free some space",
  EDQUOT: "the disk quota is used up; free some space",
  EFBIG: "the file is too large",
  EIO: "the disk could not be read or written; check its health",
  EMFILE: "too many files and connections are open; raise the limit (ulimit -n)",
  ENFILE: "the machine has too many files and connections open",
  EBUSY: "something else is using it",
  EADDRINUSE: "another program is listening on this address and port",
  EADDRNOTAVAIL: "this machine has no such address",
  ENOTFOUND: "no such host name is known; check its spelling, or write an address",
  ECONNREFUSED: "nothing accepts connections there; check address and port, and that the service is running",
  ECONNRESET: "the other side closed the connection",
  EHOSTUNREACH: "no route leads to this host; check the address and the network",
  ENETUNREACH: "the network cannot be reached; check the network of this machine",
  EHOSTDOWN: "the host is down",
  ETIMEDOUT: "it did not answer in time; check the address, and that no firewall drops the packets",
  EPIPE: "the other side closed the connection",
  EINVAL: "the operating system does not take it",
};

/** The runtime's classes for the same, where an error carries no code. */
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

/** Linux's numbers, as the runtime writes them at the end of a message: `(os error 111)`. */
const CODES_BY_NUMBER: Readonly<Record<string, string>> = {
  "1": "EPERM",
  "2": "ENOENT",
  "5": "EIO",
  "13": "EACCES",
  "16": "EBUSY",
  "17": "EEXIST",
  "20": "ENOTDIR",
  "21": "EISDIR",
  "22": "EINVAL",
  "23": "ENFILE",
  "24": "EMFILE",
  "27": "EFBIG",
  "28": "ENOSPC",
  "30": "EROFS",
  "32": "EPIPE",
  "36": "ENAMETOOLONG",
  "40": "ELOOP",
  "98": "EADDRINUSE",
  "99": "EADDRNOTAVAIL",
  "101": "ENETUNREACH",
  "104": "ECONNRESET",
  "110": "ETIMEDOUT",
  "111": "ECONNREFUSED",
  "112": "EHOSTDOWN",
  "113": "EHOSTUNREACH",
  "122": "EDQUOT",
};

/** What the resolver and SQLite say, who give no code. */
const WORDS: readonly (readonly [says: RegExp, code: string])[] = [
  [/failed to lookup address information/i, "ENOTFOUND"],
  [/database or disk is full/i, "ENOSPC"],
  [/readonly database/i, "EROFS"],
  [/disk I\/O error/i, "EIO"],
  [/unable to open database file/i, "EACCES"],
];

/** The operating system's name of an error (`ENOENT`), or null when it is none of the system's. */
export function systemErrorCode(error: unknown): string | null {
  if (!(error instanceof Error)) return null;
  if ("code" in error && typeof error.code === "string" && Object.hasOwn(MEANINGS, error.code)) {
    return error.code;
  }
  const said = WORDS.find(([says]) => says.test(error.message));
  if (said !== undefined) return said[1];
  const [, number = ""] = /\(os error (\d+)\)/.exec(error.message) ?? [];
  return CODES_BY_NUMBER[number] ?? CODES_BY_CLASS[error.name] ?? null;
}

/** What an error of the system or the runtime means, as the end of a sentence; null for any other error. */
export function describeSystemError(error: unknown): string | null {
  const code = systemErrorCode(error);
  if (code !== null) return MEANINGS[code] ?? null;
  if (!(error instanceof Error)) return null;
  if (error.name === "NotCapable") {
    const [, what = "more"] = /^Requires (.+?),? run again/.exec(error.message) ?? [];
    return `the program was started without the permission for it (${what}); start it as the README shows`;
  }
  return error.name === "InvalidData" ? "it is not UTF-8 text" : null;
}

/** The same for any error: what the system meant, or else the error's own words. */
export function reasonOf(error: unknown): string {
  return describeSystemError(error) ?? (error instanceof Error ? error.message : String(error));
}
