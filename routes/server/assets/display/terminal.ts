/** The files of the serial console's terminal, embedded in the program and loaded with the first console. */
import xtermFit from "@xterm/addon-fit/lib/addon-fit.js" with { type: "text" };
import xtermCss from "@xterm/xterm/css/xterm.css" with { type: "text" };
import xterm from "@xterm/xterm/lib/xterm.js" with { type: "text" };
import { asset } from "../asset.ts";

/** The files; all are below /static/terminal. */
export const TERMINAL_FILES = {
  xterm: await asset("terminal/xterm.js", xterm),
  xtermCss: await asset("terminal/xterm.css", xtermCss),
  xtermFit: await asset("terminal/xterm-fit.js", xtermFit),
} as const;
