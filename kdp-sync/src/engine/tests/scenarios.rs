//! Lives of orders with an operator on the service cluster, and tenants who do unexpected things.

use kdp_core::LogicalClusterName;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::sim::{self, Sim, order, plan};
use crate::engine::*;
use crate::{object, wire};

const A: &str = "tenanta";
const B: &str = "tenantb";

fn credentials() -> Value {
    json!([{
        "identifier": "credentials",
        "origin": "service",
        "kind": "Secret",
        "cleanup": true,
        "object": {"reference": {"path": "status.secretName"}}
    }])
}

fn database() -> Plan {
    plan(&json!({"related": credentials()}))
}

#[test]
fn an_order_goes_down_and_status_and_credentials_come_up() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({"size": 1}));
    sim.settle();
    let copy = sim.copy(A, "db").unwrap();
    assert_eq!(copy["spec"], json!({"size": 1}));
    assert_eq!(object::namespace(&copy), Some(A));
    assert_eq!(object::label(&copy, wire::AGENT_NAME), Some("agent"));
    let order = sim.order(A, "db").unwrap();
    assert_eq!(order["status"]["phase"], "Ready");
    let listed = object::annotation(&order, "related-resources.syncagent.kcp.io/credentials.0").unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(listed).unwrap(),
        json!({"namespace": "default", "name": "db-credentials", "apiVersion": "v1", "kind": "Secret"})
    );
    assert_eq!(sim.tenant_secret(A, "db-credentials").unwrap()["data"], json!({"cluster": A}));
    assert_eq!(sim.problems, []);
}

#[test]
fn a_settled_order_needs_no_more_writes() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({"size": 1}));
    sim.settle();
    let writes = sim.writes;
    sim.settle();
    assert_eq!(sim.writes, writes);
}

#[test]
fn changes_on_the_service_side_stay_until_the_tenant_changes_the_same_field() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({"size": 1, "tier": "a"}));
    sim.settle();
    sim.edit_copy(A, "db", |copy| {
        copy["spec"]["tier"] = json!("b");
        copy["spec"]["node"] = json!("n1");
    });
    sim.apply_order(A, "db", json!({"size": 2, "tier": "a"}));
    sim.settle();
    assert_eq!(sim.copy(A, "db").unwrap()["spec"], json!({"size": 2, "tier": "b", "node": "n1"}));
    sim.apply_order(A, "db", json!({"size": 2, "tier": "c"}));
    sim.settle();
    assert_eq!(sim.copy(A, "db").unwrap()["spec"], json!({"size": 2, "tier": "c", "node": "n1"}));
}

#[test]
fn without_the_last_state_the_order_wins() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({"size": 1}));
    sim.settle();
    sim.edit_copy(A, "db", |copy| copy["spec"]["size"] = json!(9));
    sim.objects.retain(|key, _| !key.name.starts_with("obj-state-"));
    sim.settle();
    assert_eq!(sim.copy(A, "db").unwrap()["spec"]["size"], 1);
    assert_eq!(sim.problems, []);
}

#[test]
fn broken_marks_are_repaired() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    sim.edit_copy(A, "db", |copy| object::set_metadata(copy, "annotations", wire::NAME_ANNOTATION, "wrong"));
    sim.settle();
    assert_eq!(object::annotation(&sim.copy(A, "db").unwrap(), wire::NAME_ANNOTATION), Some("db"));
}

#[test]
fn deleting_an_order_leaves_nothing_on_either_side() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({"size": 1}));
    sim.settle();
    sim.delete_order(A, "db");
    sim.settle();
    assert_eq!(sim.leftovers(), Vec::<String>::new());
}

#[test]
fn credentials_are_taken_away_even_if_the_copy_and_all_records_are_lost() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    sim.delete_copy(A, "db");
    sim.objects.retain(|key, _| !key.name.starts_with("obj-state-"));
    sim.delete_order(A, "db");
    sim.settle();
    assert_eq!(sim.leftovers(), Vec::<String>::new());
}

