//! What is asked for by annotations.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{
    plan::tests::plan,
    sides::{Agent, Sides},
};
use crate::{engine::*, object, wire};

struct Scene {
    sides: Sides,
    agent: Agent,
}

impl Scene {
    fn new(annotations: Value) -> Self {
        let mut scene = Self { sides: Sides::new(), agent: Agent::new(with(annotations)) };
        scene.settle();
        scene
    }

    fn order(&self) -> ObjectKey {
        self.agent.order_object()
    }

    fn copy_key(&self) -> Option<ObjectKey> {
        self.sides.keys().find(|key| key.place == Place::Service && key.types.kind == "Thing")
    }

    fn copy(&self) -> Option<Value> {
        self.sides.get(&self.copy_key()?)
    }

    fn annotate(&mut self, key: &ObjectKey, annotation: &str, value: Option<&str>) {
        self.sides.change(key, &json!({"metadata": {"annotations": {annotation: value}}}));
    }

    fn settle(&mut self) {
        for _ in 0..20 {
            self.agent.hear(&self.sides);
            let before = self.sides.revision();
            self.agent.pass(&mut self.sides, usize::MAX);
            if self.sides.revision() == before {
                return;
            }
        }
        panic!("it never settles: {:?}", self.sides);
    }

    fn writes_nothing(&mut self) {
        let before = self.sides.revision();
        self.settle();
        assert_eq!(self.sides.revision(), before);
    }
}

#[expect(clippy::needless_pass_by_value, reason = "json! takes a reference, and the callers read better")]
fn with(annotations: Value) -> Plan {
    let published = json!({"metadata": {"annotations": annotations}});
    let policies = Policies::of(&published).unwrap();
    let naming = json!({"naming": {"name": "{{ .Object.metadata.name }}"}});
    plan(&naming).unwrap().with_policies(policies).unwrap()
}

/// The service cluster's object that has the name of the copy.
fn existing() -> ObjectKey {
    let mut scene = Scene::new(json!({}));
    scene.sides.put(&scene.agent.order_object(), json!({}));
    scene.settle();
    scene.copy_key().unwrap()
}

#[test]
fn nothing_is_written_for_what_is_paused_until_it_is_no_more() {
    let (mut scene, order, copy) = served(json!({}));
    scene.annotate(&copy, wire::PAUSED, Some("true"));
    scene.sides.change(&order, &json!({"spec": {"size": 2}}));
    scene.sides.change(&copy, &json!({"status": {"phase": "Ready"}}));
    scene.writes_nothing();
    scene.annotate(&copy, wire::PAUSED, None);
    scene.settle();
    assert_eq!(scene.copy().unwrap()["spec"]["size"], 2);
    assert_eq!(scene.sides.get(&order).unwrap()["status"]["phase"], "Ready");
    scene.annotate(&copy, wire::PAUSED, Some("true"));
    scene.sides.delete(&order);
    scene.writes_nothing();
    scene.annotate(&copy, wire::PAUSED, Some("false"));
    scene.settle();
    assert_eq!((scene.sides.get(&order), scene.copy()), (None, None));
}

/// An order of size 1 that has its copy.
fn served(annotations: Value) -> (Scene, ObjectKey, ObjectKey) {
    let mut scene = Scene::new(annotations);
    let order = scene.order();
    scene.sides.put(&order, json!({"spec": {"size": 1}}));
    scene.settle();
    let copy = scene.copy_key().unwrap();
    (scene, order, copy)
}

#[test]
fn a_tenant_who_pauses_his_order_without_being_allowed_to_changes_nothing() {
    let (mut scene, order, _) = served(json!({}));
    scene.annotate(&order, wire::PAUSED, Some("true"));
    scene.sides.change(&order, &json!({"spec": {"size": 2}}));
    scene.settle();
    assert_eq!(scene.copy().unwrap()["spec"]["size"], 2);
    scene.sides.delete(&order);
    scene.settle();
    assert_eq!((scene.sides.get(&order), scene.copy()), (None, None));
}

#[test]
fn a_tenant_who_may_pause_holds_up_changes_and_never_a_deletion() {
    let (mut scene, order, copy) = served(json!({wire::TENANT_PAUSE: "allowed"}));
    scene.annotate(&order, wire::PAUSED, Some("true"));
    scene.sides.change(&order, &json!({"spec": {"size": 2}}));
    scene.sides.change(&copy, &json!({"status": {"phase": "Ready"}}));
    scene.writes_nothing();
    scene.sides.delete(&order);
    scene.settle();
    assert_eq!((scene.sides.get(&order), scene.copy()), (None, None));
}

