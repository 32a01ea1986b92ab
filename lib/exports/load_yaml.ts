/** The YAML parser, for the formats that need it: a dashboard that exports nothing goes without. */
export function loadYaml(): Promise<typeof import("../configuration/yaml.ts")> {
  return import("../configuration/yaml.ts");
}
