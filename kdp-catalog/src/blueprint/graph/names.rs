//! Names by which CEL finds resources and the elements of lists.

/// Words that mean something else, to kro or to CEL.
const RESERVED: [&str; 56] = [
    "apiVersion",
    "as",
    "break",
    "const",
    "context",
    "continue",
    "dependencies",
    "dependency",
    "each",
    "else",
    "externalRef",
    "externalReference",
    "externalReferences",
    "externalRefs",
    "false",
    "for",
    "function",
    "graph",
    "graphengine",
    "if",
    "import",
    "in",
    "instance",
    "item",
    "items",
    "kind",
    "kro",
    "let",
    "loop",
    "metadata",
    "namespace",
    "null",
    "object",
    "package",
    "resource",
    "resourceGraphDefinition",
    "resourcegraphdefinition",
    "resources",
    "return",
    "root",
    "runtime",
    "schema",
    "self",
    "serviceAccountName",
    "spec",
    "status",
    "this",
    "true",
    "var",
    "variables",
    "vars",
    "version",
    "void",
    "while",
    "has",
    "type",
];

/// Names of types and of libraries, which would hide a variable of that name.
const TAKEN_BY_CEL: [&str; 15] = [
    "base64",
    "bool",
    "bytes",
    "double",
    "int",
    "jsonpatch",
    "list",
    "lists",
    "map",
    "math",
    "optional",
    "sets",
    "string",
    "strings",
    "uint",
];

/// Why a text cannot be such a name.
pub(super) fn unfit(name: &str) -> Option<String> {
    let is_camel_case =
        name.starts_with(|c: char| c.is_ascii_lowercase()) && name.chars().all(|c| c.is_ascii_alphanumeric());
    if !is_camel_case {
        return Some(format!("{name:?} is not in lowerCamelCase, which CEL needs"));
    }
    (RESERVED.contains(&name) || TAKEN_BY_CEL.contains(&name)).then(|| format!("{name:?} is a reserved word"))
}
