/** yaml-language-server, as editors start it: `deno run yaml_language_server.ts --stdio`. */
import "npm:yaml-language-server@2.0.0/out/src/server.js";
