/** Draws what an operation does at the end of a terminal, in place, below everything that is printed meanwhile. */
import { applyEvent, emptyView } from "../../operations/record/fold.ts";
import type { OperationEvent, OperationView } from "../../operations/types.ts";
import { progressFrame, type WindowSize } from "./progress_frame.ts";

/** A window that is drawn in. */
export interface Screen {
  /** Its size now, which changes with the window. */
  readonly size: () => WindowSize;
  /** Draws lines below everything else, in the place of those before; none: what was drawn is gone. */
  readonly draw: (lines: readonly string[]) => void;
  readonly colors: boolean;
}

/** Follows operations, one after another. */
export interface LiveProgress {
  readonly observe: (event: OperationEvent) => void;
  /** Takes away what is drawn; the cursor is where it was. */
  readonly [Symbol.dispose]: () => void;
}

/** At most ten frames a second. */
const FRAME_MS = 100;
/** The clocks go on without events. */
const CLOCK_MS = 1_000;

/** Starts with nothing drawn. */
export function liveProgress(screen: Screen): LiveProgress {
  let view: OperationView | null = null;
  let [seenAt, seen, drawn] = [0, 0, -Infinity];
  let timer: ReturnType<typeof setTimeout> | undefined;
  const draw = () => {
    timer = undefined;
    if (view === null) return;
    drawn = performance.now();
    const now = seenAt + drawn - seen;
    screen.draw(progressFrame(view, { ...screen.size(), now, colors: screen.colors }));
    timer = setTimeout(draw, CLOCK_MS);
  };
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(draw, Math.max(0, drawn + FRAME_MS - performance.now()));
  };
  const end = () => {
    clearTimeout(timer);
    timer = undefined;
    if (view !== null) screen.draw([]);
    view = null;
  };
  return {
    observe: (event) => {
      if (event.type === "finished") return end();
      if (event.type === "resolved") return;
      if (event.type === "started") view = emptyView("");
      if (view === null) return;
      // Events have the time of the journal, which goes on by this process's own clock.
      [seenAt, seen] = [event.at, performance.now()];
      view = applyEvent(view, event);
      soon();
    },
    [Symbol.dispose]: end,
  };
}