#[test]
fn what_a_tenant_writes_into_the_list_of_delivered_objects_removes_nothing_of_theirs() {
    let mut sim = Sim::new(database());
    let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine", "namespace": "default"}});
    sim.create(sim::tenant_secret_key(A, "mine"), secret);
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    let listed = json!({"namespace": "default", "name": "mine", "apiVersion": "v1", "kind": "Secret"}).to_string();
    let key = format!("{}credentials.7", wire::RELATED_PREFIX);
    sim.edit_order(A, "db", |order| object::set_metadata(order, "annotations", &key, &listed));
    sim.delete_order(A, "db");
    sim.settle();
    assert!(sim.order(A, "db").is_none() && sim.tenant_secret(A, "mine").is_some());
}

#[test]
fn without_cleanup_delivered_credentials_stay_with_the_tenant() {
    let mut related = credentials();
    related[0]["cleanup"] = false.into();
    let mut sim = Sim::new(plan(&json!({"related": related})));
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    sim.delete_order(A, "db");
    sim.settle();
    assert!(sim.order(A, "db").is_none() && sim.copy(A, "db").is_none());
    assert!(sim.tenant_secret(A, "db-credentials").is_some());
}

#[test]
fn an_object_of_another_owner_is_never_taken_over() {
    let plan = plan(&json!({"naming": {"name": "fixed", "namespace": "shared"}}));
    let mut sim = Sim::new(plan);
    sim.apply_order(A, "db", json!({"size": 1}));
    sim.settle();
    sim.apply_order(B, "db", json!({"size": 2}));
    sim.settle();
    assert_eq!(sim.copy(A, "db").unwrap()["spec"]["size"], 1);
    assert!(sim.copy(B, "db").is_none());
    assert!(sim.problems[0].message.contains("is taken"), "{:?}", sim.problems);
    assert!(!sim.problems[0].message.contains(A), "tenants do not learn of each other");
    // The loser can still be deleted.
    sim.delete_order(B, "db");
    sim.settle();
    assert!(sim.order(B, "db").is_none());
    assert_eq!(sim.copy(A, "db").unwrap()["spec"]["size"], 1);
}

#[test]
fn a_secret_the_tenant_made_is_left_alone() {
    let mut sim = Sim::new(database());
    let own = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "db-credentials", "namespace": "default"}, "data": {"mine": "x"}});
    sim.create(sim::tenant_secret_key(A, "db-credentials"), own);
    sim.apply_order(A, "db", json!({"size": 1}));
    sim.settle();
    assert!(sim.problems[0].message.contains("left alone"), "{:?}", sim.problems);
    assert_eq!(sim.order(A, "db").unwrap()["status"]["phase"], "Ready", "the rest goes on");
    sim.delete_order(A, "db");
    sim.settle();
    assert!(sim.order(A, "db").is_none());
    assert_eq!(sim.tenant_secret(A, "db-credentials").unwrap()["data"], json!({"mine": "x"}));
}

#[test]
fn orders_of_the_same_name_in_two_workspaces_never_mix() {
    let related = json!([{
        "identifier": "credentials",
        "origin": "service",
        "kind": "Secret",
        "cleanup": true,
        "object": {"selector": {
            "matchLabels": {"for": "{{ .ClusterName }}"},
            "rewrite": {"template": {"template": "{{ .Value }}-copy"}}
        }}
    }]);
    // One shared namespace, so that only the rendered labels keep the tenants apart.
    let naming = json!({"namespace": "shared", "name": "{{ .ClusterName }}-{{ .Object.metadata.name }}"});
    let mut sim = Sim::new(plan(&json!({"related": related, "naming": naming})));
    for cluster in [A, B] {
        sim.apply_order(cluster, "db", json!({}));
    }
    sim.settle();
    for (cluster, other) in [(A, B), (B, A)] {
        let secret = sim.tenant_secret(cluster, &format!("{cluster}-db-credentials-copy")).unwrap();
        assert_eq!(secret["data"], json!({"cluster": cluster}));
        assert!(sim.tenant_secret(cluster, &format!("{other}-db-credentials-copy")).is_none());
    }
}

