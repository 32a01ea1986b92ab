/** Short messages on what was started or ended, at the edge of every page; only scripts add them. */
import type { Child } from "hono/jsx";
import { SHAPES, type Tone } from "../common.tsx";
import { Icon, Shape } from "../icons.tsx";

/** Where toasts appear, outside the page's content. */
export function Toasts() {
  return <div id="toasts" class="toasts" role="region" aria-label="Messages" aria-live="polite"></div>;
}

/** Props of a toast. */
export interface ToastProps {
  /** Good ones leave by themselves, busy ones stay until what they tell of ends, the others until they are closed. */
  readonly tone: Tone;
  readonly id?: string;
  readonly children?: Child;
}

/** One message. */
export function Toast({ tone, id, children }: ToastProps) {
  return (
    <div class={`toast ${tone}`} id={id} data-toast={tone}>
      <Shape name={SHAPES[tone]} />
      <div>{children}</div>
      <button type="button" class="close" aria-label="Close the message">
        <Icon name="close" />
      </button>
    </div>
  );
}
