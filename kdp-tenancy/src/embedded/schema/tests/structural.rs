use super::*;

fn check(schema: &Value, expected: &[&str]) {
    let mut errors = match Schema::structural(schema, "s") {
        Ok(_) => Vec::new(),
        Err(errors) => lines(&errors),
    };
    errors.sort();
    assert_eq!(errors, expected, "{schema}");
}

/// Checks a schema whose property `x` is this.
fn check_x(x: &Value, expected: &[&str]) {
    let expected: Vec<_> = expected.iter().map(|line| format!("s.properties[x]{line}")).collect();
    let expected: Vec<_> = expected.iter().map(String::as_str).collect();
    check(&json!({"type": "object", "properties": {"x": x}}), &expected);
}

#[test]
fn a_schema_as_service_owners_write_it_is_structural() {
    check(&database(), &[]);
}

#[test]
fn every_value_has_a_type() {
    check(&json!({}), &["s.type: Required value: must not be empty at the root"]);
    check(&json!("x"), &["s: Required value"]);
    check(
        &json!({"type": "array", "items": {"type": "string"}}),
        &["s.type: Invalid value: \"array\": must be object at the root"],
    );
    check_x(&json!({}), &[".type: Required value: must not be empty for specified object fields"]);
    check_x(&json!({"type": "array"}), &[".items: Required value: must be specified"]);
    check_x(
        &json!({"type": "array", "items": {}}),
        &[".items.type: Required value: must not be empty for specified array items"],
    );
    check_x(
        &json!({"type": "text"}),
        &[".type: Unsupported value: \"text\": supported values: \"array\", \"boolean\", \"integer\", \"number\", \
         \"object\", \"string\""],
    );
    check_x(
        &json!({"type": 5}),
        &[
            ".type: Invalid value: 5: must be a string",
            ".type: Required value: must not be empty for specified object fields",
        ],
    );
    check_x(&json!({"x-kubernetes-preserve-unknown-fields": true}), &[]);
    check_x(&json!({"x-kubernetes-int-or-string": true}), &[]);
    check_x(
        &json!({"x-kubernetes-int-or-string": true, "allOf": [{"anyOf": [{"type": "integer"}, {"type": "string"}]}]}),
        &[],
    );
}

#[test]
fn keywords_outside_the_structural_subset_are_forbidden() {
    for keyword in ["$ref", "definitions", "dependencies", "patternProperties", "additionalItems", "id", "$schema"] {
        let expected = format!(".{keyword}: Forbidden: {keyword} is not supported");
        check_x(&json!({"type": "object", keyword: {}}), &[&expected]);
    }
    check_x(
        &json!({"type": "array", "items": {"type": "string"}, "uniqueItems": true}),
        &[".uniqueItems: Forbidden: uniqueItems cannot be set to true since the runtime complexity becomes quadratic"],
    );
    check_x(
        &json!({"type": "string", "pattern": "("}),
        &[
            ".pattern: Invalid value: \"(\": must be a valid regular expression, but isn't: regex parse error:\n    (\n    \
         ^\nerror: unclosed group",
        ],
    );
    check_x(
        &json!({"type": "object", "x-kubernetes-preserve-unknown-fields": false}),
        &[".x-kubernetes-preserve-unknown-fields: Invalid value: false: must be true or undefined"],
    );
}

#[test]
fn an_object_has_fields_or_entries() {
    check_x(
        &json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": {"type": "string"}}),
        &[".additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive"],
    );
    check(
        &json!({"type": "object", "additionalProperties": {"type": "string"}}),
        &["s.additionalProperties: Forbidden: must not be used at the root"],
    );
}

#[test]
fn metadata_may_be_restricted_only_in_its_names() {
    let metadata = |metadata: Value| json!({"type": "object", "properties": {"metadata": metadata}});
    check(&metadata(json!({"type": "object", "properties": {"name": {"type": "string", "maxLength": 5}}})), &[]);
    check(
        &metadata(json!({"type": "object", "properties": {"labels": {"type": "object"}}})),
        &[
            "s.properties[metadata]: Forbidden: must not specify anything other than name and generateName, but metadata is \
         implicitly specified",
        ],
    );
    check(
        &metadata(json!({"type": "string"})),
        &["s.properties[metadata].type: Invalid value: \"string\": must be object"],
    );
}