#[test]
fn objects_of_the_tenant_go_down_and_are_held_until_their_copy_is_gone() {
    let related = json!([{
        "identifier": "config",
        "origin": "kcp",
        "kind": "ConfigMap",
        "object": {"template": {"template": "{{ .Object.spec.config }}"}}
    }]);
    let mut sim = Sim::new(plan(&json!({"related": related})));
    sim.apply_order(A, "db", json!({"config": "settings"}));
    sim.settle();
    assert_eq!(sim.problems, []);
    let source = sim::tenant_config_key(A, "settings");
    let config = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"}, "data": {"a": "1"}});
    sim.create(source.clone(), config);
    sim.settle();
    let copy = sim::service_config_key(A, "settings");
    assert_eq!(sim.objects[&copy]["data"], json!({"a": "1"}));
    let held = object::finalizers(&sim.objects[&source]).concat();
    assert!(held.starts_with(wire::CLAIM_PREFIX) && held.len() < 100, "{held}");
    // Only the original goes.
    sim.delete(&source);
    sim.settle();
    assert!(!sim.objects.contains_key(&source) && !sim.objects.contains_key(&copy));
    // The order goes, the original stays, and is let go of.
    let config =
        json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "settings", "namespace": "default"}});
    sim.create(source.clone(), config);
    sim.settle();
    assert!(sim.objects.contains_key(&copy));
    sim.delete_order(A, "db");
    sim.settle();
    assert!(!sim.objects.contains_key(&copy) && sim.order(A, "db").is_none());
    assert!(object::finalizers(&sim.objects[&source]).is_empty());
}

#[test]
fn credentials_that_vanish_at_the_origin_vanish_at_the_tenant() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    sim.operator_is_paused = true;
    sim.objects.retain(|key, _| key.place != Place::Service || !key.name.ends_with("credentials"));
    sim.settle();
    assert!(sim.tenant_secret(A, "db-credentials").is_none());
    let order = sim.order(A, "db").unwrap();
    assert!(object::annotation(&order, "related-resources.syncagent.kcp.io/credentials.0").is_none());
    sim.operator_is_paused = false;
    sim.settle();
    assert!(sim.tenant_secret(A, "db-credentials").is_some());
}

#[test]
fn an_order_that_no_longer_matches_is_left_as_it_is_and_still_cleaned_up() {
    let filter = json!({"filter": {"resource": {"matchLabels": {"tier": "gold"}}}});
    let mut sim = Sim::new(plan(&filter));
    sim.apply_order(A, "db", json!({"size": 1}));
    sim.settle();
    assert!(sim.copy(A, "db").is_none());
    sim.edit_order(A, "db", |order| object::set_metadata(order, "labels", "tier", "gold"));
    sim.settle();
    assert!(sim.copy(A, "db").is_some());
    sim.edit_order(A, "db", |order| {
        object::set_metadata(order, "labels", "tier", "tin");
        order["spec"]["size"] = json!(2);
    });
    sim.settle();
    assert_eq!(sim.copy(A, "db").unwrap()["spec"]["size"], 1);
    sim.delete_order(A, "db");
    sim.settle();
    assert_eq!(sim.leftovers(), Vec::<String>::new());
}

#[test]
fn the_tenant_chooses_how_the_copy_is_deleted() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({}));
    sim.edit_order(A, "db", |order| {
        object::set_metadata(order, "annotations", wire::DELETION_PROPAGATION, "foreground")
    });
    sim.settle();
    assert!(object::annotation(&sim.copy(A, "db").unwrap(), wire::DELETION_PROPAGATION).is_none());
    sim.delete_order(A, "db");
    sim.settle();
    assert_eq!(sim.deleted_with, [Propagation::Background, Propagation::Foreground, Propagation::Background]);
}

/// A life of an order; after each step, everything settles.
fn life(sim: &mut Sim) -> Vec<Value> {
    let mut after = Vec::new();
    sim.apply_order(A, "db", json!({"size": 1, "config": "settings"}));
    sim.settle();
    after.push(sim.snapshot());
    sim.apply_order(A, "db", json!({"size": 2}));
    sim.settle();
    after.push(sim.snapshot());
    sim.delete_order(A, "db");
    sim.settle();
    after.push(sim.snapshot());
    after
}

