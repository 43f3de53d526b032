use proptest::prelude::*;
use serde_json::json;

use super::*;

fn order(generation: i64, spec: Value) -> Order {
    Order::new(OrderId::new("u", "default", "app"), generation, spec)
}

fn plan(order: &Order) -> Plan {
    Plan::new(order, vec![Change::new(ChangeAction::Create, "thing")], Teardown::new(&order.id))
}

#[test]
fn the_hash_follows_from_inputs_basis_and_changes_only() {
    let first = plan(&order(1, json!({"size": 1, "name": "a"})));
    let sealed = Some(first.teardown.clone().on_top_of(None));
    let same = order(7, json!({"name": "a", "size": 1})).with_sealed(sealed);
    let mut with_more_to_remove = plan(&same);
    with_more_to_remove.teardown = with_more_to_remove.teardown.with_item("thing", "x");
    assert_eq!(first.hash(), with_more_to_remove.hash());

    for other in [
        plan(&order(1, json!({"size": 2, "name": "a"}))),
        plan(&order(1, json!({"size": 1, "name": "a"}))).with_basis("serial", 1),
        Plan::new(&order(1, json!({"size": 1, "name": "a"})), Vec::new(), first.teardown.clone()),
    ] {
        assert_ne!(first.hash(), other.hash(), "{other:?}");
    }
}

#[test]
fn the_hash_survives_json() {
    let plan = plan(&order(1, json!({"size": 1.5}))).with_basis("serial", 3);
    let read: Plan = serde_json::from_str(&serde_json::to_string(&plan).unwrap()).unwrap();
    assert_eq!(read.hash(), plan.hash());
    assert!(plan.check(&read.hash(), &plan.teardown.id).is_ok());
}

#[test]
fn only_what_is_lost_is_destructive() {
    for (action, expected) in [
        (ChangeAction::Create, false),
        (ChangeAction::Update, false),
        (ChangeAction::Forget, false),
        (ChangeAction::Replace, true),
        (ChangeAction::Delete, true),
    ] {
        let order = order(1, json!({}));
        let plan = Plan::new(&order, vec![Change::new(action, "x")], Teardown::new(&order.id));
        assert_eq!(plan.is_destructive(), expected, "{action}");
        assert_eq!(plan.summary(), format!("1 to {action}"));
    }
}

#[test]
fn a_sensitive_value_is_not_in_the_plan() {
    let change = Change::new(ChangeAction::Update, "user").with_value(ValueChange::sensitive("password"));
    let text = serde_json::to_string(&change).unwrap();
    assert_eq!(
        text,
        r#"{"action":"Update","subject":"user","values":[{"path":"password","before":"sensitive","after":"sensitive"}]}"#
    );
}

proptest! {
    #[test]
    fn parts_of_what_is_hashed_never_run_together(a in ".{0,6}", b in ".{0,6}", c in ".{0,6}", d in ".{0,6}") {
        let hash = |name: &str, fact: &str| plan(&order(1, json!({}))).with_basis(name, fact).hash();
        prop_assert_eq!(hash(&a, &b) == hash(&c, &d), (a, b) == (c, d));
    }
}
