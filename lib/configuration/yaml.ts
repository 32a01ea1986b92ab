/** The YAML parser by its full specifier, because a project that imports this library by path does not use our import map. */
export * from "npm:yaml@2.9.1";