#[test]
fn stopping_after_any_write_ends_in_the_same_state() {
    let mut calm = Sim::new(database());
    let expected = life(&mut calm);
    assert!(calm.writes > 10);
    for stop_after in 0..calm.writes {
        let mut sim = Sim::new(database());
        sim.stop_after = Some(stop_after);
        assert_eq!(life(&mut sim), expected, "stopped after write {stop_after}");
        assert_eq!(sim.stop_after, None, "write {stop_after} came");
        assert_eq!(sim.leftovers(), Vec::<String>::new(), "stopped after write {stop_after}");
    }
}

#[derive(Clone, Debug)]
enum Step {
    Apply(&'static str, i64),
    Delete(&'static str),
    EditCopy(&'static str),
    LoseCopy(&'static str),
    LoseSecret(&'static str),
    LoseState,
    Settle,
    Stop(usize),
}

fn any_step() -> impl Strategy<Value = Step> {
    let cluster = prop_oneof![Just(A), Just(B)];
    prop_oneof![
        3 => (cluster.clone(), 0..3i64).prop_map(|(cluster, size)| Step::Apply(cluster, size)),
        1 => cluster.clone().prop_map(Step::Delete),
        1 => cluster.clone().prop_map(Step::EditCopy),
        1 => cluster.clone().prop_map(Step::LoseCopy),
        1 => cluster.prop_map(Step::LoseSecret),
        1 => Just(Step::LoseState),
        2 => Just(Step::Settle),
        2 => (0..8usize).prop_map(Step::Stop),
    ]
}

proptest! {
    #[test]
    fn whatever_happens_both_sides_agree_in_the_end(steps in prop::collection::vec(any_step(), 0..16)) {
        let mut sim = Sim::new(database());
        for step in steps {
            match step {
                Step::Apply(cluster, size) => sim.apply_order(cluster, "db", json!({"size": size})),
                Step::Delete(cluster) => sim.delete_order(cluster, "db"),
                Step::EditCopy(cluster) => sim.edit_copy(cluster, "db", |copy| copy["spec"]["node"] = json!("n1")),
                Step::LoseCopy(cluster) => sim.delete_copy(cluster, "db"),
                Step::LoseSecret(cluster) => sim.delete(&sim::tenant_secret_key(cluster, "db-credentials")),
                Step::LoseState => sim.objects.retain(|key, _| !key.name.starts_with("obj-state-")),
                Step::Settle => sim.settle(),
                Step::Stop(after) => {
                    sim.stop_after = Some(after);
                    sim.pass();
                    sim.stop_after = None;
                }
            }
        }
        sim.settle();
        prop_assert_eq!(&sim.problems, &[]);
        for cluster in [A, B] {
            let Some(order) = sim.order(cluster, "db") else {
                prop_assert!(sim.copy(cluster, "db").is_none() && sim.tenant_secret(cluster, "db-credentials").is_none());
                continue;
            };
            let copy = sim.copy(cluster, "db").unwrap();
            prop_assert_eq!(&copy["spec"]["size"], &order["spec"]["size"]);
            prop_assert_eq!(&copy["status"], &order["status"]);
            prop_assert_eq!(&sim.tenant_secret(cluster, "db-credentials").unwrap()["data"], &json!({"cluster": cluster}));
        }
        for cluster in [A, B] {
            sim.delete_order(cluster, "db");
        }
        sim.settle();
        prop_assert_eq!(sim.leftovers(), Vec::<String>::new());
    }
}

#[test]
fn the_order_behind_a_copy_is_found_from_its_marks() {
    let mut sim = Sim::new(database());
    sim.apply_order(A, "db", json!({}));
    sim.settle();
    let key = order_of(&sim.copy(A, "db").unwrap()).unwrap();
    assert_eq!(key, order(A, "db"));
    assert_eq!(key.cluster, A.parse::<LogicalClusterName>().unwrap());
}