#[test]
fn a_paused_published_resource_writes_nothing_at_all() {
    let mut scene = Scene::new(json!({wire::PAUSED: "true"}));
    let order = scene.order();
    scene.sides.put(&order, json!({"spec": {"size": 1}}));
    scene.writes_nothing();
    scene.agent = Agent::new(with(json!({})));
    scene.settle();
    assert!(scene.copy().is_some());
    scene.agent = Agent::new(with(json!({wire::PAUSED: "true"})));
    scene.sides.delete(&order);
    scene.writes_nothing();
}

#[test]
fn what_is_asked_for_by_annotations_never_travels() {
    let mut scene = Scene::new(json!({}));
    let order = scene.order();
    let annotations = json!({wire::PAUSED: "no", wire::IMPORT: "x|y/z", "sync.kdp.k8c.io/any": "x", "mine": "x"});
    scene.sides.put(&order, json!({"metadata": {"annotations": annotations}}));
    scene.settle();
    let copy = scene.copy().unwrap();
    let ours = object::annotations(&copy).keys().filter(|key| key.starts_with(wire::POLICY_PREFIX));
    assert_eq!(ours.count(), 0);
    assert_eq!(object::annotation(&copy, "mine"), Some("x"));
}

#[test]
fn a_copy_waits_for_others_who_hold_its_order_if_that_is_asked_for() {
    for waits in ["false", "true"] {
        let mut scene = Scene::new(json!({wire::WAIT_FOR_FINALIZERS: waits}));
        let order = scene.order();
        scene.sides.put(&order, json!({"spec": {}}));
        scene.settle();
        let others = json!(["example.com/backup", "other.sync.kdp.k8c.io/cleanup", wire::FINALIZER]);
        scene.sides.change(&order, &json!({"metadata": {"finalizers": others}}));
        scene.sides.delete(&order);
        scene.settle();
        assert_eq!(scene.copy().is_some(), waits == "true");
        // Other agents wait for the same, so they are not waited for.
        let agents = json!(["other.sync.kdp.k8c.io/cleanup", wire::FINALIZER]);
        scene.sides.change(&order, &json!({"metadata": {"finalizers": agents}}));
        scene.settle();
        assert!(scene.copy().is_none());
    }
}

#[test]
fn an_existing_object_is_refused_adopted_or_imported() {
    let check = |policy: &str, order_size: u64, copy: Option<Value>| {
        let mut scene = Scene::new(json!({wire::CONFLICT_POLICY: policy}));
        let (order, existing) = (scene.order(), existing());
        scene.sides.put(&existing, json!({"spec": {"size": 5, "node": "n1"}, "data": "kept"}));
        let before = scene.sides.get(&existing).unwrap();
        scene.sides.put(&order, json!({"spec": {"size": 1}, "data": "kept"}));
        scene.settle();
        let after = scene.sides.get(&existing).unwrap();
        assert_eq!(scene.sides.get(&order).unwrap()["spec"]["size"], order_size, "{policy}");
        assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"]);
        let Some(spec) = copy else { return assert_eq!(after, before) };
        assert_eq!(after["spec"], spec, "{policy}");
        let key = order_of(&after).unwrap();
        assert_eq!(key.name, "db");
        scene.writes_nothing();
        // It follows the order from now on, and goes with it.
        scene.sides.change(&order, &json!({"spec": {"size": 7}}));
        scene.settle();
        assert_eq!(scene.copy().unwrap()["spec"], json!({"size": 7, "node": "n1"}));
        scene.sides.delete(&order);
        scene.settle();
        assert_eq!((scene.sides.get(&order), scene.copy()), (None, None));
    };
    check("refuse", 1, None);
    check("adopt", 1, Some(json!({"size": 1, "node": "n1"})));
    check("import", 5, Some(json!({"size": 5, "node": "n1"})));
}

