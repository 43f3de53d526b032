//! Laws of apply and update over random schemas and objects.

use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::{at, config, manager};
use crate::embedded::managed_fields::compare::Comparison;
use crate::embedded::managed_fields::fields::FieldSet;
use crate::embedded::managed_fields::owners::Owners;
use crate::embedded::managed_fields::schema_types::Type;
use crate::embedded::managed_fields::typed::fields_of;
use crate::embedded::managed_fields::{Manager, apply, track_update};

/// A schema of any shape: scalars, granular and atomic maps, atomic lists, sets and keyed lists.
fn schema() -> BoxedStrategy<Value> {
    let leaf = prop_oneof![
        Just(json!({"type": "integer"})),
        Just(json!({"type": "string"})),
        Just(json!({"type": "array", "items": {"type": "string"}})),
        Just(json!({"type": "array", "items": {"type": "string"}, "x-kubernetes-list-type": "set"})),
        Just(json!({"type": "object", "additionalProperties": {"type": "integer"}})),
        Just(json!({
            "type": "object", "additionalProperties": {"type": "integer"}, "x-kubernetes-map-type": "atomic",
        })),
        Just(json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})),
    ];
    let nested = leaf.prop_recursive(3, 24, 3, |inner| {
        let properties = prop::collection::btree_map("[a-c]", inner, 1..4);
        prop_oneof![
            properties.clone().prop_map(|properties| json!({"type": "object", "properties": properties})),
            properties.clone().prop_map(
                |properties| json!({"type": "object", "additionalProperties": {"type": "object", "properties": properties}})
            ),
            properties.prop_map(|mut properties| {
                properties.insert("key".into(), json!({"type": "string"}));
                json!({
                    "type": "array", "x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": ["key"],
                    "items": {"type": "object", "properties": properties},
                })
            }),
        ]
    });
    prop::collection::btree_map("[a-c]", nested, 1..4)
        .prop_map(|properties| {
            let spec = json!({"type": "object", "properties": properties});
            json!({"type": "object", "properties": {"metadata": {"type": "object"}, "spec": spec}})
        })
        .boxed()
}

/// A value of this schema. Lists with owners inside are never empty: such a list is owned by
/// nobody, so it does not come back after the last item of another manager.
fn value(schema: &Value) -> BoxedStrategy<Value> {
    match (schema["type"].as_str(), schema["x-kubernetes-list-type"].as_str()) {
        (Some("integer"), _) => (0..3_i64).prop_map(Value::from).boxed(),
        (Some("string"), _) => "[x-z]".prop_map(Value::from).boxed(),
        (Some("array"), Some("set")) => {
            let items = prop::sample::subsequence(vec!["x", "y", "z"], 1..3).prop_shuffle();
            items.prop_map(|items| json!(items)).boxed()
        }
        (Some("array"), Some("map")) => {
            let item = value(&schema["items"]);
            let items = prop::collection::vec(item, 3);
            (prop::sample::subsequence(vec!["x", "y", "z"], 1..3).prop_shuffle(), items)
                .prop_map(|(keys, mut items)| {
                    items.truncate(keys.len());
                    for (item, key) in items.iter_mut().zip(keys) {
                        item["key"] = json!(key);
                    }
                    Value::Array(items)
                })
                .boxed()
        }
        (Some("array"), _) => prop::collection::vec(value(&schema["items"]), 0..3).prop_map(Value::Array).boxed(),
        _ if schema["properties"].is_object() => {
            let properties = schema["properties"].as_object().unwrap();
            properties
                .iter()
                .fold(Just(Map::new()).boxed(), |object, (name, schema)| {
                    let name = name.clone();
                    (object, prop::option::of(value(schema)))
                        .prop_map(move |(mut object, value)| {
                            object.extend(value.map(|value| (name.clone(), value)));
                            object
                        })
                        .boxed()
                })
                .prop_map(Value::Object)
                .boxed()
        }
        _ if schema["additionalProperties"].is_object() => {
            let entries = prop::collection::btree_map("[p-r]", value(&schema["additionalProperties"]), 0..3);
            entries.prop_map(|entries| json!(entries)).boxed()
        }
        _ => {
            let leaf = (0..3_i64).prop_map(Value::from);
            let tree = leaf.prop_recursive(2, 6, 2, |inner| {
                prop::collection::btree_map("[p-q]", inner, 0..3).prop_map(|entries| json!(entries))
            });
            prop::collection::btree_map("[p-r]", tree, 0..3).prop_map(|entries| json!(entries)).boxed()
        }
    }
}

/// A schema and `N` specs that fit it.
fn case<const N: usize>() -> impl Strategy<Value = (Value, [Value; N])> {
    schema().prop_flat_map(|schema| {
        let specs = prop::collection::vec(value(&schema["properties"]["spec"]), N);
        (Just(schema), specs.prop_map(|specs| specs.try_into().unwrap()))
    })
}

