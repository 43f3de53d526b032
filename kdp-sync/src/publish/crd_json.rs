//! The bytes Go's encoder makes of a CustomResourceDefinition's spec.
//!
//! Names of published schemas are digests of these bytes, and the existing agent computes the same
//! digest; only if they agree byte for byte is a schema found again instead of published anew. So
//! fields come in the order of the Go structs, fields that Go omits when empty are omitted, and
//! numbers that are floats in Go are printed as floats.

use serde_json::{Map, Value};

use crate::{go_json, hash};

/// The first eight hex digits of the SHA-1 of the spec without its conversion.
pub(super) fn digest(spec: &Value) -> String {
    let mut digest = hash::sha1(bytes(spec));
    digest.truncate(8);
    digest
}

fn bytes(spec: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    write(&mut out, spec, &Kind::Struct(SPEC));
    out.push(b'\n');
    out
}

/// How Go encodes a field.
enum Kind {
    /// Any JSON, as it is.
    Raw,
    /// A float pointer.
    Float,
    Struct(&'static [Field]),
    /// A JSON schema, or a list or boolean that may stand in its place.
    Schema,
    List(&'static Self),
    Map(&'static Self),
}

struct Field {
    name: &'static str,
    kind: Kind,
    omit: Omit,
}

/// When Go leaves a field out.
#[derive(PartialEq)]
enum Omit {
    Never(Zero),
    /// `omitempty` on a value: empty text, false, zero, empty list or map.
    Empty,
    /// `omitempty` on a pointer.
    Null,
}

/// What Go writes for a field that is absent and not omitted.
#[derive(Clone, Copy, PartialEq)]
enum Zero {
    Text,
    False,
    Null,
}

const fn field(name: &'static str, kind: Kind, omit: Omit) -> Field {
    Field { name, kind, omit }
}

const fn always(name: &'static str, zero: Zero) -> Field {
    field(name, Kind::Raw, Omit::Never(zero))
}

const fn value(name: &'static str) -> Field {
    field(name, Kind::Raw, Omit::Empty)
}

const fn pointer(name: &'static str) -> Field {
    field(name, Kind::Raw, Omit::Null)
}

const fn schema(name: &'static str) -> Field {
    field(name, Kind::Schema, Omit::Null)
}

const fn schemas(name: &'static str) -> Field {
    field(name, Kind::List(&Kind::Schema), Omit::Empty)
}

const fn schema_map(name: &'static str) -> Field {
    field(name, Kind::Map(&Kind::Schema), Omit::Empty)
}

const fn float(name: &'static str) -> Field {
    field(name, Kind::Float, Omit::Null)
}

static SPEC: &[Field] = &[
    always("group", Zero::Text),
    field("names", Kind::Struct(NAMES), Omit::Never(Zero::Null)),
    always("scope", Zero::Text),
    field("versions", Kind::List(&Kind::Struct(VERSION)), Omit::Never(Zero::Null)),
    value("preserveUnknownFields"),
];

static NAMES: &[Field] = &[
    always("plural", Zero::Text),
    value("singular"),
    value("shortNames"),
    always("kind", Zero::Text),
    value("listKind"),
    value("categories"),
];

static VERSION: &[Field] = &[
    always("name", Zero::Text),
    always("served", Zero::False),
    always("storage", Zero::False),
    value("deprecated"),
    pointer("deprecationWarning"),
    field("schema", Kind::Struct(&[schema("openAPIV3Schema")]), Omit::Null),
    field("subresources", Kind::Struct(SUBRESOURCES), Omit::Null),
    field("additionalPrinterColumns", Kind::List(&Kind::Struct(COLUMN)), Omit::Empty),
    field("selectableFields", Kind::List(&Kind::Struct(&[always("jsonPath", Zero::Text)])), Omit::Empty),
];

static SUBRESOURCES: &[Field] = &[
    field("status", Kind::Struct(&[]), Omit::Null),
    field(
        "scale",
        Kind::Struct(&[
            always("specReplicasPath", Zero::Text),
            always("statusReplicasPath", Zero::Text),
            pointer("labelSelectorPath"),
        ]),
        Omit::Null,
    ),
];

static COLUMN: &[Field] = &[
    always("name", Zero::Text),
    always("type", Zero::Text),
    value("format"),
    value("description"),
    value("priority"),
    always("jsonPath", Zero::Text),
];

static SCHEMA: &[Field] = &[
    value("id"),
    value("$schema"),
    pointer("$ref"),
    value("description"),
    value("type"),
    value("format"),
    value("title"),
    pointer("default"),
    float("maximum"),
    value("exclusiveMaximum"),
    float("minimum"),
    value("exclusiveMinimum"),
    pointer("maxLength"),
    pointer("minLength"),
    value("pattern"),
    pointer("maxItems"),
    pointer("minItems"),
    value("uniqueItems"),
    float("multipleOf"),
    value("enum"),
    pointer("maxProperties"),
    pointer("minProperties"),
    value("required"),
    schema("items"),
    schemas("allOf"),
    schemas("oneOf"),
    schemas("anyOf"),
    schema("not"),
    schema_map("properties"),
    schema("additionalProperties"),
    schema_map("patternProperties"),
    schema_map("dependencies"),
    schema("additionalItems"),
    schema_map("definitions"),
    field("externalDocs", Kind::Struct(&[value("description"), value("url")]), Omit::Null),
    pointer("example"),
    value("nullable"),
    pointer("x-kubernetes-preserve-unknown-fields"),
    value("x-kubernetes-embedded-resource"),
    value("x-kubernetes-int-or-string"),
    value("x-kubernetes-list-map-keys"),
    pointer("x-kubernetes-list-type"),
    pointer("x-kubernetes-map-type"),
    field(
        "x-kubernetes-validations",
        Kind::List(&Kind::Struct(&[
            always("rule", Zero::Text),
            value("message"),
            value("messageExpression"),
            pointer("reason"),
            value("fieldPath"),
            pointer("optionalOldSelf"),
        ])),
        Omit::Empty,
    ),
];

fn write(out: &mut Vec<u8>, value: &Value, kind: &Kind) {
    match (kind, value) {
        (Kind::Struct(fields), Value::Object(map)) => write_struct(out, map, fields),
        (Kind::Schema, Value::Object(map)) => write_struct(out, map, SCHEMA),
        (Kind::Map(of), Value::Object(map)) => {
            write_list(out, b'{', map, |out, (key, value)| {
                go_json::write(out, &Value::String(key.clone()));
                out.push(b':');
                write(out, value, of);
            });
            out.push(b'}');
        }
        (Kind::List(of), Value::Array(items)) => write_items(out, items, of),
        (Kind::Schema, Value::Array(items)) => write_items(out, items, kind),
        (Kind::Float, Value::Number(number)) => {
            go_json::write_float(out, number.as_f64().unwrap_or_default());
        }
        _ => go_json::write(out, value),
    }
}

fn write_items(out: &mut Vec<u8>, items: &[Value], of: &Kind) {
    write_list(out, b'[', items, |out, item| write(out, item, of));
    out.push(b']');
}

fn write_struct(out: &mut Vec<u8>, map: &Map<String, Value>, fields: &[Field]) {
    let present = fields.iter().filter_map(|field| Some((field, field.encoded(map.get(field.name))?)));
    write_list(out, b'{', present, |out, (field, value)| {
        go_json::write(out, &field.name.into());
        out.push(b':');
        write(out, &value, &field.kind);
    });
    out.push(b'}');
}

fn write_list<T>(out: &mut Vec<u8>, open: u8, items: impl IntoIterator<Item = T>, each: impl Fn(&mut Vec<u8>, T)) {
    out.push(open);
    for (at, item) in items.into_iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        each(out, item);
    }
}

impl Field {
    /// What Go encodes for the field; none if it omits it.
    fn encoded<'a>(&self, value: Option<&'a Value>) -> Option<std::borrow::Cow<'a, Value>> {
        let value = value.filter(|value| !value.is_null());
        match (&self.omit, value) {
            (Omit::Never(zero), None) => Some(std::borrow::Cow::Owned(match zero {
                Zero::Text => "".into(),
                Zero::False => false.into(),
                Zero::Null => Value::Null,
            })),
            (_, None) => None,
            (Omit::Empty, Some(value)) if is_empty(value) => None,
            (_, Some(value)) => Some(std::borrow::Cow::Borrowed(value)),
        }
    }
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Bool(truth) => !truth,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(map) => map.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_come_in_the_order_of_the_go_structs_and_empty_ones_are_left_out() {
        let spec = json!({
            "conversion": {"strategy": "None"},
            "group": "example.com",
            "names": {"kind": "Thing", "plural": "things", "singular": "thing", "shortNames": [], "listKind": "ThingList"},
            "scope": "Namespaced",
            "preserveUnknownFields": false,
            "versions": [{
                "additionalPrinterColumns": [{"jsonPath": ".spec.a", "name": "A", "type": "string", "priority": 0}],
                "name": "v1",
                "served": true,
                "storage": true,
                "subresources": {"status": {}},
                "schema": {"openAPIV3Schema": {
                    "type": "object",
                    "description": "a <b> & c",
                    "properties": {
                        "spec": {
                            "type": "object",
                            "required": ["size"],
                            "nullable": false,
                            "properties": {
                                "size": {"type": "integer", "minimum": 1, "maximum": 10.5, "maxLength": 0, "default": {"b": 1, "a": "<"}},
                                "any": {"x-kubernetes-preserve-unknown-fields": true},
                                "map": {"additionalProperties": {"type": "string"}},
                                "open": {"additionalProperties": true}
                            },
                            "x-kubernetes-validations": [{"message": "m", "rule": "self.size > 0"}]
                        },
                        "empty": {}
                    }
                }}
            }]
        });
        let expected = concat!(
            r#"{"group":"example.com","names":{"plural":"things","singular":"thing","kind":"Thing","listKind":"ThingList"},"#,
            r#""scope":"Namespaced","versions":[{"name":"v1","served":true,"storage":true,"schema":{"openAPIV3Schema":{"#,
            r#""description":"a \u003cb\u003e \u0026 c","type":"object","properties":{"empty":{},"spec":{"type":"object","#,
            r#""required":["size"],"properties":{"any":{"x-kubernetes-preserve-unknown-fields":true},"#,
            r#""map":{"additionalProperties":{"type":"string"}},"open":{"additionalProperties":true},"#,
            r#""size":{"type":"integer","default":{"a":"\u003c","b":1},"maximum":10.5,"minimum":1,"maxLength":0}},"#,
            r#""x-kubernetes-validations":[{"rule":"self.size \u003e 0","message":"m"}]}}}},"subresources":{"status":{}},"#,
            r#""additionalPrinterColumns":[{"name":"A","type":"string","jsonPath":".spec.a"}]}]}"#,
            "\n"
        );
        assert_eq!(String::from_utf8(bytes(&spec)).unwrap(), expected);
    }

    #[test]
    fn the_order_of_keys_and_the_conversion_do_not_matter() {
        let a = json!({"group": "a", "scope": "Cluster", "conversion": {"strategy": "Webhook"}});
        let b = json!({"scope": "Cluster", "group": "a"});
        assert_eq!(digest(&a), digest(&b));
        assert_eq!(digest(&a).len(), 8);
    }

    /// The digests are of Go's own encoding of apiextensions/v1.
    #[test]
    fn digests_are_those_of_the_go_structs() {
        let vectors: Vec<Value> = serde_json::from_str(include_str!("../../tests/data/schemas.json")).unwrap();
        for vector in vectors {
            let spec = &vector["spec"];
            assert_eq!(digest(spec), vector["digest"], "{}", String::from_utf8(bytes(spec)).unwrap());
        }
    }
}
