/** Everything below the folder of the console page's modules, by path. */
import display from "../../../../static/display/display.js" with { type: "text" };
import keyboard from "../../../../static/display/us_keyboard.js" with { type: "text" };
import spice from "../../../../static/display/spice.js" with { type: "text" };
import vnc from "../../../../static/display/vnc.js" with { type: "text" };
import { NOVNC_FILES } from "./novnc.ts";
import { SPICE_FILES } from "./spice.ts";

/** Paths within the folder, with the text of each. */
export const DISPLAY_FILES: Readonly<Record<string, string>> = {
  "display.js": display,
  "us_keyboard.js": keyboard,
  "spice.js": spice,
  "vnc.js": vnc,
  ...below("novnc", NOVNC_FILES),
  ...below("spice", SPICE_FILES),
};

function below(folder: string, files: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([path, text]) => [`${folder}/${path}`, text]));
}
