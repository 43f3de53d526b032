use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn parse(text: &str) -> Type {
    Type::of(&text.parse().unwrap())
}

#[expect(clippy::needless_pass_by_value, reason = "it is written where it is given")]
fn faults(constraint: &str, value: Value) -> Vec<String> {
    let mut faults = Vec::new();
    parse(constraint).check("v", &value, &mut faults);
    faults
}

#[test]
fn constraints_become_schemas() {
    let check = |constraint: &str, schema: Value| assert_eq!(parse(constraint).schema(), schema, "{constraint}");
    check("string", json!({"type": "string"}));
    check("number", json!({"type": "number"}));
    check("bool", json!({"type": "boolean"}));
    check("any", json!({"x-kubernetes-preserve-unknown-fields": true}));
    check("list(string)", json!({"type": "array", "items": {"type": "string"}}));
    check("set(number)", json!({"type": "array", "items": {"type": "number"}}));
    check("map(bool)", json!({"type": "object", "additionalProperties": {"type": "boolean"}}));
    check("list", json!({"type": "array", "items": {"x-kubernetes-preserve-unknown-fields": true}}));
    check(
        "object({ name = string, size = optional(number, 3) })",
        json!({
            "type": "object",
            "properties": {"name": {"type": "string"}, "size": {"type": "number"}},
            "required": ["name"],
        }),
    );
    check(
        "tuple([string, number])",
        json!({
            "type": "array", "minItems": 2, "maxItems": 2,
            "items": {"x-kubernetes-preserve-unknown-fields": true},
        }),
    );
}

#[test]
fn types_in_quotes_are_those_without() {
    assert_eq!(parse("\"string\""), Type::String);
    assert_eq!(parse("\"list(string)\""), Type::List(Box::new(Type::String)));
    assert_eq!(parse("\"what is this\""), Type::Any);
}

#[test]
fn every_fault_names_its_field() {
    let object = "object({ name = string, ports = optional(list(number)) })";
    let check = |constraint: &str, value: Value, expected: &[&str]| assert_eq!(faults(constraint, value), expected);
    check("string", json!("a"), &[]);
    check("string", json!(1), &["v: must be a string"]);
    check("list(string)", json!(["a", 1, true]), &["v[1]: must be a string", "v[2]: must be a string"]);
    check("map(number)", json!({"a": 1, "b": "2"}), &["v.b: must be a number"]);
    check("tuple([string, number])", json!(["a"]), &["v: must be a list of 2 items"]);
    check("tuple([string, number])", json!(["a", "b"]), &["v[1]: must be a number"]);
    check(object, json!({"name": "a"}), &[]);
    check(object, json!({"name": "a", "ports": null}), &[]);
    check(object, json!({"ports": ["x"]}), &["v.name: is required", "v.ports[0]: must be a number"]);
    check(object, json!({"name": "a", "nmae": "b"}), &["v.nmae: the module knows no such field"]);
    check("any", json!({"a": [1, null]}), &[]);
}

fn constraint() -> impl Strategy<Value = String> {
    let leaf = prop::sample::select(vec!["string", "number", "bool", "any"]).prop_map(str::to_owned);
    leaf.prop_recursive(3, 12, 3, |inner| {
        prop_oneof![
            inner.clone().prop_map(|of| format!("list({of})")),
            inner.clone().prop_map(|of| format!("map({of})")),
            prop::collection::vec(inner, 1..3).prop_map(|of| {
                let fields: Vec<_> = of.iter().enumerate().map(|(i, of)| format!("f{i} = {of}")).collect();
                format!("object({{ {} }})", fields.join(", "))
            }),
        ]
    })
}

/// A value that fits the type.
fn example(of: &Type) -> Value {
    match of {
        Type::Any => json!([1, "a"]),
        Type::String => json!("a"),
        Type::Number => json!(1.5),
        Type::Bool => json!(true),
        Type::List(of) | Type::Set(of) => json!([example(of), example(of)]),
        Type::Map(of) => json!({"k": example(of)}),
        Type::Tuple(of) => of.iter().map(example).collect(),
        Type::Object(fields) => {
            fields.iter().map(|field| (field.name.clone(), example(&field.of))).collect::<Map<_, _>>().into()
        }
    }
}

proptest! {
    #[test]
    fn what_fits_has_no_faults_and_null_fits_nothing_but_any(constraint in constraint()) {
        let of = parse(&constraint);
        prop_assert_eq!(faults(&constraint, example(&of)), Vec::<String>::new());
        prop_assert_eq!(faults(&constraint, Value::Null).is_empty(), of == Type::Any);
    }

    #[test]
    fn no_expression_makes_it_panic(text in "[a-z(){}\\[\\]=, \"]{0,40}") {
        if let Ok(expression) = text.parse::<Expression>() {
            Type::of(&expression).schema();
        }
    }
}
