//! Objects on the service cluster get orders, whatever cuts the agent off.

use std::{collections::BTreeSet, sync::Arc};

use serde_json::{Value, json};

use super::{plan::tests::plan, sides::Sides};
use crate::{engine::*, object, object::ResourceType, wire};

/// Both sides as they are.
struct Now<'a>(&'a Sides);

impl World for Now<'_> {
    fn answer(&self, query: &Query, _: Evidence) -> Option<Vec<Arc<Value>>> {
        let get = |key: &ObjectKey| self.0.get(key).map(Arc::new);
        Some(match query {
            Query::Object(key) => get(key).into_iter().collect(),
            Query::List(_) => Vec::new(),
            Query::Copies(order) => {
                let things = self.0.keys().filter(|key| key.place == Place::Service && key.types.kind == "Thing");
                things.filter_map(|key| get(&key)).filter(|thing| copy::belongs_to(thing, order)).collect()
            }
        })
    }

    fn instance(&self) -> &str {
        "one"
    }

    fn is_in_doubt(&self, _: &OrderKey) -> bool {
        false
    }

    fn is_quiet(&self, _: &OrderKey, _: &str) -> bool {
        true
    }
}

struct Scene {
    plan: Plan,
    sides: Sides,
    order: OrderKey,
    object: ObjectKey,
    problems: Vec<Problem>,
}

impl Scene {
    fn new(fields: &Value) -> Self {
        let order =
            OrderKey { cluster: "tenant".parse().unwrap(), namespace: Some("default".into()), name: "db".into() };
        let plan = plan(fields).unwrap();
        let object = ObjectKey {
            place: Place::Service,
            types: plan.local.clone(),
            namespace: Some("old".into()),
            name: "thing".into(),
        };
        let mut sides = Sides::new();
        let asks = json!({wire::IMPORT: order.to_string()});
        sides.put(&object, json!({"metadata": {"annotations": asks, "labels": {"team": "x"}}, "spec": {"size": 5}}));
        Self { plan, sides, order, object, problems: Vec::new() }
    }

    /// Works on the order as a driver does, but writes at most so often.
    fn pass(&mut self, mut writes: usize) {
        let mut failed = BTreeSet::new();
        self.problems.clear();
        for _ in 0..30 {
            let world = Now(&self.sides);
            let facts = Facts::new(&world);
            let next = import(&self.plan, &self.order, &self.object, &facts, &failed);
            match next.unwrap_or_else(|| decide(&self.plan, &self.order, &facts, &failed)) {
                Next::Look(..) => panic!("everything is known"),
                Next::Act(batch) => {
                    for command in &batch.commands {
                        if writes == 0 {
                            return;
                        }
                        writes -= 1;
                        self.sides.attempt(command);
                    }
                }
                Next::Settled(problems) => {
                    let is_import = problems.iter().any(|problem| problem.part == Part::Import);
                    self.problems.extend(problems);
                    if !is_import {
                        return;
                    }
                    failed.insert(Part::Import);
                }
            }
        }
        panic!("a pass that does not end: {:?}", self.sides);
    }

    fn things(&self) -> usize {
        self.sides.keys().filter(|key| key.place == Place::Service && key.types.kind == "Thing").count()
    }
}

#[test]
fn an_agent_that_is_cut_off_anywhere_ends_with_one_order_and_one_copy() {
    let mutation = json!({"mutation": {"spec": [{"template": {"path": "spec.size", "template": "10"}}]}});
    for fields in [json!({}), mutation] {
        for writes in 0..12 {
            let mut scene = Scene::new(&fields);
            let before = scene.sides.get(&scene.object).unwrap();
            scene.pass(writes);
            scene.pass(usize::MAX);
            assert_eq!((scene.things(), &scene.problems), (1, &vec![]), "cut off after {writes} writes");
            let after = scene.sides.get(&scene.object).unwrap();
            assert_eq!(after["spec"], before["spec"], "nothing but the marks changes");
            assert_eq!(after["metadata"]["labels"]["team"], "x");
            assert_eq!(order_of(&after), Some(scene.order.clone()));
            assert_eq!(object::annotation(&after, wire::IMPORT), None);
            let order = scene.sides.get(&scene.plan.order_object(&scene.order)).unwrap();
            assert_eq!((&order["spec"]["size"], &order["metadata"]["labels"]), (&json!(5), &json!({"team": "x"})));
            let revision = scene.sides.revision();
            scene.pass(usize::MAX);
            assert_eq!(scene.sides.revision(), revision);
        }
    }
}

