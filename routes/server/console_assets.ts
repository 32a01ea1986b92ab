/** The terminal of the serial console's page; loaded when somebody first wants it, for it is half a megabyte. */
import xtermFit from "@xterm/addon-fit/lib/addon-fit.js" with { type: "text" };
import xtermCss from "@xterm/xterm/css/xterm.css" with { type: "text" };
import xterm from "@xterm/xterm/lib/xterm.js" with { type: "text" };
import { asset } from "./asset.ts";

/** Its files. */
export const CONSOLE_ASSETS = {
  xterm: await asset("xterm.js", xterm),
  xtermCss: await asset("xterm.css", xtermCss),
  xtermFit: await asset("xterm-fit.js", xtermFit),
} as const;