#[test]
fn branches_ask_and_do_not_describe() {
    check_x(
        &json!({"type": "object", "properties": {"a": {"type": "string"}}, "anyOf": [{"properties": {"a": {"type": "string"}}}]}),
        &[".anyOf[0].properties[a].type: Forbidden: must be empty to be structural"],
    );
    check_x(
        &json!({"type": "object", "oneOf": [{"required": ["a"], "default": {}}]}),
        &[".oneOf[0].default: Forbidden: must be undefined to be structural"],
    );
    check(
        &json!({"type": "object", "not": {"properties": {"b": {"minLength": 1}}}}),
        &["s.properties[b]: Required value: because it is defined in s.not.properties[b]"],
    );
    let nested = json!({"properties": {"l": {"items": {"minLength": 1}}}});
    check(
        &json!({"type": "object", "allOf": [nested], "properties": {"l": {"type": "string"}}}),
        &["s.properties[l].items: Required value: because it is defined in s.allOf[0].properties[l].items"],
    );
}

#[test]
fn list_and_map_types_are_consistent() {
    let list = |keys: Value, items: Value| json!({"type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": keys, "items": items});
    let items = json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "string"}, "b": {"type": "string", "default": "x"}, "c": {"type": "string"}, "d": {"type": "array", "items": {"type": "string"}},
    }});
    check_x(&list(json!(["a", "b"]), items.clone()), &[]);
    check_x(
        &list(json!(["c"]), items.clone()),
        &[
            ".items.properties[c].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a \
         default or be a required property",
        ],
    );
    check_x(
        &list(json!(["z"]), items.clone()),
        &[".x-kubernetes-list-map-keys: Invalid value: [\"z\"]: entries must all be names of item properties"],
    );
    check_x(
        &list(json!(["a", "a"]), items.clone()),
        &[".x-kubernetes-list-map-keys: Invalid value: [\"a\",\"a\"]: must not contain duplicate entries"],
    );
    check_x(
        &list(json!([]), items),
        &[".x-kubernetes-list-map-keys: Required value: must not be empty if x-kubernetes-list-type is map"],
    );
    check_x(
        &json!({"type": "string", "x-kubernetes-list-type": "set"}),
        &[".type: Invalid value: \"string\": must be array if x-kubernetes-list-type is specified"],
    );
    check_x(
        &json!({"type": "array", "x-kubernetes-list-type": "set", "items": {"type": "object", "properties": {}}}),
        &[".items.x-kubernetes-map-type: Invalid value: null: must be atomic as item of a list with \
           x-kubernetes-list-type=set"],
    );
    check_x(
        &json!({"type": "object", "x-kubernetes-map-type": "loose"}),
        &[".x-kubernetes-map-type: Unsupported value: \"loose\": supported values: \"atomic\", \"granular\""],
    );
}

#[test]
fn defaults_are_valid_and_pruned() {
    check_x(
        &json!({"type": "integer", "default": "one"}),
        &[".default: Invalid value: \"string\": s.properties[x].default in body must be of type integer: \"string\""],
    );
    check_x(
        &json!({"type": "object", "properties": {"a": {"type": "string"}}, "default": {"b": 1}}),
        &[".default: Invalid value: {\"b\":1}: must not have unknown fields"],
    );
    check_x(
        &json!({"type": "integer", "default": 1, "x-kubernetes-validations": [{"rule": "self > 1", "message": "too small"}]}),
        &[".default: Invalid value: 1: too small"],
    );
    check(
        &json!({"type": "object", "properties": {"kind": {"type": "string", "default": "X"}}}),
        &["s.properties[kind].default: Forbidden: must not be set in top-level kind"],
    );
}

#[test]
fn patterns_take_no_more_than_a_tenant_may_ask_for() {
    let with = |patterns: Vec<String>| {
        let properties: serde_json::Map<_, _> = (0..)
            .zip(patterns)
            .map(|(i, pattern)| (format!("p{i}"), json!({"type": "string", "pattern": pattern})))
            .collect();
        json!({"type": "object", "properties": properties})
    };
    let name = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\.[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)*$";
    check(&with(vec![name.into(); 1000]), &[]);
    check(&with(vec!["^.{1,253}$".into(); 20]), &[]);
    let many = "s: Forbidden: the patterns of the schema are too many or too large together";
    check(&with(vec![r"\pL{200}".into(); 80]), &[many]);
    check(&with(vec![name.into(); 3000]), &[many]);
}
