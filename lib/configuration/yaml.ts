/** The YAML parser, named in full: a project that imports this library by path does not know our import map. */
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
