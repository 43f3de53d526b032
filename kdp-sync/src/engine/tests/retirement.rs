//! Related objects that vanish, or are no longer the order's.

use serde_json::{Value, json};

use super::sim::{self, Sim, plan};
use crate::{engine::Place, object, wire};

const A: &str = "tenanta";

fn config(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "default"}})
}

fn by_reference() -> Sim {
    let related = json!([{
        "identifier": "config", "origin": "kcp", "kind": "ConfigMap", "object": {"reference": {"path": "spec.config"}},
    }]);
    let mut sim = Sim::new(plan(&json!({"related": related})));
    for name in ["old", "new"] {
        sim.create(sim::tenant_config_key(A, name), config(name));
    }
    sim
}

fn has_copy(sim: &Sim, name: &str) -> bool {
    sim.objects.contains_key(&sim::service_config_key(A, name))
}

#[test]
fn an_object_that_an_order_no_longer_names_is_taken_away_and_let_go() {
    let mut sim = by_reference();
    sim.apply_order(A, "db", json!({"config": "old"}));
    sim.settle();
    assert!(has_copy(&sim, "old"));
    sim.apply_order(A, "db", json!({"config": "new"}));
    sim.settle();
    assert!(has_copy(&sim, "new") && !has_copy(&sim, "old"));
    assert!(object::finalizers(&sim.objects[&sim::tenant_config_key(A, "old")]).is_empty());
}

#[test]
fn a_name_that_is_missing_for_a_while_takes_nothing_away() {
    let mut sim = by_reference();
    sim.apply_order(A, "db", json!({"config": "old"}));
    sim.settle();
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    assert!(has_copy(&sim, "old"));
    sim.delete_order(A, "db");
    sim.settle();
    assert!(!has_copy(&sim, "old"));
    assert!(object::finalizers(&sim.objects[&sim::tenant_config_key(A, "old")]).is_empty());
}

#[test]
fn an_object_whose_labels_no_longer_match_is_taken_away_and_unlisted() {
    let related = json!([{
        "identifier": "credentials", "origin": "service", "kind": "Secret", "cleanup": true,
        "object": {"selector": {
            "matchLabels": {"for": "{{ .ClusterName }}"},
            "rewrite": {"template": {"template": "{{ .Value }}"}},
        }},
    }]);
    let mut sim = Sim::new(plan(&json!({"related": related})));
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    let listed = |sim: &Sim| {
        let key = format!("{}credentials.0", wire::RELATED_PREFIX);
        object::annotation(&sim.order(A, "db").unwrap(), &key).is_some()
    };
    let secrets: Vec<_> = sim.objects.keys().filter(|key| key.name.ends_with("-credentials")).cloned().collect();
    assert_eq!((secrets.len(), listed(&sim)), (2, true));
    let original = secrets.iter().find(|key| key.place == Place::Service).unwrap();
    sim.objects.get_mut(original).unwrap()["metadata"]["labels"] = json!({});
    sim.settle();
    assert_eq!(sim.objects.keys().filter(|key| key.name.ends_with("-credentials")).count(), 1);
    assert!(!listed(&sim));
}

#[test]
fn one_object_can_be_copied_to_two_places_in_two_ways() {
    let entry = |identifier: &str| {
        let template = format!("{{{{ if eq .Side \"kcp\" }}}}settings{{{{ else }}}}settings-{identifier}{{{{ end }}}}");
        json!({
            "identifier": identifier, "origin": "kcp", "kind": "ConfigMap",
            "object": {"template": {"template": template}},
            "mutation": {"spec": [{"regex": {"path": "data.for", "replacement": identifier}}]},
        })
    };
    let mut sim = Sim::new(plan(&json!({"related": [entry("a"), entry("b")]})));
    sim.create(sim::tenant_config_key(A, "settings"), config("settings"));
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    for identifier in ["a", "b"] {
        let copy = &sim.objects[&sim::service_config_key(A, &format!("settings-{identifier}"))];
        assert_eq!(copy["data"], json!({"for": identifier}));
    }
    let writes = sim.writes;
    sim.settle();
    assert_eq!(sim.writes, writes);
    sim.delete_order(A, "db");
    sim.settle();
    assert_eq!(sim.leftovers().len(), 1, "{:?}", sim.leftovers());
}