#[test]
fn an_order_that_is_there_already_takes_the_fields_of_the_object() {
    let mut scene = Scene::new(&json!({}));
    let order = scene.plan.order_object(&scene.order);
    scene.sides.put(&order, json!({"spec": {"size": 1, "tier": "mine"}}));
    scene.pass(usize::MAX);
    assert_eq!(scene.sides.get(&order).unwrap()["spec"], json!({"size": 5, "tier": "mine"}));
    assert_eq!(scene.sides.get(&scene.object).unwrap()["spec"], json!({"size": 5, "tier": "mine"}));
    assert_eq!(scene.things(), 1);
}

#[test]
fn an_order_that_has_a_copy_gets_no_other_and_goes_on() {
    let mut scene = Scene::new(&json!({}));
    let order = scene.plan.order_object(&scene.order);
    scene.sides.change(&scene.object, &json!({"metadata": {"annotations": {wire::IMPORT: null}}}));
    scene.sides.put(&order, json!({"spec": {"size": 1}}));
    scene.pass(usize::MAX);
    let asks = json!({wire::IMPORT: scene.order.to_string()});
    scene.sides.change(&scene.object, &json!({"metadata": {"annotations": asks}}));
    scene.sides.change(&order, &json!({"spec": {"size": 2}}));
    scene.pass(usize::MAX);
    assert!(scene.problems[0].message.contains("another copy"), "{:?}", scene.problems);
    assert_eq!(scene.things(), 2);
    assert!(order_of(&scene.sides.get(&scene.object).unwrap()).is_none());
    let is_served = |key: &ObjectKey| scene.sides.get(key).unwrap()["spec"]["size"] == 2;
    assert!(scene.sides.keys().any(|key| key.place == Place::Service && key.types.kind == "Thing" && is_served(&key)));
}

#[test]
fn what_belongs_to_somebody_is_not_imported() {
    for metadata in [
        json!({"labels": {wire::CLUSTER_LABEL: "other", wire::NAME_HASH_LABEL: "x"}}),
        json!({"annotations": {wire::RELATED_OWNER: "x"}}),
        json!({"ownerReferences": [{"controller": true}]}),
    ] {
        let mut scene = Scene::new(&json!({}));
        scene.sides.change(&scene.object, &json!({"metadata": metadata}));
        let before = scene.sides.get(&scene.object);
        scene.pass(usize::MAX);
        assert!(scene.problems[0].message.contains("belongs to something else"), "{:?}", scene.problems);
        assert_eq!(scene.sides.get(&scene.object), before);
        assert!(scene.sides.get(&scene.plan.order_object(&scene.order)).is_none());
    }
}

#[test]
fn the_order_of_a_copy_that_was_lost_is_made_again() {
    let mut scene = Scene::new(&json!({}));
    scene.pass(usize::MAX);
    let order = scene.plan.order_object(&scene.order);
    scene.sides.delete(&order);
    scene.sides.change(&order, &json!({"metadata": {"finalizers": null}}));
    scene.sides.change(&scene.object, &json!({"metadata": {"annotations": {wire::IMPORT: scene.order.to_string()}}}));
    let lost: Vec<_> = scene.sides.keys().filter(|key| *key.types == ResourceType::secrets()).collect();
    lost.iter().for_each(|state| scene.sides.delete(state));
    scene.pass(usize::MAX);
    assert_eq!(scene.sides.get(&order).unwrap()["spec"]["size"], 5);
    assert_eq!((scene.things(), &scene.problems), (1, &vec![]));
}
