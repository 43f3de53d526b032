use proptest::prelude::*;
use serde_json::{Value, json};

use crate::embedded::managed_fields::fields::FieldSet;
use crate::embedded::managed_fields::path::PathElement;
use crate::embedded::managed_fields::values::{Scalar, same};

fn set(json: Value) -> FieldSet {
    FieldSet::from_json(&json).unwrap()
}

#[test]
fn fields_v1_is_read_and_written_unchanged() {
    let check = |json: Value| assert_eq!(set(json.clone()).to_json(), json);
    check(json!({}));
    check(json!({"f:spec": {"f:replicas": {}}}));
    check(json!({"f:metadata": {"f:labels": {".": {}, "f:app.kubernetes.io/name": {}}}}));
    check(json!({"f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}}));
    check(json!({"f:finalizers": {".": {}, "v:\"example.com/f\"": {}}, "f:list": {"i:3": {}}}));
}

#[test]
fn keys_are_written_in_one_order_and_spelling() {
    let check = |key: &str, expected: &str| {
        assert_eq!(PathElement::decode(key).unwrap().unwrap().encode(), expected);
    };
    check(r#"k:{ "protocol": "TCP", "port": 80 }"#, r#"k:{"port":80,"protocol":"TCP"}"#);
    check(r#"k:{"port":80.0}"#, r#"k:{"port":80}"#);
    check("v: true", "v:true");
}

#[test]
fn elements_of_unknown_kinds_are_left_out() {
    assert_eq!(set(json!({"f:a": {}, "z:new": {"f:b": {}}})), set(json!({"f:a": {}})));
}

#[test]
fn malformed_fields_are_refused() {
    let check = |json: Value| assert!(FieldSet::from_json(&json).is_err(), "{json}");
    check(json!([]));
    check(json!({"f:a": 1}));
    check(json!({"name": {}}));
    check(json!({"k:{": {}}));
    check(json!({"v:": {}}));
    check(json!({"i:x": {}}));
}

#[test]
fn a_parent_and_its_children_are_separate_members() {
    let mut both = set(json!({"f:a": {".": {}, "f:b": {}}}));
    both.subtract(&set(json!({"f:a": {}})));
    assert_eq!(both.to_json(), json!({"f:a": {"f:b": {}}}));

    let mut parent = set(json!({"f:a": {}}));
    parent.subtract(&set(json!({"f:a": {"f:b": {}}})));
    assert_eq!(parent.to_json(), json!({"f:a": {}}));
}

#[test]
fn paths_read_as_in_messages() {
    let fields = set(json!({
        "f:spec": {".": {}, "f:ports": {"k:{\"port\":80,\"protocol\":\"TCP\"}": {".": {}, "f:name": {}}}, "f:size": {}},
        "f:zones": {"v:\"a\"": {}},
    }));
    assert_eq!(
        fields.paths(),
        [
            ".spec",
            ".spec.size",
            r#".spec.ports[port=80,protocol="TCP"]"#,
            r#".spec.ports[port=80,protocol="TCP"].name"#,
            r#".zones[="a"]"#,
        ]
    );
}

#[test]
fn numbers_are_equal_by_what_they_count() {
    assert!(same(&json!({"a": [1, 2.5]}), &json!({"a": [1.0, 2.5]})));
    assert!(!same(&json!(1), &json!(1.5)));
    assert!(!same(&json!(9_007_199_254_740_993_i64), &json!(9_007_199_254_740_992_i64)));
}

fn scalar() -> impl Strategy<Value = Value> {
    prop_oneof![
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        (-4..4_i32).prop_map(|number| Value::from(f64::from(number) / 2.0)),
        "[a-c\"<\\\\]{0,2}".prop_map(Value::from),
    ]
}

fn element() -> impl Strategy<Value = PathElement> {
    prop_oneof![
        4 => "[a-d]{1}".prop_map(PathElement::Field),
        1 => scalar().prop_map(|value| PathElement::Value(Scalar::new(&value))),
        1 => prop::collection::btree_map("[a-b]{1}", scalar().prop_map(|value| Scalar::new(&value)), 1..3)
            .prop_map(|key| PathElement::Key(key.into_iter().collect())),
        1 => (0..3_i64).prop_map(PathElement::Index),
    ]
}

fn field_set() -> impl Strategy<Value = FieldSet> {
    let path = prop::collection::vec(element(), 1..4);
    prop::collection::vec(path, 0..12).prop_map(|paths| {
        let mut set = FieldSet::default();
        for path in paths {
            let leaf = path.into_iter().rev().fold(FieldSet::here(), |below, element| {
                let mut parent = FieldSet::default();
                parent.insert_child(element, below);
                parent
            });
            set.extend(&leaf);
        }
        set
    })
}

fn union(a: &FieldSet, b: &FieldSet) -> FieldSet {
    let mut union = a.clone();
    union.extend(b);
    union
}

fn difference(a: &FieldSet, b: &FieldSet) -> FieldSet {
    let mut difference = a.clone();
    difference.subtract(b);
    difference
}

proptest! {
    #[test]
    fn every_set_survives_its_fields_v1_form(set in field_set()) {
        let json = set.to_json();
        prop_assert_eq!(&FieldSet::from_json(&json).unwrap(), &set);
        let text = serde_json::to_string(&json).unwrap();
        prop_assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), json);
    }

    #[test]
    fn union_and_intersection_are_commutative_and_associative(a in field_set(), b in field_set(), c in field_set()) {
        prop_assert_eq!(union(&a, &b), union(&b, &a));
        prop_assert_eq!(a.intersection(&b), b.intersection(&a));
        prop_assert_eq!(union(&union(&a, &b), &c), union(&a, &union(&b, &c)));
        prop_assert_eq!(a.intersection(&b).intersection(&c), a.intersection(&b.intersection(&c)));
    }

    #[test]
    fn a_set_is_what_it_shares_and_what_it_does_not(a in field_set(), b in field_set()) {
        let (shared, own) = (a.intersection(&b), difference(&a, &b));
        prop_assert_eq!(union(&shared, &own), a.clone());
        prop_assert!(shared.intersection(&own).is_empty());
        prop_assert!(own.intersection(&b).is_empty());
        prop_assert!(shared.is_subset(&b) && own.is_subset(&a));
        prop_assert_eq!(a.is_subset(&b), own.is_empty());
    }

    #[test]
    fn a_set_is_neutral_and_absorbing_with_itself(a in field_set()) {
        prop_assert_eq!(union(&a, &a), a.clone());
        prop_assert_eq!(a.intersection(&a), a.clone());
        prop_assert!(difference(&a, &a).is_empty());
        prop_assert_eq!(difference(&a, &FieldSet::default()), a);
    }

    #[test]
    fn the_order_of_scalars_is_total(a in scalar(), b in scalar(), c in scalar()) {
        let (a, b, c) = (Scalar::new(&a), Scalar::new(&b), Scalar::new(&c));
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert!(!(a <= b && b <= c) || a <= c);
        prop_assert_eq!(a == b, same(a.value(), b.value()));
    }
}
