/** The YAML parser by its full specifier, because a project that imports this library by path does not use our import map. */
export {
  type Document,
  isAlias,
  isCollection,
  isMap,
  isScalar,
  LineCounter,
  type Node,
  parse,
  parseAllDocuments,
  parseDocument,
  stringify,
  visit,
} from "npm:yaml@2.9.1";
