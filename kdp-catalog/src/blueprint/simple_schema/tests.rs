use proptest::prelude::*;
use serde_json::{Value, json};

use super::{MarkedColumn, expand};

fn check(definition: &str, expected: &Value) {
    let schema = expand(&json!({"f": definition}), &types()).unwrap().schema;
    assert_eq!(schema["properties"]["f"], *expected, "{definition}");
}

fn check_fault(definition: &Value, path: &str, message: &str) {
    let faults = expand(&json!({"f": definition}), &types()).unwrap_err();
    let found = faults.as_slice().iter().any(|fault| fault.path == path && fault.message.contains(message));
    assert!(found, "{definition}: {faults}");
}

fn types() -> Value {
    json!({
        "Name": "string | minLength=2",
        "Person": {"name": "Name | required=true", "age": "integer | default=42"},
        "Team": {"lead": "Person", "members": "[]Person"},
    })
}

#[test]
fn simple_types_are_those_of_openapi() {
    check("string", &json!({"type": "string"}));
    check(" integer ", &json!({"type": "integer"}));
    check("boolean", &json!({"type": "boolean"}));
    check("float", &json!({"type": "number"}));
    check("number", &json!({"type": "number"}));
    check("object", &json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true}));
}

#[test]
fn lists_and_maps_can_be_nested() {
    check("[]string", &json!({"type": "array", "items": {"type": "string"}}));
    check(
        "map[string][]integer",
        &json!({"type": "object", "additionalProperties": {"type": "array", "items": {"type": "integer"}}}),
    );
    check(
        "[]map[string]Name",
        &json!({"type": "array", "items": {
            "type": "object",
            "additionalProperties": {"type": "string", "minLength": 2},
        }}),
    );
}

#[test]
fn custom_types_are_written_out() {
    let person = json!({
        "type": "object",
        "properties": {
            "name": {"type": "string", "minLength": 2},
            "age": {"type": "integer", "default": 42},
        },
        "required": ["name"],
    });
    check("Person", &person);
    check(
        "Team | description=\"who does it\"",
        &json!({
            "type": "object",
            "description": "who does it",
            "properties": {"lead": person, "members": {"type": "array", "items": person}},
        }),
    );
}

