use proptest::prelude::*;

use super::*;

fn check(openapi: &Value, expected: &Value) {
    assert_eq!(&form(openapi), expected);
}

#[test]
fn strings_keep_their_limits() {
    check(
        &json!({"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z]+$", "format": "hostname",
                "x-kubernetes-validations": [{"rule": "true"}], "example": "x"}),
        &json!({"type": "string", "minLength": 1, "maxLength": 63, "pattern": "^[a-z]+$", "format": "hostname"}),
    );
}

#[test]
fn what_means_something_else_to_a_portal_is_left_out() {
    check(&json!({"type": "string", "format": "duration"}), &json!({"type": "string"}));
    check(&json!({"type": "string", "format": "k8s-short-name"}), &json!({"type": "string"}));
    check(&json!({"type": "string", "pattern": "(?i)x"}), &json!({"type": "string"}));
    check(&json!({"type": "string", "minLength": -1, "minimum": 3}), &json!({"type": "string"}));
    check(&json!({"type": "boolean", "anyOf": [{"enum": [true]}], "not": {}}), &json!({"type": "boolean"}));
}

#[test]
fn secrets_are_typed_unseen_and_long_texts_in_a_box() {
    check(
        &json!({"type": "string", "format": "password"}),
        &json!({"type": "string", "format": "password", "ui:widget": "password",
                "ui:backstage": {"review": {"show": false}}}),
    );
    check(
        &json!({"type": "string", "maxLength": 4096}),
        &json!({"type": "string", "maxLength": 4096, "ui:widget": "textarea"}),
    );
}

#[test]
fn what_may_be_null_says_so_in_its_type() {
    check(
        &json!({"type": "string", "nullable": true, "enum": ["a", "b", "a"]}),
        &json!({"type": ["string", "null"], "enum": ["a", "b", null]}),
    );
}

#[test]
fn numbers_and_texts_are_a_choice() {
    check(
        &json!({"x-kubernetes-int-or-string": true, "anyOf": [{"type": "integer"}, {"type": "string"}],
                "pattern": "^[0-9]+%$", "minimum": 0, "default": "25%", "description": "How many."}),
        &json!({"description": "How many.", "default": "25%", "anyOf": [
            {"type": "integer", "title": "Number", "minimum": 0},
            {"type": "string", "title": "Text", "pattern": "^[0-9]+%$"},
        ]}),
    );
}

#[test]
fn exclusive_bounds_become_numbers() {
    check(
        &json!({"type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 9, "exclusiveMaximum": false,
                "multipleOf": 0, "format": "double"}),
        &json!({"type": "number", "exclusiveMinimum": 0, "maximum": 9, "format": "double", "ui:widget": "updown"}),
    );
}

#[test]
fn objects_ask_first_for_what_is_required() {
    check(
        &json!({"type": "object", "required": ["z", "gone", "z"], "properties": {
            "a": {"type": "boolean", "default": true}, "z": {"type": "array", "items": {"type": "string"},
            "x-kubernetes-list-type": "set"}, "ui:field": {"type": "string"}, "$text": {"type": "string"}}}),
        &json!({"type": "object", "required": ["z"], "ui:order": ["z", "a", "*"], "properties": {
            "a": {"type": "boolean", "default": true},
            "z": {"type": "array", "uniqueItems": true, "items": {"type": "string"}}}}),
    );
}

#[test]
fn unknown_fields_make_an_object_of_anything() {
    let anything = json!({"type": "object", "additionalProperties": true});
    check(&json!({"x-kubernetes-preserve-unknown-fields": true}), &anything);
    check(&json!({"type": "object", "x-kubernetes-embedded-resource": true}), &anything);
    check(&json!(true), &anything);
    check(
        &json!({"type": "object", "additionalProperties": {"type": "boolean"}}),
        &json!({"type": "object", "additionalProperties": {"type": "boolean"}}),
    );
}

#[test]
fn a_default_that_would_be_fetched_is_left_out() {
    check(
        &json!({"type": "object", "additionalProperties": true, "default": {"a": [{"$text": "https://internal/"}]}}),
        &json!({"type": "object", "additionalProperties": true}),
    );
}

