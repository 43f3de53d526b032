#![expect(clippy::needless_pass_by_value, reason = "tables of json! literals read best by value")]

use serde_json::{Value, json};

use super::*;
use crate::embedded::object;
use crate::store::Entry;

fn export(name: &str) -> ExportId {
    ExportId { cluster: "provider".into(), name: name.into() }
}

fn cluster(name: &str) -> LogicalClusterName {
    name.parse().unwrap()
}

fn claim(resource: &str, verbs: Value, identity: &str, selector: Value) -> Value {
    json!({"group": "", "resource": resource, "verbs": verbs, "identityHash": identity, "selector": selector})
}

fn binding(export: &str, resources: Value, claims: Value) -> Value {
    json!({"spec": {"reference": {"export": {"name": export}}}, "status": {
        "phase": "Bound", "apiExportClusterName": "provider",
        "boundResources": resources, "appliedPermissionClaims": claims,
    }})
}

fn bound(resource: &str, identity: &str, uid: &str) -> Value {
    json!({"group": "", "resource": resource, "schema": {"identityHash": identity, "UID": uid}})
}

fn all() -> Value {
    json!({"matchAll": true})
}

fn entry(labels: Value) -> Entry {
    let object = json!({"metadata": {"name": "x", "labels": labels}});
    Entry {
        key: "c/-/secrets/default/x".into(),
        value: object::encode(&cluster("c"), object).unwrap(),
        created: Revision(1),
        modified: Revision(1),
    }
}

#[test]
fn a_claim_is_for_its_verbs_and_objects_only() {
    let selector = json!({"matchLabels": {"mine": "yes"}});
    let claims = json!([claim("secrets", json!(["get", "list"]), "", selector)]);
    let grants = Grants::of([("b", binding("e", json!([]), claims))]);
    let sight = |plural: &str, verb: &str| grants.sight(&export("e"), "", plural, verb);
    assert!(sight("secrets", "get").shows(&entry(json!({"mine": "yes"}))).unwrap());
    assert!(!sight("secrets", "get").shows(&entry(json!({"mine": "no"}))).unwrap());
    for (plural, verb) in [("secrets", "update"), ("secrets", "watch"), ("configmaps", "get")] {
        assert_eq!(sight(plural, verb), Sight::Nothing, "{verb} {plural}");
    }
    assert_eq!(grants.sight(&export("other"), "", "secrets", "get"), Sight::Nothing);
}

#[test]
fn an_identity_must_be_that_under_which_the_resource_is_bound() {
    let provided = ("b", binding("b", json!([bound("widgets", "B", "u")]), json!([])));
    let seen = |identity: &str| {
        let claims = json!([claim("widgets", json!(["*"]), identity, all())]);
        let grants = Grants::of([("a", binding("a", json!([]), claims)), provided.clone()]);
        grants.sight(&export("a"), "", "widgets", "get")
    };
    assert_eq!(seen("B"), Sight::Everything);
    assert_eq!(seen("A"), Sight::Nothing);
    assert_eq!(seen(""), Sight::Nothing);
    let claims = json!([claim("widgets", json!(["*"]), "B", all())]);
    let alone = Grants::of([("a", binding("a", json!([]), claims))]);
    assert_eq!(alone.sight(&export("a"), "", "widgets", "get"), Sight::Nothing);
}

#[test]
fn a_selector_that_says_nothing_grants_nothing() {
    for selector in [json!({}), json!(null), json!({"matchAll": false}), json!({"matchLabels": {}})] {
        let claims = json!([claim("secrets", json!(["*"]), "", selector.clone())]);
        let grants = Grants::of([("b", binding("e", json!([]), claims))]);
        assert_eq!(grants.sight(&export("e"), "", "secrets", "get"), Sight::Nothing, "{selector}");
    }
}

#[test]
fn the_past_is_known_as_far_back_as_it_was_the_same() {
    let mut bindings = Bindings::default();
    bindings.forget_before(Revision(10));
    let (a, b) = (cluster("a"), cluster("b"));
    assert_eq!(bindings.grants_at(&a, Revision(9)), Past::Forgotten);
    assert_eq!(bindings.grants_at(&a, Revision(10)), Past::Known(Arc::default()));
    let consumer = Consumer::of(&binding("e", json!([]), json!([])));
    bindings.set(&a, "x", consumer.clone(), Revision(20));
    assert_eq!(bindings.grants_at(&a, Revision(19)), Past::Changed);
    assert!(matches!(bindings.grants_at(&a, Revision(20)), Past::Known(grants) if !grants.is_empty()));
    bindings.set(&a, "x", None, Revision(30));
    assert_eq!(bindings.grants_at(&a, Revision(29)), Past::Changed);
    assert_eq!(bindings.grants_at(&a, Revision(30)), Past::Known(Arc::default()));
    for i in 0..=REMEMBERED as u64 {
        bindings.set(&b, "x", consumer.clone(), Revision(40 + 2 * i));
        bindings.set(&b, "x", None, Revision(41 + 2 * i));
    }
    assert_eq!(bindings.grants_at(&a, Revision(29)), Past::Forgotten);
}

#[test]
fn a_schema_is_unused_once_its_last_binding_is_gone() {
    let mut bindings = Bindings::default();
    let uses = |uid: &str| Consumer::of(&binding("e", json!([bound("widgets", "h", uid)]), json!([])));
    assert!(bindings.set(&cluster("a"), "x", uses("1"), Revision(1)).is_empty());
    assert!(bindings.set(&cluster("b"), "x", uses("1"), Revision(2)).is_empty());
    assert!(bindings.set(&cluster("a"), "x", uses("2"), Revision(3)).is_empty());
    assert_eq!(bindings.set(&cluster("b"), "x", None, Revision(4)), ["1"]);
    assert!(!bindings.uses("1") && bindings.uses("2"));
    assert_eq!(bindings.consumers(&export("e")), [cluster("a")]);
    assert_eq!(bindings.of(&export("e")), [(cluster("a"), "x".to_owned())]);
}

proptest::proptest! {
    #[test]
    fn what_both_show_and_what_either_shows_is_what_the_words_say(one in 0..4_usize, other in 0..4_usize, x: bool, y: bool) {
        let claimed = |key: &str| {
            let selector = json!({"matchExpressions": [{"key": key, "operator": "Exists"}]});
            Sight::Claimed(Arc::new(crate::embedded::selector::ClaimSelector::parse(&selector).unwrap()))
        };
        let sights = [Sight::Nothing, Sight::Everything, claimed("x"), claimed("y")];
        let mut labels = serde_json::Map::new();
        for (key, is_there) in [("x", x), ("y", y)] {
            if is_there {
                labels.insert(key.into(), "".into());
            }
        }
        let entry = entry(labels.into());
        let shows = |sight: &Sight| sight.shows(&entry).unwrap();
        let (one, other) = (sights[one].clone(), sights[other].clone());
        proptest::prop_assert_eq!(shows(&one.clone().and(other.clone())), shows(&one) && shows(&other));
        proptest::prop_assert_eq!(shows(&one.clone().or(other.clone())), shows(&one) || shows(&other));
    }
}
