/**
 * The YAML parser, from its package's build of ES modules, to which the package's exports lead only browsers. The
 * other build is CommonJS, and brings the runtime's loader for such modules along: 1.3 MB, and a tenth of each start.
 */
import "yaml/package.json" with { type: "json" };
import type * as Yaml from "yaml";

const build = new URL("./browser/index.js", import.meta.resolve("yaml/package.json"));
const yaml: typeof Yaml = await import(build.href);

/** See the package's own documentation. */
export const { isAlias, isCollection, isMap, isScalar, LineCounter, parseDocument, stringify, visit } = yaml;
