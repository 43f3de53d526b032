use proptest::prelude::*;
use serde_json::json;

use super::*;

fn told(before: &Value, after: &Value, sensitive: &[&str]) -> Vec<String> {
    let sensitive: Vec<_> = sensitive.iter().map(|path| (*path).to_owned()).collect();
    let told = |change: ValueChange| match (change.before, change.after) {
        (Shown::Sensitive, _) => format!("{} hidden", change.path),
        (Shown::Absent, Shown::Value(after)) => format!("{} + {after}", change.path),
        (Shown::Value(before), Shown::Absent) => format!("{} - {before}", change.path),
        (before, after) => format!("{} {before:?} {after:?}", change.path),
    };
    changes(before, after, &sensitive).into_iter().map(told).collect()
}

#[test]
fn only_what_an_order_has_a_say_in_is_told() {
    let before = json!({
        "kind": "A", "metadata": {"generation": 1, "labels": {"x": "1"}, "annotations": {super::super::identity::LEASE: "1"}},
        "spec": {"size": 1, "ports": [{"p": 80}, {"p": 81}], "gone": true}, "status": {"ready": false},
    });
    let after = json!({
        "kind": "A", "metadata": {"generation": 2, "labels": {}, "annotations": {super::super::identity::LEASE: "2"}},
        "spec": {"size": 1, "ports": [{"p": 80}, {"p": 81, "q": 1}], "new": [1]}, "status": {"ready": true},
    });
    assert_eq!(
        told(&before, &after, &[]),
        ["spec.gone - true", "spec.ports[1].q + 1", "spec.new + [1]", "metadata.labels.x - \"1\"",]
    );
    assert_eq!(told(&before, &before, &[]), Vec::<String>::new());
}

#[test]
fn what_is_sensitive_is_hidden_wherever_it_stands() {
    let users = |password: &str| json!({"spec": {"users": [{"name": "a", "password": password}], "n": 1}});
    assert_eq!(told(&users("old"), &users("new"), &["spec.users.password"]), ["spec.users[0].password hidden"]);
    assert_eq!(told(&users("old"), &users("new"), &["spec.users"]), ["spec.users hidden"]);
    // The list is told as a whole, so it is hidden as a whole.
    let none = json!({"spec": {"users": [], "n": 1}});
    assert_eq!(told(&none, &users("new"), &["spec.users.password"]), ["spec.users hidden"]);
    assert_eq!(told(&json!({}), &users("new"), &["spec.users.password"]), ["spec hidden"]);
    // `user` is none of `users`.
    assert_eq!(told(&json!({}), &json!({"users": 1}), &["user"]), ["users + 1"]);
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![any::<bool>().prop_map(Value::from), "[a-z]{0,6}".prop_map(Value::from)];
    leaf.prop_recursive(3, 16, 3, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            prop::collection::btree_map("[ab]", inner, 0..3).prop_map(|fields| json!(fields)),
        ]
    })
}

proptest! {
    #[test]
    fn no_secret_is_told_whatever_surrounds_it(before in value(), after in value(), secret in "[A-Z]{8}") {
        let with = |value: Value| json!({"spec": {"a": value, "b": {"key": {"x": [secret]}}}});
        let changes = changes(&with(before.clone()), &json!({"spec": {"a": after}}), &["spec.b.key".into()]);
        prop_assert!(!serde_json::to_string(&changes).unwrap().contains(&secret));
        prop_assert_eq!(secrets(&with(before), &["spec.b.key".into()]), [secret]);
    }

    #[test]
    fn what_differs_is_told(before in value(), after in value()) {
        let is_told = !changes(&json!({"spec": before}), &json!({"spec": after}), &[]).is_empty();
        prop_assert_eq!(is_told, before != after);
    }
}
