/** The YAML parser, in its own module so that it is loaded only when an export needs it. */
export function loadYaml(): Promise<typeof import("../configuration/yaml.ts")> {
  return import("../configuration/yaml.ts");
}
