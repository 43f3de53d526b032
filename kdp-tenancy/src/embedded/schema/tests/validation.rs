use super::*;

/// Checks what is said of `value` as `spec.x` with the schema `x`.
fn check(x: &Value, value: &Value, expected: &[&str]) {
    let schema = Schema::trusted(&with_spec(&json!({"x": x})));
    let errors = lines(&schema.validate(&json!({"spec": {"x": value}}), None));
    assert_eq!(errors, expected, "{value} against {x}");
}

#[test]
fn types_are_named_as_kubernetes_names_them() {
    check(&json!({"type": "integer"}), &json!(1), &[]);
    check(&json!({"type": "integer"}), &json!(1.0), &[]);
    check(&json!({"type": "number"}), &json!(1), &[]);
    check(
        &json!({"type": "integer"}),
        &json!("1"),
        &[r#"spec.x: Invalid value: "string": spec.x in body must be of type integer: "string""#],
    );
    check(
        &json!({"type": "integer"}),
        &json!(1.5),
        &[r#"spec.x: Invalid value: "number": spec.x in body must be of type integer: "number""#],
    );
    check(
        &json!({"type": "object"}),
        &json!([]),
        &[r#"spec.x: Invalid value: "array": spec.x in body must be of type object: "array""#],
    );
    check(
        &json!({"type": "string"}),
        &json!(null),
        &[r#"spec.x: Invalid value: "null": spec.x in body must be of type string: "null""#],
    );
    check(&json!({"type": "string", "nullable": true}), &json!(null), &[]);
    check(&json!({"x-kubernetes-int-or-string": true}), &json!("5Gi"), &[]);
    check(&json!({"x-kubernetes-int-or-string": true}), &json!(5), &[]);
    check(
        &json!({"x-kubernetes-int-or-string": true}),
        &json!(true),
        &[r#"spec.x: Invalid value: "boolean": spec.x in body must be of type integer,string: "boolean""#],
    );
    check(
        &json!({"type": "string", "format": "date-time"}),
        &json!(5),
        &[r#"spec.x: Invalid value: "int64": spec.x in body must be of type date-time: "int64""#],
    );
}

#[test]
fn enums_list_what_is_supported() {
    let engines = json!({"type": "string", "enum": ["postgres", "sqlite"]});
    check(&engines, &json!("sqlite"), &[]);
    check(&engines, &json!("x"), &[r#"spec.x: Unsupported value: "x": supported values: "postgres", "sqlite""#]);
    check(
        &json!({"type": "integer", "enum": [1, 2]}),
        &json!(3),
        &[r#"spec.x: Unsupported value: 3: supported values: "1", "2""#],
    );
}

#[test]
fn numbers_are_bounded() {
    let bounded = json!({"type": "integer", "minimum": 1, "maximum": 5, "multipleOf": 2});
    check(&bounded, &json!(4), &[]);
    check(&bounded, &json!(3), &["spec.x: Invalid value: 3: spec.x in body should be a multiple of 2"]);
    check(&bounded, &json!(0), &["spec.x: Invalid value: 0: spec.x in body should be greater than or equal to 1"]);
    check(&bounded, &json!(6), &["spec.x: Invalid value: 6: spec.x in body should be less than or equal to 5"]);
    let exclusive =
        json!({"type": "number", "minimum": 0.5, "exclusiveMinimum": true, "maximum": 2, "exclusiveMaximum": true});
    check(&exclusive, &json!(0.6), &[]);
    check(&exclusive, &json!(0.5), &["spec.x: Invalid value: 0.5: spec.x in body should be greater than 0.5"]);
    check(&exclusive, &json!(2), &["spec.x: Invalid value: 2: spec.x in body should be less than 2"]);
    check(&json!({"type": "number", "multipleOf": 0.1}), &json!(0.3), &[]);
    check(
        &json!({"type": "integer", "maximum": 9_007_199_254_740_993_i64}),
        &json!(9_007_199_254_740_993_i64),
        &["spec.x: Invalid value: 9007199254740993: spec.x in body should be less than or equal to 9007199254740992"],
    );
    check(
        &json!({"type": "integer", "format": "int32"}),
        &json!(3_000_000_000_i64),
        &[r#"<nil>: Invalid value: "": Checked value must be of type integer with format int32 in spec.x"#],
    );
}

#[test]
fn text_is_counted_in_characters_and_matched_as_go_does() {
    check(&json!({"type": "string", "maxLength": 2}), &json!("äö"), &[]);
    check(
        &json!({"type": "string", "maxLength": 2}),
        &json!("abc"),
        &["spec.x: Too long: may not be more than 2 bytes"],
    );
    check(
        &json!({"type": "string", "minLength": 2}),
        &json!("ä"),
        &["spec.x: Invalid value: \"ä\": spec.x in body should be at least 2 chars long"],
    );
    check(&json!({"type": "string", "pattern": "b+"}), &json!("abba"), &[]);
    check(
        &json!({"type": "string", "pattern": "^b+$"}),
        &json!("abba"),
        &["spec.x: Invalid value: \"abba\": spec.x in body should match '^b+$'"],
    );
    check(
        &json!({"type": "string", "pattern": "^\\d$"}),
        &json!("٣"),
        &["spec.x: Invalid value: \"٣\": spec.x in body should match '^\\d$'"],
    );
    for pattern in ["^[[]$", "^[a[]$", "^[\\w-.]+\\[$", "^[^^]\\[$|^\\[$", "^[[:punct:]]$", "^[]\\[]$", "^[+--[]$"] {
        let value = if pattern.contains("+\\[") { "a[" } else { "[" };
        check(&json!({"type": "string", "pattern": pattern}), &json!(value), &[]);
    }
}

#[test]
fn arrays_and_objects_are_bounded() {
    let list = json!({"type": "array", "minItems": 1, "maxItems": 1, "items": {"type": "string"}});
    check(&list, &json!(["a"]), &[]);
    check(&list, &json!([]), &["spec.x: Invalid value: 0: spec.x in body should have at least 1 items"]);
    check(&list, &json!(["a", "b"]), &["spec.x: Too many: 2: must have at most 1 item"]);
    check(
        &list,
        &json!([1]),
        &[r#"spec.x[0]: Invalid value: "integer": spec.x[0] in body must be of type string: "integer""#],
    );
    check(
        &json!({"type": "array", "uniqueItems": true}),
        &json!([1, 1]),
        &["spec.x: Invalid value: \"\": spec.x in body shouldn't contain duplicates"],
    );
    let map =
        json!({"type": "object", "minProperties": 1, "maxProperties": 2, "additionalProperties": {"type": "string"}});
    check(&map, &json!({"a": "b"}), &[]);
    check(&map, &json!({}), &["spec.x: Invalid value: 0: spec.x in body should have at least 1 properties"]);
    check(&map, &json!({"a": "", "b": "", "c": ""}), &["spec.x: Too many: 3: must have at most 2 items"]);
    check(
        &map,
        &json!({"a.b": 1}),
        &[r#"spec.x.a.b: Invalid value: "integer": spec.x.a.b in body must be of type string: "integer""#],
    );
    check(&json!({"type": "object", "required": ["a"]}), &json!({}), &["spec.x.a: Required value"]);
    check(
        &json!({"type": "object", "additionalProperties": false}),
        &json!({"a": 1}),
        &["spec.x: Invalid value: \"a\": spec.x.a in body is a forbidden property"],
    );
}

#[test]
fn branches_are_counted_and_the_closest_explains() {
    let a_or_b = |keyword: &str| json!({"type": "object", keyword: [{"required": ["a"]}, {"required": ["b", "c"]}]});
    check(&a_or_b("anyOf"), &json!({"a": 1, "b": 1}), &[]);
    check(
        &a_or_b("anyOf"),
        &json!({}),
        &[
            "<nil>: Invalid value: \"\": \"spec.x\" must validate at least one schema (anyOf)",
            "spec.x.a: Required value",
        ],
    );
    check(&a_or_b("oneOf"), &json!({"a": 1}), &[]);
    check(
        &a_or_b("oneOf"),
        &json!({}),
        &[
            "<nil>: Invalid value: \"\": \"spec.x\" must validate one and only one schema (oneOf). Found none valid",
            "spec.x.a: Required value",
        ],
    );
    check(
        &a_or_b("oneOf"),
        &json!({"a": 1, "b": 1, "c": 1}),
        &[
            "<nil>: Invalid value: \"\": \"spec.x\" must validate one and only one schema (oneOf). Found 2 valid alternatives",
        ],
    );
    check(
        &a_or_b("allOf"),
        &json!({"a": 1, "b": 1}),
        &["spec.x.c: Required value", "<nil>: Invalid value: \"\": \"spec.x\" must validate all the schemas (allOf)"],
    );
    check(
        &json!({"type": "object", "not": {"required": ["a"]}}),
        &json!({"a": 1}),
        &["<nil>: Invalid value: \"\": \"spec.x\" must not validate the schema (not)"],
    );
}

#[test]
fn sets_and_maps_have_no_duplicates() {
    let set = json!({"type": "array", "x-kubernetes-list-type": "set"});
    check(&set, &json!(["a", "b"]), &[]);
    check(&set, &json!(["a", "b", "a", "a"]), &["spec.x[2]: Duplicate value: \"a\""]);
    let map = json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["n", "m"]});
    check(&map, &json!([{"n": 1, "m": 1}, {"n": 1, "m": 2}, {"n": 1}]), &[]);
    check(
        &map,
        &json!([{"n": 1, "m": 1, "x": 1}, {"n": 1, "m": 1}]),
        &["spec.x[1]: Duplicate value: {\"m\":1,\"n\":1}"],
    );
    check(&map, &json!([1]), &["spec.x[0]: Invalid value: 1: must be an object for an array of list-type map"]);
}

#[test]
fn embedded_resources_have_type_and_valid_metadata() {
    let embedded =
        json!({"type": "object", "x-kubernetes-embedded-resource": true, "x-kubernetes-preserve-unknown-fields": true});
    check(&embedded, &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"labels": {"a": "b"}}}), &[]);
    check(&embedded, &json!({}), &["spec.x.apiVersion: Required value", "spec.x.kind: Required value"]);
    check(
        &embedded,
        &json!({"apiVersion": "a/b/c", "kind": ""}),
        &[
            "spec.x.apiVersion: Invalid value: \"a/b/c\": unexpected GroupVersion string: a/b/c",
            "spec.x.kind: Invalid value: \"\": must not be empty",
        ],
    );
    check(
        &embedded,
        &json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a/b"}}),
        &["spec.x.metadata.name: Invalid value: \"a/b\": may not contain '/'"],
    );
}

#[test]
fn a_whole_object_is_checked_and_the_root_is_named_by_nothing() {
    let schema = structural(&database());
    assert_eq!(lines(&schema.validate(&json!({}), None)), ["spec: Required value"]);
    let object = json!({"spec": {"engine": "oracle", "replicas": 0, "users": [{"name": "root"}, {"name": "root"}]}});
    assert_eq!(
        lines(&schema.validate(&object, None)),
        [
            r#"spec.engine: Unsupported value: "oracle": supported values: "postgres", "sqlite""#,
            "spec.replicas: Invalid value: 0: spec.replicas in body should be greater than or equal to 1",
            "spec.users[1]: Duplicate value: {\"name\":\"root\"}",
        ]
    );
    assert_eq!(
        lines(&schema.validate(&json!([]), None)),
        [r#"<nil>: Invalid value: "array":  in body must be of type object: "array""#]
    );
}