#[test]
fn markers_become_keywords() {
    check(
        r#"string | default="a b" description="it's | \"quoted\"" minLength=1 maxLength=5"#,
        &json!({"type": "string", "default": "a b", "description": "it's | \"quoted\"", "minLength": 1, "maxLength": 5}),
    );
    check(
        "integer|minimum=-1 | maximum=3|default=0",
        &json!({"type": "integer", "minimum": -1, "maximum": 3, "default": 0}),
    );
    check("float | minimum=0.5", &json!({"type": "number", "minimum": 0.5}));
    check(r#"string | enum="a, b" default=b"#, &json!({"type": "string", "enum": ["a", "b"], "default": "b"}));
    check(r#"integer | enum="1,2""#, &json!({"type": "integer", "enum": [1, 2]}));
    check(
        "[]string | minItems=1 maxItems=2 uniqueItems=true",
        &json!({"type": "array", "items": {"type": "string"}, "minItems": 1, "maxItems": 2, "x-kubernetes-list-type": "set"}),
    );
    check(
        "[]Person | uniqueItems=false",
        &expand(&json!({"f": "[]Person"}), &types()).unwrap().schema["properties"]["f"],
    );
    check(
        "string | immutable=true",
        &json!({"type": "string", "x-kubernetes-validations": [
            {"rule": "self == oldSelf", "message": "the field is immutable"},
        ]}),
    );
}

#[test]
fn patterns_may_be_escaped_once_or_twice() {
    check(r#"string | pattern="^\w+\.\w$""#, &json!({"type": "string", "pattern": r"^\w+\.\w$"}));
    check(r#"string | pattern="^\\w+$""#, &json!({"type": "string", "pattern": r"^\w+$"}));
}

#[test]
fn defaults_have_the_type_of_their_field() {
    check(
        "[]integer | default=[80, 443]",
        &json!({"type": "array", "items": {"type": "integer"}, "default": [80, 443]}),
    );
    check(
        r#"map[string]string | default={"a": "b }"}"#,
        &json!({"type": "object", "additionalProperties": {"type": "string"}, "default": {"a": "b }"}}),
    );
    check(r#"boolean | default="true""#, &json!({"type": "boolean", "default": true}));
    check("string | default=1.25", &json!({"type": "string", "default": "1.25"}));
}

#[test]
fn an_object_whose_fields_all_have_defaults_has_one_too() {
    let fields = json!({"a": {"b": {"c": "integer | default=1"}, "d": "string | default=x"}, "e": "string"});
    let schema = expand(&fields, &Value::Null).unwrap().schema;
    assert_eq!(schema.pointer("/properties/a/default"), Some(&json!({})));
    assert_eq!(schema.pointer("/properties/a/properties/b/default"), Some(&json!({})));
    assert_eq!(schema.get("default"), None, "for e has none");
    let fields = json!({"a": {"b": "string | required=true default=x", "c": "string | default=y"}});
    let schema = expand(&fields, &Value::Null).unwrap().schema;
    assert_eq!(schema.pointer("/properties/a/default"), Some(&json!({"b": "x"})), "what is required must be there");
    assert_eq!(expand(&json!({"a": {}}), &Value::Null).unwrap().schema.pointer("/properties/a/default"), None);
}

#[test]
fn required_fields_are_listed_and_may_have_defaults() {
    let fields =
        json!({"b": "string | required=true default=x", "a": "string | required=true", "c": "string | required=false"});
    assert_eq!(expand(&fields, &Value::Null).unwrap().schema["required"], json!(["a", "b"]));
}

#[test]
fn marked_fields_are_columns_also_inside_of_types() {
    let fields = json!({"image": "string | printColumn=\"IMAGE\"", "door": "Door", "doors": "[]Door"});
    let types = json!({"Door": {"isOpen": "boolean | printColumn=Open"}});
    let column = |name: &str, type_: &str, json_path: &str| MarkedColumn {
        name: name.into(),
        type_: type_.into(),
        json_path: json_path.into(),
    };
    assert_eq!(
        expand(&fields, &types).unwrap().columns,
        [column("Open", "boolean", ".door.isOpen"), column("IMAGE", "string", ".image")]
    );
}

#[test]
fn faults_name_their_field() {
    check_fault(&json!("strin"), "spec.f", "no type \"strin\"");
    check_fault(&json!("str ing"), "spec.f", "is no type");
    check_fault(&json!("[]"), "spec.f", "does not say of what");
    check_fault(&json!("map[integer]string"), "spec.f", "keys of a map");
    check_fault(&json!("map[string"), "spec.f", "lacks a `]`");
    check_fault(&json!(7), "spec.f", "a field is a type");
    check_fault(&json!({"a": {"b": "nope"}}), "spec.f.a.b", "no type");
    check_fault(&json!({"a/b": ""}), "spec.f[\"a/b\"]", "there is no type");
    check_fault(&json!("string | minimum=1"), "spec.f", "minimum: this is for integer and number");
    check_fault(&json!("integer | default=x"), "spec.f", "not an integer");
    check_fault(&json!("integer | default=1.5"), "spec.f", "not an integer");
    check_fault(&json!("integer | default=0 minimum=1"), "spec.f", "beyond minimum or maximum");
    check_fault(&json!("string | enum=\"a,b\" default=c"), "spec.f", "not among");
    check_fault(&json!("string | enum=\"a,,b\""), "spec.f", "an option is empty");
    check_fault(&json!("string | enum=\"a,a\""), "spec.f", "twice");
    check_fault(&json!("string | pattern=\"(\""), "spec.f", "no regular expression");
    check_fault(&json!("string | pattern=\"a"), "spec.f", "quote is not closed");
    check_fault(&json!("string | colour=red"), "spec.f", "colour: there is no such marker");
    check_fault(&json!("string | required"), "spec.f", "has no value");
    check_fault(&json!("string | required=yes"), "spec.f", "neither true nor false");
    check_fault(&json!("string | required=true required=true"), "spec.f", "twice");
    check_fault(&json!("integer | minimum=3 maximum=2"), "spec.f", "minimum is more than maximum");
    check_fault(&json!("[]Person | uniqueItems=true"), "spec.f", "told apart");
    check_fault(&json!("[]integer | default=[\"a\"]"), "spec.f", "not an integer");
    check_fault(&json!("Person | default={}"), "spec.f", "it lacks name");
}

#[test]
fn all_faults_are_found_at_once() {
    let fields = json!({"a": "nope", "b": "integer | default=x minLength=1", "c": "string"});
    let types = json!({"T": {"x": "nope"}});
    assert_eq!(expand(&fields, &types).unwrap_err().as_slice().len(), 4);
}

#[test]
fn types_that_contain_themselves_are_named() {
    let types = json!({"A": {"b": "[]B"}, "B": {"a": "map[string]A"}});
    let faults = expand(&json!({"x": "A"}), &types).unwrap_err().to_string();
    assert_eq!(faults, "types.A: the type contains itself: A -> B -> A");
}

#[test]
fn types_that_multiply_are_stopped() {
    let mut types = serde_json::Map::new();
    types.insert("T0".into(), json!({"a": "string"}));
    for level in 1..25 {
        let below = format!("T{}", level - 1);
        types.insert(format!("T{level}"), json!({"a": below, "b": below, "c": below}));
    }
    let faults = expand(&json!({"x": "T24"}), &types.into()).unwrap_err();
    assert!(faults.to_string().contains("more than 10000 fields"), "{faults}");
    let deep = format!("{}string", "[]".repeat(1000));
    assert!(expand(&json!({"x": deep}), &Value::Null).unwrap_err().to_string().contains("nested more than"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".*", types in "[a-z\\[\\]| ={}\"]*") {
        let _ = expand(&json!({"f": text, "g": format!("string | {types}")}), &json!({"T": types}));
    }
}
