/** axe-core, which checks pages for accessibility, as text that is put into a page. */
export { default as AXE } from "npm:axe-core@4.14.1/axe.min.js" with { type: "text" };