/// The fields of every owner but `name`.
fn fields_of_others(object: &Value, name: &str) -> FieldSet {
    let mut fields = FieldSet::default();
    for (owner, share) in Owners::of(object).unwrap().iter() {
        if owner.manager != name {
            fields.extend(&share.fields);
        }
    }
    fields
}

/// An object that two managers applied to and one updated.
fn history(schema: &Value, [a, b, c]: [Value; 3]) -> Value {
    let live = apply(None, &config(a), schema, &manager("a"), false).unwrap();
    let live = apply(Some(&live), &config(b), schema, &manager("b"), true).unwrap();
    let mut new = live.clone();
    new["spec"] = c;
    track_update(Some(&live), &mut new, schema, &manager("c"));
    new
}

proptest! {
    #[test]
    fn apply_is_idempotent((schema, [a, b, c, d]) in case(), force: bool) {
        let live = history(&schema, [a, b, c]);
        if let Ok(once) = apply(Some(&live), &config(d.clone()), &schema, &manager("a"), force) {
            let later = Manager { time: at(60), ..manager("a") };
            let twice = apply(Some(&once), &config(d), &schema, &later, false);
            prop_assert_eq!(twice.unwrap(), once);
        }
    }

    #[test]
    fn apply_leaves_the_fields_of_other_appliers_alone((schema, [a, b, c]) in case()) {
        let live = apply(None, &config(a), &schema, &manager("a"), false).unwrap();
        let live = apply(Some(&live), &config(b), &schema, &manager("b"), true).unwrap();
        if let Ok(new) = apply(Some(&live), &config(c), &schema, &manager("a"), false) {
            let others = fields_of_others(&live, "a");
            let diff = Comparison::of(Type::root(&schema), &live, &new);
            prop_assert!(others.intersection(&diff.modified).is_empty());
            prop_assert!(others.intersection(&diff.removed).is_empty());
            prop_assert_eq!(fields_of_others(&new, "a"), others);
        }
    }

    #[test]
    fn apply_changes_no_value_that_an_updater_set((schema, [a, b, c, d]) in case()) {
        let live = history(&schema, [a, b, c]);
        // Without any owner on record, what is there counts as somebody's.
        let is_tracked = !Owners::of(&live).unwrap().is_empty();
        if let (true, Ok(new)) = (is_tracked, apply(Some(&live), &config(d), &schema, &manager("a"), false)) {
            let diff = Comparison::of(Type::root(&schema), &live, &new);
            prop_assert!(fields_of_others(&live, "a").intersection(&diff.modified).is_empty());
        }
    }

    #[test]
    fn apply_makes_the_object_say_what_is_applied((schema, [a, b, c, d]) in case()) {
        let live = history(&schema, [a, b, c]);
        let wanted = config(d);
        let new = apply(Some(&live), &wanted, &schema, &manager("a"), true).unwrap();
        let ty = Type::root(&schema);
        let wanted_fields = fields_of(ty, &wanted);
        let diff = Comparison::of(ty, &wanted, &new);
        prop_assert!(wanted_fields.intersection(&diff.modified).is_empty());
        prop_assert!(wanted_fields.intersection(&diff.removed).is_empty());
    }

    #[test]
    fn a_lone_applier_gets_exactly_what_it_applied_last((schema, [a, b]) in case()) {
        let live = apply(None, &config(a), &schema, &manager("m"), false).unwrap();
        let new = apply(Some(&live), &config(b.clone()), &schema, &manager("m"), false).unwrap();
        let ty = Type::root(&schema);
        let mut fields = fields_of(ty, &new);
        fields.subtract(&FieldSet::of_fields(&[&["metadata", "managedFields"]]));
        prop_assert_eq!(fields, fields_of(ty, &config(b)));
    }

    #[test]
    fn conflict_is_symmetric((schema, [a, b]) in case()) {
        let conflicts = |first: &Value, second: &Value| {
            let live = apply(None, &config(first.clone()), &schema, &manager("first"), false).unwrap();
            apply(Some(&live), &config(second.clone()), &schema, &manager("second"), false).is_err()
        };
        prop_assert_eq!(conflicts(&a, &b), conflicts(&b, &a));
    }

    #[test]
    fn force_never_conflicts_and_leaves_no_disputed_owner((schema, [a, b]) in case()) {
        let live = apply(None, &config(a), &schema, &manager("a"), false).unwrap();
        let new = apply(Some(&live), &config(b.clone()), &schema, &manager("b"), true).unwrap();
        prop_assert_eq!(apply(Some(&new), &config(b), &schema, &manager("b"), false).unwrap(), new);
    }

    #[test]
    fn an_update_changes_owners_only_of_what_it_changes((schema, [a, b, c, d]) in case()) {
        let live = history(&schema, [a, b, c]);
        let mut new = live.clone();
        new["spec"] = d;
        track_update(Some(&live), &mut new, &schema, &manager("d"));
        let diff = Comparison::of(Type::root(&schema), &live, &new);
        let mut untouched = fields_of_others(&live, "d");
        untouched.subtract(&diff.set());
        untouched.subtract(&diff.removed);
        prop_assert_eq!(fields_of_others(&new, "d"), untouched);
    }
}
