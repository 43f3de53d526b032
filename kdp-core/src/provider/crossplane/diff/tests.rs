use proptest::prelude::*;
use serde_json::json;

use super::*;

fn none() -> BTreeSet<Vec<String>> {
    BTreeSet::new()
}

fn paths(paths: &[&str]) -> BTreeSet<Vec<String>> {
    paths.iter().map(|path| path.split('.').map(Into::into).collect()).collect()
}

#[test]
fn each_value_that_differs_is_told_once() {
    let check = |before: Value, after: Value, expected: &[(&str, Shown, Shown)]| {
        let expected: Vec<_> =
            expected.iter().map(|(path, one, two)| ValueChange::plain(*path, one.clone(), two.clone())).collect();
        assert_eq!(diff("spec", &before, &after, &none()), expected, "{before} {after}");
    };
    let value = |value: Value| Shown::Value(value);
    check(json!({"a": 1}), json!({"a": 1}), &[]);
    check(json!({"a": 1}), json!({"a": 2}), &[("spec.a", value(json!(1)), value(json!(2)))]);
    check(json!({}), json!({"a": {"b": 1}}), &[("spec.a.b", Shown::Absent, value(json!(1)))]);
    check(json!({"a": [1, 2]}), json!({"a": [1]}), &[("spec.a.1", value(json!(2)), Shown::Absent)]);
    check(json!({"a": {}}), json!({}), &[("spec.a", value(json!({})), Shown::Absent)]);
    check(
        json!({"a": "x"}),
        json!({"a": {"b": 1}}),
        &[("spec.a", value(json!("x")), Shown::Absent), ("spec.a.b", Shown::Absent, value(json!(1)))],
    );
}

#[test]
fn sensitive_values_are_named_and_not_told() {
    let sensitive = paths(&["password", "users.*.token"]);
    let before = json!({"password": "one", "users": [{"name": "a", "token": "two"}]});
    let after = json!({"password": {"nested": "three"}, "users": [{"name": "b", "token": "four"}]});
    let changes = diff("spec", &before, &after, &sensitive);
    let names: Vec<_> = changes.iter().map(|change| change.path.as_str()).collect();
    assert_eq!(names, ["spec.password", "spec.users.0.name", "spec.users.0.token"]);
    let told = serde_json::to_string(&changes).unwrap();
    assert!(["one", "two", "three", "four"].iter().all(|secret| !told.contains(secret)), "{told}");
}

fn tree() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![Just(Value::Null), any::<bool>().prop_map(Value::Bool), (0..3).prop_map(Value::from)];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::btree_map("[a-c]", inner, 0..4)
                .prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn there_are_changes_exactly_when_something_differs(before in tree(), after in tree()) {
        prop_assert!(diff("", &before, &before, &none()).is_empty());
        prop_assert_eq!(diff("", &before, &after, &none()).is_empty(), before == after);
    }

    #[test]
    fn no_secret_that_is_marked_is_told_whatever_it_becomes(secret in "[a-z]{12}", after in tree(), is_before in any::<bool>()) {
        let holder = json!({"a": [{"key": secret}], "b": {"x": {"key": secret}}});
        let (before, after) = if is_before { (holder, after) } else { (after, holder) };
        let told = serde_json::to_string(&diff("", &before, &after, &paths(&["a.*.key", "b.*.key"]))).unwrap();
        prop_assert!(!told.contains(&secret));
    }
}
