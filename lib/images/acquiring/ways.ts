/** The ways by which an image's file gets onto the NAS, chosen by what the account may do. Pure. */
import { hasRole } from "../../truenas/roles.ts";

/**
 * A way: `local` writes the file where the dashboard runs on the NAS itself, `upload` sends it to TrueNAS's `/_upload`, and
 * `pull` lets the NAS fetch it from this program. `there`: it is on the NAS already.
 */
export type ImageWay = "local" | "upload" | "pull" | "there";

/** A way, and whether it can be gone. */
export interface WayChoice {
  /** The way. */
  readonly way: Exclude<ImageWay, "there">;
  /** Whether it is possible with this account and these settings. */
  readonly isPossible: boolean;
  /** Why it is chosen or why it is impossible, as a part of a sentence. */
  readonly why: string;
}

/** The ways of an account, the best first. */
export interface ImageWays {
  /** The one that is used; null when none is possible. */
  readonly chosen: WayChoice | null;
  /** All of them, the best first. */
  readonly choices: readonly WayChoice[];
}

/** What decides about the ways. */
export interface WayFacts {
  /** The account's roles; null when unknown. */
  readonly roles: readonly string[] | null;
  /** Why the file cannot be written directly; null when it can be. */
  readonly notLocal: string | null;
  /** Whether the NAS's web server, which takes uploads, is reached; its own socket takes none. */
  readonly hasWebServer: boolean;
  /** Why the NAS cannot fetch from this program; null when it can. */
  readonly notOffered: string | null;
}

/** The ways that an account can go. */
export function imageWays({ roles, notLocal, hasWebServer, notOffered }: WayFacts): ImageWays {
  const mayUpload = hasWebServer && hasRole(roles, "FULL_ADMIN") !== false;
  const mayPull = hasRole(roles, "CLOUD_SYNC_WRITE") !== false;
  const choices: WayChoice[] = [
    {
      way: "local",
      isPossible: notLocal === null,
      why: notLocal ?? "the dashboard runs on the NAS and writes the file itself",
    },
    {
      way: "upload",
      isPossible: mayUpload,
      why: mayUpload
        ? "a full administrator may upload files"
        : hasWebServer
        ? "only full administrators may upload files, and the account is not one"
        : "TrueNAS takes no uploads over its own socket",
    },
    {
      way: "pull",
      isPossible: mayPull && notOffered === null,
      why: mayPull
        ? notOffered ?? "the account may let the NAS fetch files (CLOUD_SYNC_WRITE)"
        : "the account does not have the role CLOUD_SYNC_WRITE",
    },
  ];
  return { chosen: choices.find(({ isPossible }) => isPossible) ?? null, choices };
}
