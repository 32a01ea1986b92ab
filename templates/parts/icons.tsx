/** The signs of the pages: line art from one sprite, in the colour of the text beside them. */
import sprite from "../../static/icons.svg" with { type: "text" };
import { sha256Hex } from "../../lib/hashes.ts";
import { withBasePath } from "../paths.ts";

/** The file of all signs. */
export const SPRITE = sprite;
/** The sprite's path; it names the content, so that browsers can keep it. */
export const SPRITE_PATH = `/static/icons.${sha256Hex(sprite).slice(0, 12)}.svg`;

/** Signs of things and actions. */
export type IconName =
  | "vm"
  | "image"
  | "activity"
  | "nas"
  | "chip"
  | "disk"
  | "network"
  | "console"
  | "seed"
  | "start"
  | "power"
  | "restart"
  | "pause"
  | "bin"
  | "copy"
  | "export"
  | "undo"
  | "shield"
  | "key"
  | "plus"
  | "minus"
  | "search"
  | "more"
  | "check"
  | "close"
  | "chevron"
  | "clock"
  | "external"
  | "theme"
  | "help";

/** Signs of states: what is alive, done, quiet, busy, troubled or bad. */
export type ShapeName = "live" | "done" | "quiet" | "busy" | "warn" | "bad";

/** Signs of a plan. */
export type PlanSign = "create" | "keep" | "change" | "replace";

/** A sign that stands with words; screen readers skip it. */
export function Icon({ name, class: extra }: { name: IconName; class?: string }) {
  return (
    <svg class={extra === undefined ? "icon" : `icon ${extra}`} aria-hidden="true">
      <use href={hrefOf(`i-${name}`)} />
    </svg>
  );
}

/** A sign inside a picture. */
export function IconAt(
  { name, x, y, class: extra }: { name: IconName; x: number; y: number; class?: string },
) {
  const place = { x, y, width: "16", height: "16", stroke: "currentColor" };
  return <use href={hrefOf(`i-${name}`)} {...place} class={extra} />;
}

/** The shape of a state. Busy ones turn. */
export function Shape({ name }: { name: ShapeName }) {
  return (
    <svg class={name === "busy" ? "shape turn" : "shape"} aria-hidden="true">
      <use href={hrefOf(`s-${name}`)} />
    </svg>
  );
}

/** The sign of what a plan does with a VM. */
export function PlanIcon({ name }: { name: PlanSign }) {
  return (
    <svg class="icon" aria-hidden="true">
      <use href={hrefOf(`p-${name}`)} />
    </svg>
  );
}

/** The program's mark. */
export function Mark() {
  return (
    <svg aria-hidden="true">
      <use href={hrefOf("mark")} />
    </svg>
  );
}

/** Patterns that pictures fill parts with; a page needs them once, because a pattern of another file is not used. */
export function Patterns() {
  return (
    <svg class="sprite" aria-hidden="true">
      <defs>
        <pattern
          id="hatch-plan"
          width="7"
          height="7"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect class="hatch-ground-plan" width="7" height="7" />
          <path class="hatch-line-plan" d="M0 0v7" />
        </pattern>
        <pattern
          id="hatch-undone"
          width="6"
          height="6"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(-45)"
        >
          <rect class="hatch-ground-undone" width="6" height="6" />
          <path class="hatch-line-undone" d="M0 0v6" />
        </pattern>
        <pattern id="dots" width="6" height="6" patternUnits="userSpaceOnUse">
          <rect class="dot-ground" width="6" height="6" />
          <circle class="dot-mark" cx="1.5" cy="1.5" r="1" />
          <circle class="dot-mark" cx="4.5" cy="4.5" r="1" />
        </pattern>
      </defs>
    </svg>
  );
}

function hrefOf(symbol: string): string {
  return `${withBasePath(SPRITE_PATH)}#${symbol}`;
}