#[test]
fn an_order_has_no_metadata_and_no_status() {
    let kind = json!({"type": "object", "description": "A kind.", "required": ["spec", "metadata"], "properties": {
        "apiVersion": {"type": "string"}, "kind": {"type": "string"}, "metadata": {"type": "object"},
        "status": {"type": "object"}, "spec": {"type": "object", "properties": {"a": {"type": "boolean"}}}}});
    let expected = json!({"type": "object", "required": ["spec"], "properties": {
        "spec": {"type": "object", "properties": {"a": {"type": "boolean"}}}}});
    assert_eq!(order_form(&kind), expected);
    assert_eq!(order_form(&json!({})), json!({"type": "object", "properties": {}}));
    assert_eq!(order_form(&json!(null)), json!({"type": "object", "properties": {}}));
}

#[test]
fn a_bottomless_schema_ends() {
    let mut schema = json!({"type": "string"});
    for _ in 0..100 {
        schema = json!({"type": "array", "items": schema});
    }
    assert!(form(&schema).to_string().matches("items").count() <= DEPTH_MAX);
}

/// Schemas, most of them with something wrong.
fn schemas() -> impl Strategy<Value = Value> {
    let value = prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z$^(\\[\\\\]{0,6}".prop_map(Value::from),
        Just(json!(["a", "a", null, {"$text": "x"}])),
        Just(Value::Null),
    ];
    let keyword = proptest::sample::select(vec![
        "title",
        "description",
        "format",
        "pattern",
        "minLength",
        "maxLength",
        "minimum",
        "exclusiveMinimum",
        "multipleOf",
        "enum",
        "default",
        "nullable",
        "required",
        "uniqueItems",
        "maxItems",
        "minProperties",
        "x-kubernetes-int-or-string",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-validations",
        "x-kubernetes-list-type",
        "x-kubernetes-embedded-resource",
        "x-kubernetes-map-type",
        "$ref",
        "ui:widget",
    ]);
    let type_ = proptest::sample::select(vec!["string", "integer", "number", "boolean", "array", "object", "what"]);
    let flat = (proptest::collection::btree_map(keyword, value, 0..8), proptest::option::of(type_)).prop_map(
        |(keywords, type_)| {
            let mut schema: Map<String, Value> = keywords.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
            schema.extend(type_.map(|type_| ("type".to_owned(), type_.into())));
            Value::Object(schema)
        },
    );
    flat.prop_recursive(4, 40, 4, |inner| {
        (inner.clone(), proptest::collection::btree_map("[a-c]|spec|ui:field", inner.clone(), 0..4), inner).prop_map(
            |(mut schema, properties, items)| {
                schema["properties"] = json!(properties);
                schema["items"] = items.clone();
                schema["additionalProperties"] = items;
                schema
            },
        )
    })
}

/// Visits every schema in a form.
fn visit(form: &Value, check: &mut impl FnMut(&Map<String, Value>)) {
    let Some(schema) = form.as_object() else { return };
    check(schema);
    for keyword in ["items", "additionalProperties"] {
        schema.get(keyword).into_iter().for_each(|inner| visit(inner, check));
    }
    schema.get("anyOf").and_then(Value::as_array).into_iter().flatten().for_each(|inner| visit(inner, check));
    schema
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .for_each(|(_, inner)| visit(inner, check));
}

proptest! {
    #[test]
    fn forms_have_only_keywords_of_json_schema_and_hints(schema in schemas()) {
        let known = [
            "title", "description", "type", "format", "pattern", "minLength", "maxLength", "minimum", "maximum",
            "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "enum", "default", "required", "properties", "items",
            "uniqueItems", "minItems", "maxItems", "minProperties", "maxProperties", "additionalProperties", "anyOf",
            "ui:widget", "ui:order", "ui:backstage",
        ];
        let form = order_form(&schema);
        prop_assert!(!form.to_string().contains("x-kubernetes-"));
        let mut unknown = Vec::new();
        visit(&form, &mut |schema| unknown.extend(schema.keys().filter(|k| !known.contains(&k.as_str())).cloned()));
        prop_assert!(unknown.is_empty(), "{unknown:?}");
    }

    #[test]
    fn what_is_required_is_asked_for(schema in schemas()) {
        let mut is_complete = true;
        visit(&form(&schema), &mut |schema| {
            for name in schema.get("required").and_then(Value::as_array).into_iter().flatten() {
                is_complete &= schema["properties"].get(name.as_str().unwrap()).is_some();
            }
        });
        prop_assert!(is_complete);
    }
}
