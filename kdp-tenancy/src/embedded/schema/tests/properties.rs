//! What holds for any object.

use proptest::prelude::*;

use super::*;

/// Any JSON, with field names that some schema below knows.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..9).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        prop_oneof!["[a-c]{0,3}", Just("sqlite".to_owned()), Just("17".to_owned())].prop_map(Value::from),
    ];
    let name = prop::sample::select(vec![
        "apiVersion",
        "kind",
        "metadata",
        "spec",
        "status",
        "engine",
        "version",
        "replicas",
        "storage",
        "backup",
        "enabled",
        "schedule",
        "users",
        "name",
        "role",
        "tags",
        "parameters",
        "extra",
        "known",
        "template",
        "zz",
    ]);
    leaf.prop_recursive(5, 40, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(name.clone(), inner, 0..6)
                .prop_map(|fields| fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
        ]
    })
}

/// Objects of the shape of [`database`] that are valid once defaulted and pruned.
fn valid_object() -> impl Strategy<Value = Value> {
    let users = prop::collection::btree_map("[a-z]{1,8}", prop::option::of("[a-z]{0,4}"), 0..4).prop_map(|users| {
        let item = |(name, role): (String, Option<String>)| match role {
            Some(role) => json!({"name": name, "role": role, "unknown": 1}),
            None => json!({"name": name}),
        };
        Value::from(users.into_iter().map(item).collect::<Vec<_>>())
    });
    let optional = (prop::option::of(1..=5), prop::option::of(users), prop::option::of(any::<bool>()), any_json());
    (prop::sample::select(vec!["postgres", "sqlite"]), optional).prop_map(
        |(engine, (replicas, users, backup, extra))| {
            let mut spec = json!({"engine": engine, "unknown": extra.clone(), "extra": {"anything": extra}});
            if let Some(replicas) = replicas {
                spec["replicas"] = json!(replicas);
            }
            if let Some(users) = users.filter(|users| users.as_array().is_some_and(|users| users.len() <= 3)) {
                spec["users"] = users;
            }
            if let Some(enabled) = backup {
                spec["backup"] = json!({"enabled": enabled, "schedule": null});
            }
            json!({"spec": spec})
        },
    )
}

fn with_rules() -> Value {
    let mut schema = database();
    schema["properties"]["spec"]["x-kubernetes-validations"] = json!([
        {"rule": "!has(self.users) || self.users.all(user, user.name != 'root')"},
        {"rule": "self.replicas >= oldSelf.replicas"},
    ]);
    schema
}

proptest! {
    #[test]
    fn pruning_twice_is_pruning_once(mut object in any_json()) {
        let schema = structural(&database());
        schema.prune(&mut object);
        let once = object.clone();
        prop_assert_eq!(schema.prune(&mut object), Vec::<String>::new());
        prop_assert_eq!(object, once);
    }

    #[test]
    fn defaulting_twice_is_defaulting_once(mut object in any_json()) {
        let schema = structural(&database());
        schema.apply_defaults(&mut object);
        let once = object.clone();
        schema.apply_defaults(&mut object);
        prop_assert_eq!(object, once);
    }

    #[test]
    fn a_valid_object_stays_valid_when_defaulted_and_pruned(mut object in valid_object()) {
        let schema = structural(&database());
        for _ in 0..2 {
            schema.apply_defaults(&mut object);
            schema.prune(&mut object);
            prop_assert_eq!(lines(&schema.validate(&object, None)), Vec::<String>::new());
        }
    }

    #[test]
    fn no_object_makes_validation_panic(object in any_json(), old in prop::option::of(any_json())) {
        let schema = structural(&with_rules());
        let _ = schema.validate(&object, old.as_ref());
    }

    #[test]
    fn an_update_that_changes_nothing_has_no_faults(object in any_json()) {
        let schema = structural(&database());
        prop_assume!(object.get("spec").and_then(|spec| spec.get("template")).is_none());
        prop_assert_eq!(lines(&schema.validate(&object, Some(&object))), Vec::<String>::new());
    }

    #[test]
    fn no_schema_makes_compiling_panic(schema in any_schema()) {
        if let Ok(schema) = Schema::structural(&schema, "s") {
            let mut object = json!({"spec": {"a": [{"b": 1}]}});
            schema.apply_defaults(&mut object);
            schema.prune(&mut object);
            let _ = schema.validate(&object, None);
        }
    }
}

/// JSON made of the words of schemas, right and wrong.
fn any_schema() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-3_i64..9).prop_map(Value::from),
        prop::sample::select(vec!["object", "array", "string", "integer", "map", "set", "[", "self.a > 1"])
            .prop_map(Value::from),
    ];
    let keyword = prop::sample::select(vec![
        "type",
        "properties",
        "additionalProperties",
        "items",
        "default",
        "allOf",
        "anyOf",
        "not",
        "enum",
        "required",
        "pattern",
        "minimum",
        "nullable",
        "spec",
        "a",
        "b",
        "metadata",
        "rule",
        "x-kubernetes-validations",
        "x-kubernetes-list-type",
        "x-kubernetes-list-map-keys",
        "x-kubernetes-preserve-unknown-fields",
        "x-kubernetes-int-or-string",
        "x-kubernetes-embedded-resource",
    ]);
    leaf.prop_recursive(6, 60, 6, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map(keyword.clone(), inner, 0..6).prop_map(|mut fields| {
                fields.entry("type").or_insert_with(|| "object".into());
                fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
            }),
        ]
    })
}
