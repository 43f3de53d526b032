//! Several orders need the same object of the tenant.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::sim::{self, Sim, plan};
use crate::{engine::*, hash, object, wire};

const A: &str = "tenanta";

/// Each order copies the ConfigMap `settings` to a place of its own.
fn shared() -> Plan {
    by_template("{{ if eq .Side \"kcp\" }}settings{{ else }}{{ .Object.metadata.name }}-settings{{ end }}")
}

fn by_template(template: &str) -> Plan {
    plan(&json!({
        "naming": {"name": "{{ .Object.metadata.name }}"},
        "related": [{
            "identifier": "config", "origin": "kcp", "kind": "ConfigMap",
            "object": {"template": {"template": template}},
        }],
    }))
}

fn settings() -> Value {
    let metadata = json!({"name": "settings", "namespace": "default", "finalizers": ["example.com/own"]});
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"a": "1"}})
}

fn two_orders(plan: Plan) -> Sim {
    let mut sim = Sim::new(plan);
    sim.create(sim::tenant_config_key(A, "settings"), settings());
    for name in ["one", "two"] {
        sim.apply_order(A, name, json!({}));
    }
    sim.settle();
    sim
}

fn claims(sim: &Sim) -> usize {
    let original = &sim.objects[&sim::tenant_config_key(A, "settings")];
    assert!(object::has_finalizer(original, "example.com/own"), "the tenant's own finalizer");
    object::finalizers(original).len() - 1
}

#[test]
fn what_is_given_back_is_held_by_no_claim_of_these_orders() {
    let sim = two_orders(shared());
    let key = sim::tenant_config_key(A, "settings");
    let mut original = sim.objects[&key].clone();
    let anothers = format!("{}another", wire::CLAIM_PREFIX);
    original["metadata"]["finalizers"].as_array_mut().unwrap().push(anothers.clone().into());
    let orders = ["one", "two"].map(|name| sim::order(A, name));
    let claimed = Claimed::by(&shared(), &orders);
    assert_eq!(claimed.types.iter().map(|types| types.plural.as_str()).collect::<Vec<_>>(), ["configmaps"]);
    let Some(Command::Patch { patch, .. }) = claimed.release(&key, &original) else { panic!("nothing is let go") };
    assert_eq!(patch["metadata"]["finalizers"], json!(["example.com/own", anothers]));
    assert_eq!(Claimed::by(&shared(), &[]).release(&key, &original), None);
}

#[test]
fn an_original_is_held_until_the_last_order_lets_go_of_it() {
    let mut sim = two_orders(shared());
    assert_eq!((claims(&sim), &sim.problems), (2, &vec![]));
    sim.delete_order(A, "one");
    sim.settle();
    assert_eq!(claims(&sim), 1);
    assert!(!sim.objects.contains_key(&sim::service_config_key(A, "one-settings")));
    assert!(sim.objects.contains_key(&sim::service_config_key(A, "two-settings")));
    sim.delete_order(A, "two");
    sim.settle();
    assert_eq!(claims(&sim), 0);
}

#[test]
fn an_original_that_is_deleted_goes_once_every_copy_is_gone() {
    let mut sim = two_orders(shared());
    let original = sim::tenant_config_key(A, "settings");
    sim.delete(&original);
    sim.settle();
    assert_eq!(claims(&sim), 0, "only the tenant's own finalizer is left");
    for name in ["one-settings", "two-settings"] {
        assert!(!sim.objects.contains_key(&sim::service_config_key(A, name)));
    }
}

#[test]
fn two_orders_cannot_deliver_to_the_same_place() {
    let mut sim = two_orders(by_template("settings"));
    let owner = object::annotation(&sim.objects[&sim::service_config_key(A, "settings")], wire::RELATED_OWNER);
    assert!(owner.unwrap().ends_with("/one/config"));
    assert_eq!(sim.problems.len(), 1);
    assert!(sim.problems[0].advice.unwrap().contains("not made for this order"));
    // The loser takes nothing with it, and the place is free once the winner is gone.
    sim.delete_order(A, "two");
    sim.settle();
    assert!(sim.objects.contains_key(&sim::service_config_key(A, "settings")));
    sim.apply_order(A, "two", json!({}));
    sim.delete_order(A, "one");
    sim.settle();
    let owner = object::annotation(&sim.objects[&sim::service_config_key(A, "settings")], wire::RELATED_OWNER);
    assert!(owner.unwrap().ends_with("/two/config"));
    assert_eq!((claims(&sim), &sim.problems), (1, &vec![]));
}

/// What the existing agent would have left in place of what is there.
fn make_legacy(sim: &mut Sim) {
    let original = sim::tenant_config_key(A, "settings");
    let copies = ["one-settings", "two-settings"].map(|name| sim::service_config_key(A, name));
    for key in &copies {
        let copy = sim.objects.get_mut(key).unwrap();
        copy["metadata"].as_object_mut().unwrap().remove("annotations");
    }
    // In the order of the existing agent's struct.
    let id =
        format!("{{\"ClusterName\":\"{A}\",\"WorkspacePath\":\"\",\"Namespace\":\"default\",\"Name\":\"settings\"}}\n");
    let mut last = sim.objects[&original].clone();
    last["metadata"] = json!({"name": "settings", "namespace": "default"});
    for (key, secret) in &mut sim.objects {
        if key.name.starts_with(STATE_PREFIX) {
            let data = secret["data"].as_object_mut().unwrap();
            data.retain(|key, _| key.len() == 40);
            data.insert(hash::sha1(&id), BASE64_STANDARD.encode(last.to_string()).into());
        }
    }
    let held = json!(["example.com/own", wire::FINALIZER]);
    sim.objects.get_mut(&original).unwrap()["metadata"]["finalizers"] = held;
}

#[test]
fn what_the_existing_agent_has_made_is_taken_over_without_a_write() {
    let mut sim = two_orders(shared());
    make_legacy(&mut sim);
    let before = (sim.writes, sim.snapshot());
    sim.settle();
    assert_eq!((sim.writes, sim.snapshot()), before);
    // The end of one order leaves the other one's original held.
    sim.delete_order(A, "one");
    sim.settle();
    assert_eq!(claims(&sim), 1);
    assert!(sim.objects.contains_key(&sim::service_config_key(A, "two-settings")));
    sim.delete_order(A, "two");
    sim.settle();
    assert_eq!(claims(&sim), 0);
    assert_eq!(sim.leftovers().len(), 1, "{:?}", sim.leftovers());
}

#[test]
fn an_original_the_existing_agent_has_copied_can_be_deleted() {
    let mut sim = two_orders(shared());
    make_legacy(&mut sim);
    let original = sim::tenant_config_key(A, "settings");
    sim.delete(&original);
    sim.settle();
    assert_eq!(claims(&sim), 0);
    for name in ["one-settings", "two-settings"] {
        assert!(!sim.objects.contains_key(&sim::service_config_key(A, name)), "{name}");
    }
}
