/** Writes the JSON Schema of config.yaml for editors. */
import { configurationSchema } from "../../../lib/configuration/editing/json_schema.ts";

const text = `${JSON.stringify(configurationSchema(), null, 2)}\n`;
await Deno.writeTextFile(new URL("../../../docs/config.schema.json", import.meta.url), text);
