use super::*;

/// A schema whose `spec` has these properties and one rule.
fn with_rule(properties: &Value, rule: &Value) -> Schema {
    let mut schema = with_spec(properties);
    schema["properties"]["spec"]["x-kubernetes-validations"] = json!([rule]);
    structural(&schema)
}

fn check(schema: &Schema, new: &Value, old: Option<&Value>, expected: &[&str]) {
    let wrap = |spec: &Value| json!({"metadata": {"name": "a"}, "spec": spec});
    let errors = lines(&schema.validate(&wrap(new), old.map(wrap).as_ref()));
    assert_eq!(errors, expected, "{new} after {old:?}");
}

fn sizes() -> Value {
    json!({"min": {"type": "integer"}, "max": {"type": "integer"}})
}

#[test]
fn a_broken_rule_is_told_by_its_message_or_by_itself() {
    let rule = json!({"rule": "self.min <= self.max"});
    check(&with_rule(&sizes(), &rule), &json!({"min": 1, "max": 2}), None, &[]);
    check(
        &with_rule(&sizes(), &rule),
        &json!({"min": 3, "max": 2}),
        None,
        &[r#"spec: Invalid value: "object": failed rule: self.min <= self.max"#],
    );
    let rule = json!({"rule": "self.min <= self.max", "message": "min above max"});
    check(
        &with_rule(&sizes(), &rule),
        &json!({"min": 3, "max": 2}),
        None,
        &[r#"spec: Invalid value: "object": min above max"#],
    );
    let rule = json!({
        "rule": "self.min <= self.max", "fieldPath": ".min", "reason": "FieldValueForbidden",
        "messageExpression": "'min ' + string(self.min) + ' above max ' + string(self.max)",
    });
    check(&with_rule(&sizes(), &rule), &json!({"min": 3, "max": 2}), None, &["spec.min: Forbidden: min 3 above max 2"]);
}

#[test]
fn rules_see_fields_as_kubernetes_shows_them() {
    for (properties, rule, spec) in [
        (json!({"snake_case": {"type": "string"}}), "self.snake_case == 'x'", json!({"snake_case": "x"})),
        (json!({"a-b": {"type": "string"}}), "self.a__dash__b == 'x'", json!({"a-b": "x"})),
        (json!({"namespace": {"type": "string"}}), "self.__namespace__ == 'x'", json!({"namespace": "x"})),
        (json!({"f": {"type": "number"}}), "self.f * 2.5 == 5.0", json!({"f": 2})),
        (
            json!({"m": {"type": "object", "additionalProperties": {"type": "string"}}}),
            "self.m['a-b'] == 'x' && self.m.all(key, key.startsWith('a'))",
            json!({"m": {"a-b": "x"}}),
        ),
        (
            json!({"t": {"type": "string", "format": "date-time"}}),
            "self.t > timestamp('2024-01-01T00:00:00Z')",
            json!({"t": "2024-06-01T00:00:00Z"}),
        ),
        (
            json!({"t": {"type": "string", "format": "date"}}),
            "self.t == timestamp('2024-01-01T00:00:00Z')",
            json!({"t": "2024-01-01"}),
        ),
        (json!({"d": {"type": "string", "format": "duration"}}), "self.d > duration('1h')", json!({"d": "2h"})),
        (json!({"b": {"type": "string", "format": "byte"}}), "self.b == b'hi'", json!({"b": "aGk="})),
        (
            json!({"s": {"x-kubernetes-int-or-string": true}}),
            "type(self.s) == int ? self.s > 4 : self.s == '5Gi'",
            json!({"s": 5}),
        ),
        (json!({"q": {"type": "string"}}), "quantity(self.q).isGreaterThan(quantity('1Gi'))", json!({"q": "2Gi"})),
        (json!({"o": {"type": "string"}}), "!has(self.o) || self.o.size() > 0", json!({})),
        (
            json!({"l": {"type": "array", "items": {"type": "string"}}}),
            "self.l.all(x, self.l.exists_one(y, x == y))",
            json!({"l": ["a", "b"]}),
        ),
    ] {
        check(&with_rule(&properties, &json!({"rule": rule})), &spec, None, &[]);
    }
}

#[test]
fn rules_at_the_root_see_the_name_and_no_other_metadata() {
    let mut schema = with_spec(&json!({}));
    schema["x-kubernetes-validations"] = json!([
        {"rule": "self.metadata.name == 'a'", "message": "wrong name"},
        {"rule": "!has(self.metadata.labels)", "message": "sees labels"},
    ]);
    let schema = structural(&schema);
    let object = |name: &str| json!({"kind": "A", "metadata": {"name": name, "labels": {"a": "b"}}, "spec": {}});
    assert_eq!(lines(&schema.validate(&object("a"), None)), Vec::<String>::new());
    assert_eq!(lines(&schema.validate(&object("b"), None)), [r#"<nil>: Invalid value: "object": wrong name"#]);
}

#[test]
fn transition_rules_hold_only_on_update() {
    let schema = with_rule(&sizes(), &json!({"rule": "self.max >= oldSelf.max", "message": "cannot shrink"}));
    check(&schema, &json!({"max": 1}), None, &[]);
    check(&schema, &json!({"max": 3}), Some(&json!({"max": 2})), &[]);
    check(&schema, &json!({"max": 1}), Some(&json!({"max": 2})), &[r#"spec: Invalid value: "object": cannot shrink"#]);
}

#[test]
fn optional_old_self_is_asked_on_create_too() {
    let rule = json!({
        "rule": "oldSelf.hasValue() ? self.max >= oldSelf.value().max : self.max > 1", "message": "too small",
        "optionalOldSelf": true,
    });
    let schema = with_rule(&sizes(), &rule);
    check(&schema, &json!({"max": 2}), None, &[]);
    check(&schema, &json!({"max": 1}), None, &[r#"spec: Invalid value: "object": too small"#]);
    check(&schema, &json!({"max": 3}), Some(&json!({"max": 2})), &[]);
    check(&schema, &json!({"max": 1}), Some(&json!({"max": 2})), &[r#"spec: Invalid value: "object": too small"#]);
}

#[test]
fn items_of_map_lists_are_compared_by_key() {
    let properties = json!({"users": {
        "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["name"],
        "items": {
            "type": "object", "required": ["name"],
            "properties": {"name": {"type": "string"}, "id": {
                "type": "integer", "x-kubernetes-validations": [{"rule": "self == oldSelf", "message": "id is fixed"}],
            }},
        },
    }});
    let schema = structural(&with_spec(&properties));
    let old = json!({"users": [{"name": "a", "id": 1}, {"name": "b", "id": 2}]});
    check(&schema, &json!({"users": [{"name": "b", "id": 2}, {"name": "c", "id": 9}]}), Some(&old), &[]);
    check(
        &schema,
        &json!({"users": [{"name": "b", "id": 1}]}),
        Some(&old),
        &["spec.users[0].id: Invalid value: 1: id is fixed"],
    );
}

#[test]
fn an_untouched_value_may_go_on_breaking_a_rule() {
    let schema = with_rule(&sizes(), &json!({"rule": "self.min <= self.max", "message": "min above max"}));
    let broken = json!({"min": 3, "max": 2});
    check(&schema, &broken, Some(&broken), &[]);
    check(&schema, &json!({"min": 4, "max": 2}), Some(&broken), &[r#"spec: Invalid value: "object": min above max"#]);
}

#[test]
fn rules_wait_until_the_shape_is_right() {
    let schema = with_rule(&sizes(), &json!({"rule": "self.min <= self.max"}));
    check(
        &schema,
        &json!({"min": "a", "max": 2}),
        None,
        &[
            r#"spec.min: Invalid value: "string": spec.min in body must be of type integer: "string""#,
            "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; \
             correct the existing errors to complete validation",
        ],
    );
}

#[test]
fn a_rule_that_cannot_be_evaluated_refuses() {
    let schema = with_rule(&sizes(), &json!({"rule": "self.min <= self.max"}));
    check(
        &schema,
        &json!({"min": 1}),
        None,
        &[r#"spec: Invalid value: "object": no such key: max evaluating rule: self.min <= self.max"#],
    );
}

#[test]
fn a_rule_stops_when_the_data_makes_it_too_expensive() {
    let properties = json!({"l": {"type": "array", "items": {"type": "integer"}}});
    let rule = json!({"rule": "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))"});
    let schema = with_rule(&properties, &rule);
    check(&schema, &json!({"l": [1, 2, 3]}), None, &[]);
    check(
        &schema,
        &json!({"l": (0..2000).collect::<Vec<_>>()}),
        None,
        &[
            "spec: Invalid value: \"object\": validation failed due to running out of cost budget, no further validation \
           rules will be run",
        ],
    );
}

#[test]
fn rules_that_do_not_compile_are_named_by_their_path() {
    for (properties, rules, expected) in [
        (json!({}), json!([{"rule": "self.x >="}]), "x-kubernetes-validations[0].rule: Invalid value"),
        (
            json!({}),
            json!([{"rule": "true"}, {"rule": "slef.x > 1"}]),
            "x-kubernetes-validations[1].rule: Invalid value",
        ),
        (json!({}), json!([{"rule": "selff(self)"}]), "x-kubernetes-validations[0].rule: Invalid value"),
        (json!({}), json!([{"rule": "lists.range(5).size() > 1"}]), "x-kubernetes-validations[0].rule: Invalid value"),
        (
            json!({}),
            json!([{"rule": "true", "messageExpression": "foo"}]),
            "x-kubernetes-validations[0].messageExpression: Invalid value",
        ),
        (json!({}), json!([{"rule": " "}]), "x-kubernetes-validations[0].rule: Required value: rule is not specified"),
        (
            json!({}),
            json!([{"rule": "true", "reason": "Nope"}]),
            "x-kubernetes-validations[0].reason: Unsupported value: \"Nope\": supported values",
        ),
        (
            json!({}),
            json!([{"rule": "true", "fieldPath": ".nope"}]),
            "x-kubernetes-validations[0].fieldPath: Invalid value: \".nope\": must be a valid path",
        ),
        (
            json!({}),
            json!([{"rule": "true", "optionalOldSelf": true}]),
            "x-kubernetes-validations[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used",
        ),
    ] {
        let mut schema = with_spec(&properties);
        schema["properties"]["spec"]["x-kubernetes-validations"] = rules;
        let errors = lines(&Schema::structural(&schema, "root").unwrap_err());
        let expected = format!("root.properties[spec].{expected}");
        assert!(errors.len() == 1 && errors[0].starts_with(&expected), "{expected}: {errors:#?}");
    }
}

#[test]
fn old_values_are_not_asked_for_where_there_are_none() {
    let rule = json!([{"rule": "self == oldSelf"}]);
    let schema = with_spec(&json!({
        "l": {"type": "array", "items": {"type": "string", "x-kubernetes-validations": rule}},
    }));
    assert_eq!(
        lines(&Schema::structural(&schema, "root").unwrap_err()),
        [
            "root.properties[spec].properties[l].items.x-kubernetes-validations[0].rule: Invalid value: \"self == oldSelf\": \
             oldSelf cannot be used on the uncorrelatable portion of the schema within root.properties[spec].properties[l]"
        ]
    );
}

#[test]
fn a_pattern_in_a_rule_means_what_it_means_in_go_and_none_keeps_the_server_busy() {
    let properties = json!({"s": {"type": "string"}});
    for (rule, text, holds) in [
        (r"self.s.matches('^\\w+$')", "ab1", true),
        (r"self.s.matches('^\\w+$')", "ä", false),
        (r"self.s.matches('^[a-z0-9]([-a-z0-9]{0,251}[a-z0-9])?$')", "a-b", true),
        (r"self.s.find('[0-9]+') == '12'", "a12b3", true),
        (r"self.s.findAll('[0-9]+') == ['12', '3']", "a12b3", true),
        (r"self.s.findAll('[0-9]+', 1) == ['12']", "a12b3", true),
        (r"self.s.findAll('[0-9]+', -1) == ['12', '3']", "a12b3", true),
    ] {
        let errors = with_rule(&properties, &json!({"rule": rule})).validate(&json!({"spec": {"s": text}}), None);
        assert_eq!(errors.is_empty(), holds, "{rule}: {errors:?}");
    }
    let rule = vec![r"self.s.matches('\\pL{200}')"; 100].join(" || ");
    let began = std::time::Instant::now();
    let errors = with_rule(&properties, &json!({"rule": rule})).validate(&json!({"spec": {"s": "x"}}), None);
    assert_eq!(errors.len(), 1);
    assert!(began.elapsed() < std::time::Duration::from_secs(10), "{:?}", began.elapsed());
}
