/** Parts that the pages on adding images share. */
import type { ImageWays } from "../../../lib/images/acquiring/ways.ts";
import { Notice } from "../../parts/common.tsx";
import { Said } from "../../parts/said.tsx";
import { paths } from "../../paths.ts";

/** The way back to the list. */
export function ImageTrail() {
  return (
    <nav class="trail" aria-label="Breadcrumb">
      <a href={paths.images()}>Images</a>
    </nav>
  );
}

const TABS = [
  { tab: "address", label: "From an address", href: () => paths.newImage() },
  { tab: "upload", label: "Upload", href: () => paths.uploadImage() },
  { tab: "adopt", label: "On the NAS already", href: () => paths.adoptImage() },
] as const;

/** The ways to add an image. */
export function AddTabs({ current }: { current: (typeof TABS)[number]["tab"] }) {
  return (
    <nav class="tabs" aria-label="Add an image">
      {TABS.map(({ tab, label, href }) => (
        <a href={href()} aria-current={tab === current ? "page" : undefined}>{label}</a>
      ))}
    </nav>
  );
}

/** How the file gets to the NAS. */
const WAYS = {
  local: "The dashboard writes the file itself.",
  upload: "The dashboard sends the file to TrueNAS.",
  pull: "TrueNAS fetches the file from the dashboard.",
} as const;

/** Which way a file takes to the NAS and why, or what to do when there is none. */
export function WayWords({ ways }: { ways: ImageWays | null }) {
  if (ways === null) return null;
  const { chosen, choices } = ways;
  if (chosen === null) {
    return (
      <Notice tone="bad">
        <p>
          <strong>This account cannot bring files to the NAS.</strong>{" "}
          Put the file on the NAS yourself, and choose “On the NAS already”.
        </p>
        <ul>{choices.map(({ why }) => <li>{why}</li>)}</ul>
      </Notice>
    );
  }
  return (
    <p class="help" data-way={chosen.way}>
      {WAYS[chosen.way]} <Said text={`${chosen.why.charAt(0).toUpperCase()}${chosen.why.slice(1)}.`} />
    </p>
  );
}