#[test]
fn what_belongs_to_somebody_is_never_taken_over() {
    let owner = |is_controller: bool| json!([{"kind": "Thing", "name": "x", "controller": is_controller}]);
    let owned = [
        json!({"labels": {wire::CLUSTER_LABEL: "other"}}),
        json!({"labels": {wire::NAME_HASH_LABEL: "x"}}),
        json!({"labels": {wire::AGENT_NAME: "other"}}),
        json!({"annotations": {wire::RELATED_OWNER: "x"}}),
        json!({"ownerReferences": owner(true)}),
        json!({"finalizers": ["example.com/busy"], "deletionTimestamp": "now"}),
    ];
    for metadata in owned {
        for policy in ["adopt", "import"] {
            let mut scene = Scene::new(json!({wire::CONFLICT_POLICY: policy}));
            let (order, existing) = (scene.order(), existing());
            scene.sides.put(&existing, json!({"metadata": metadata, "spec": {"size": 5}}));
            let before = scene.sides.get(&existing);
            scene.sides.put(&order, json!({"spec": {"size": 1}}));
            scene.settle();
            assert_eq!(scene.sides.get(&existing), before, "{policy} {metadata}");
            assert_eq!(scene.sides.get(&order).unwrap()["spec"]["size"], 1);
            scene.sides.delete(&order);
            scene.settle();
            assert_eq!((scene.sides.get(&order), scene.sides.get(&existing)), (None, before));
        }
    }
    let mut scene = Scene::new(json!({wire::CONFLICT_POLICY: "adopt"}));
    scene.sides.put(&existing(), json!({"metadata": {"ownerReferences": owner(false)}}));
    scene.sides.put(&scene.agent.order_object(), json!({"spec": {"size": 1}}));
    scene.settle();
    assert_eq!(scene.copy().unwrap()["spec"]["size"], 1, "an owner that does not control it does not own it");
}

#[test]
fn a_new_order_inherits_nothing_from_an_earlier_one_of_its_name() {
    let mut scene = Scene::new(json!({}));
    let order = scene.order();
    scene.sides.put(&order, json!({"spec": {"size": 1, "tier": "a"}}));
    scene.settle();
    // What the service cluster changes stays, as long as it is the same order.
    let copy = scene.copy_key().unwrap();
    scene.sides.change(&copy, &json!({"spec": {"tier": "changed"}}));
    // Somebody forces the order out of the way, and orders again.
    scene.sides.delete(&order);
    scene.sides.change(&order, &json!({"metadata": {"finalizers": null}}));
    assert!(scene.sides.get(&order).is_none());
    scene.sides.put(&order, json!({"spec": {"size": 1, "tier": "a"}}));
    scene.settle();
    assert_eq!(scene.copy().unwrap()["spec"], json!({"size": 1, "tier": "a"}));
    scene.writes_nothing();
}

#[test]
fn a_new_order_waits_until_the_copy_of_an_earlier_one_is_gone() {
    let mut scene = Scene::new(json!({}));
    let order = scene.order();
    scene.sides.put(&order, json!({"spec": {"size": 1}}));
    scene.settle();
    let copy = scene.copy_key().unwrap();
    scene.sides.change(&copy, &json!({"metadata": {"finalizers": ["example.com/busy"]}}));
    scene.sides.delete(&order);
    scene.settle();
    scene.sides.change(&order, &json!({"metadata": {"finalizers": null}}));
    scene.sides.put(&order, json!({"spec": {"size": 2}}));
    scene.settle();
    let deleting = scene.copy().unwrap();
    assert!(object::is_deleting(&deleting) && deleting["spec"]["size"] == 1);
    scene.sides.change(&copy, &json!({"metadata": {"finalizers": null}}));
    scene.settle();
    assert_eq!(scene.copy().unwrap()["spec"], json!({"size": 2}));
}

#[test]
fn a_status_tells_generations_of_the_order_if_that_is_asked_for() {
    for (policy, expected) in [("verbatim", 3), ("translate", 9)] {
        let mut scene = Scene::new(json!({wire::OBSERVED_GENERATION: policy}));
        let order = scene.order();
        scene.sides.put(&order, json!({"metadata": {"generation": 9}}));
        scene.settle();
        let copy = scene.copy_key().unwrap();
        scene.sides.change(&copy, &json!({"metadata": {"generation": 3}, "status": {"observedGeneration": 3}}));
        scene.settle();
        assert_eq!(scene.sides.get(&order).unwrap()["status"]["observedGeneration"], expected);
        scene.writes_nothing();
        let paths: BTreeSet<_> = scene.sides.keys().map(|key| key.to_string()).collect();
        assert_eq!(paths.len(), 3);
    }
}
