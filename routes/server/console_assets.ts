/** The terminal of the serial console, loaded when the first console opens. */
import xtermFit from "@xterm/addon-fit/lib/addon-fit.js" with { type: "text" };
import xtermCss from "@xterm/xterm/css/xterm.css" with { type: "text" };
import xterm from "@xterm/xterm/lib/xterm.js" with { type: "text" };
import { asset } from "./asset.ts";

/** The terminal's files. */
export const CONSOLE_ASSETS = {
  xterm: await asset("xterm.js", xterm),
  xtermCss: await asset("xterm.css", xtermCss),
  xtermFit: await asset("xterm-fit.js", xtermFit),
} as const;
